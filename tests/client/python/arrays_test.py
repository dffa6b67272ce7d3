import numpy as np
import pytest

from creamery import DataLossError, InvalidArgumentError, _arrays
from creamery.v1 import array_pb2


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<i8", "u1", ">f8", ">i8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (0, 4)])
def test_an_array_survives_the_trip(dtype, shape):
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    back = _arrays.from_proto(_arrays.to_proto(array))
    assert back.shape == shape
    assert back.dtype == np.dtype(dtype).newbyteorder("<")
    np.testing.assert_array_equal(back, array)


def test_bytes_are_row_major_and_little_endian():
    message = _arrays.to_proto(np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]))
    assert message.data == np.array([1, 2, 3, 4], "<f8").tobytes()
    assert list(message.shape) == [2, 2] and message.dtype == array_pb2.FLOAT64


def test_a_type_that_does_not_travel_is_refused():
    with pytest.raises(InvalidArgumentError, match="dtype int16"):
        _arrays.to_proto(np.zeros(2, np.int16))


@pytest.mark.parametrize("shape, size", [([2], 8), ([2], 24), ([-1], 0), ([-1, -2], 16)])
def test_a_reply_whose_bytes_do_not_fit_its_shape_is_data_loss(shape, size):
    with pytest.raises(DataLossError):
        _arrays.from_proto(array_pb2.Array(shape=shape, dtype=array_pb2.FLOAT64, data=bytes(size)))


def test_a_reply_of_unknown_type_is_data_loss():
    with pytest.raises(DataLossError, match="type number 9"):
        _arrays.from_proto(array_pb2.Array(shape=[0], dtype=9))


def test_a_table_gives_the_wanted_columns_in_order_and_ignores_others():
    theta, columns = _arrays.table({"c": [5, 6], "b": [3, 4], "a": [1, 2]}, ["a", "b"])
    assert columns == ["a", "b"]
    np.testing.assert_array_equal(theta, [[1, 3], [2, 4]])


def test_a_table_without_a_wanted_column_is_sent_whole_for_the_server_to_judge():
    assert _arrays.table({"c": [5], "a": [1]}, ["a", "b"]).columns == ["c", "a"]


def test_a_dict_of_scalars_is_one_point():
    assert _arrays.table({"a": 1.0, "b": 2.0}).theta.shape == (2,)


def test_columns_of_different_lengths_are_named():
    with pytest.raises(InvalidArgumentError, match=r"a \(2,\), b \(1,\)"):
        _arrays.table({"a": [1, 2], "b": [1]})


def test_words_are_not_numbers():
    with pytest.raises(InvalidArgumentError, match="theta is not an array of numbers"):
        _arrays.table([["x", "y"]])


def test_float32_stays_and_integers_become_float64():
    assert _arrays.floats("theta", np.zeros(2, np.float32)).dtype == np.float32
    assert _arrays.floats("theta", [1, 2]).dtype == np.float64


def test_chain_ids_are_whole_numbers():
    assert _arrays.integers("chain", [1.0, 2.0]).dtype == np.int64
    with pytest.raises(InvalidArgumentError, match="chain"):
        _arrays.integers("chain", [1.5])
