"""NumPy arrays to and from `creamery.v1.Array`, and tables of named columns to theta."""

from __future__ import annotations

import collections
import math
import struct
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery import _arguments
from creamery._errors import DataLossError, InvalidArgumentError
from creamery.v1 import array_pb2

FloatArray = NDArray[np.float64]

_DTYPES: Dict[int, np.dtype[Any]] = {
    array_pb2.FLOAT32: np.dtype("<f4"),
    array_pb2.FLOAT64: np.dtype("<f8"),
    array_pb2.INT64: np.dtype("<i8"),
    array_pb2.UINT8: np.dtype("u1"),
}
_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
_EXACT = 2.0**53  # every integer up to here is a float64
_DOUBLE = struct.Struct("<d")
_CODES: Dict[np.dtype[Any], Any] = {dtype: code for code, dtype in _DTYPES.items()}


def to_proto(array: NDArray[Any]) -> array_pb2.Array:
    """The message of an array; its memory is copied once.

    Raises:
        InvalidArgumentError: its type does not travel.
    """
    dtype = array.dtype.newbyteorder("<")
    code = _CODES.get(dtype)
    if code is None:
        raise InvalidArgumentError(f"array has dtype {array.dtype}, expected float32, float64, int64 or uint8")
    return array_pb2.Array(shape=array.shape, dtype=code, data=array.astype(dtype, copy=False).tobytes())


def from_proto(message: array_pb2.Array) -> NDArray[Any]:
    """The array of a message: read-only, sharing the message's bytes.

    Raises:
        DataLossError: bytes, shape and type do not fit together.
    """
    dtype = _DTYPES.get(message.dtype)
    shape = tuple(message.shape)
    if dtype is None:
        raise DataLossError(f"array has type number {message.dtype}, which this client does not know")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(message.data):
        raise DataLossError(f"array has shape {shape} of {dtype} but {len(message.data)} bytes")
    return np.frombuffer(message.data, dtype=dtype).reshape(shape)


def first_row(message: array_pb2.Array) -> Union[float, NDArray[Any]]:
    """The one row of an answer for one point: a float of shape (1,), an array of its own of shape (1, d).

    Raises:
        DataLossError: as for `from_proto`.
    """
    data = message.data
    if len(data) == 8 and message.dtype == array_pb2.FLOAT64 and message.shape == [1]:
        return float(_DOUBLE.unpack(data)[0])
    array = from_proto(message)
    return float(array[0]) if array.ndim == 1 else array[0].copy()


def floats(what: str, values: Any) -> NDArray[Any]:
    """A contiguous float32 or float64 array; other real numbers become float64, to the last bit.

    Integers that float64 does not hold are refused. Wider floats are rounded to the nearest float64, if there is one.

    Raises:
        InvalidArgumentError: these are not numbers, some are masked, or float64 does not hold them.
    """
    array = plain_array(what, values)
    if array.dtype in _FLOATS:
        return np.asarray(array, order="C")
    if array.dtype.kind == "O":
        array = _of_objects(what, array)
    if array.dtype.kind not in "biuf":
        raise InvalidArgumentError(f"{what} is not an array of numbers: its dtype is {array.dtype}")
    with np.errstate(over="ignore", under="ignore"):
        converted = array.astype(np.float64)
    if array.dtype.itemsize >= 8:
        _refuse_inexact(what, array, converted)
    return np.asarray(converted, order="C")


def plain_array(what: str, values: Any) -> NDArray[Any]:
    """The array of anything that NumPy takes for one, without masks.

    Raises:
        InvalidArgumentError: NumPy does not take it, or elements are masked.
    """
    if type(values) is np.ndarray:
        return values
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        if mask.any():
            first = tuple(int(each) for each in np.argwhere(mask)[0])
            raise InvalidArgumentError(
                f"{what} is masked at {int(mask.sum())} of {mask.size} entries, the first at {first}; expected numbers "
                "everywhere: drop or fill those"
            )
        return np.asarray(values.data)
    if isinstance(values, (str, bytes, dict, set, frozenset)) or values is None:
        raise InvalidArgumentError(f"{what} is {_arguments.shown(values)}, expected an array of numbers")
    if isinstance(values, (list, tuple)) and any(isinstance(each, np.ma.MaskedArray) for each in values):
        return plain_array(what, np.ma.stack([np.ma.asarray(each) for each in values]))
    try:
        return np.asarray(values)
    except Exception as error:  # noqa: BLE001  (__array__ of somebody else's may raise anything)
        raise InvalidArgumentError(f"{what} is not an array of numbers: {error}") from error


def _of_objects(what: str, array: NDArray[Any]) -> NDArray[Any]:
    """Objects that are all real numbers, as integers if they all are, else as float64."""
    flat = [each.item() if isinstance(each, np.ndarray) and each.ndim == 0 else each for each in array.ravel()]
    for i, each in enumerate(flat):
        if not (_arguments.is_real(each) or isinstance(each, (bool, np.bool_))):
            at = "" if array.ndim == 0 else f" at {tuple(int(k) for k in np.unravel_index(i, array.shape))}"
            raise InvalidArgumentError(f"{what} is not an array of numbers: it has {_arguments.shown(each)}{at}")
    try:
        converted = np.array([float(each) for each in flat], dtype=np.float64)
    except (OverflowError, ValueError) as error:
        raise InvalidArgumentError(f"{what} has numbers out of the range of float64: {error}") from error
    for each, value in zip(flat, converted):
        if isinstance(each, (int, np.integer)) and int(value) != int(each):
            raise InvalidArgumentError(f"{what} has the integer {each}, which float64 does not hold")
    return converted.reshape(array.shape)


def _refuse_inexact(what: str, array: NDArray[Any], converted: FloatArray) -> None:
    """Raises for integers beyond 2**53 between two floats, and for wide floats out of the range of float64."""
    if array.dtype.kind in "iu":
        large = np.flatnonzero(np.abs(converted).ravel() >= _EXACT)
        bad = [i for i in large.tolist() if int(converted.flat[i]) != int(array.flat[i])]
        why = "which float64 does not hold"
    else:
        lost = np.isinf(converted) & ~np.isinf(array) | ((converted == 0) & (array != 0))
        bad = np.flatnonzero(lost.ravel()).tolist()
        why = "which is out of the range of float64"
    if bad:
        raise InvalidArgumentError(f"{what} has {array.flat[bad[0]]}, {why}")


def integers(what: str, values: Any) -> NDArray[np.int64]:
    """A contiguous int64 array.

    Raises:
        InvalidArgumentError: some values are not whole numbers, or beyond int64.
    """
    array = plain_array(what, values)
    if array.dtype.kind == "O":
        flat = [_arguments.whole(what, each) for each in array.ravel()]
        return np.array(flat, dtype=np.int64).reshape(array.shape)
    whole = array.dtype.kind in "iub" or (array.dtype.kind == "f" and bool(np.all(array == np.rint(array))))
    if array.dtype.kind not in "iubf":
        raise InvalidArgumentError(f"{what} has dtype {array.dtype}, expected whole numbers")
    if not whole:
        where = int(np.argmin((array == np.rint(array)).ravel()))
        raise InvalidArgumentError(f"{what} has {array.flat[where]}, expected whole numbers")
    if array.dtype.kind in "uf":
        beyond = (array >= 2**63) if array.dtype.kind == "u" else (array >= 2.0**63) | (array < -(2.0**63))
        if beyond.any():
            where = int(np.argmax(beyond.ravel()))
            raise InvalidArgumentError(f"{what} has {array.flat[where]}, beyond int64")
    return np.ascontiguousarray(array.astype(np.int64))


class Table(NamedTuple):
    """Points with the names of their columns, if they came with names."""

    theta: NDArray[Any]  # (n, d), or (d,) for one point
    columns: Optional[List[str]]


def is_table(values: Any) -> bool:
    """True for what names its columns: a dict, a frame, a structured array, samples of GetDist, a series by name."""
    return _columns(values) is not None


def _columns(values: Any) -> Optional[List[Tuple[Any, Any]]]:
    """The names of the columns of a table, each with its key; None for numbers without names."""
    if type(values) is np.ndarray and values.dtype.names is None or isinstance(values, (list, tuple, float)):
        return None
    if isinstance(values, Mapping):
        return [(name, name) for name in values]
    if isinstance(values, (np.ndarray, np.void)):
        return None if values.dtype.names is None else [(name, name) for name in values.dtype.names]
    if hasattr(values, "paramNames") and hasattr(values, "samples"):  # of GetDist
        return [(each.name, i) for i, each in enumerate(values.paramNames.names)]
    if hasattr(values, "columns") and hasattr(values, "__getitem__"):
        return _unlabelled(values.columns)
    index = getattr(values, "index", None)
    if getattr(values, "ndim", None) == 1 and index is not None and not callable(index):
        named = _unlabelled(index)
        return named if named is not None and any(isinstance(name, str) for name, _ in named) else None
    return None


def _unlabelled(index: Any) -> Optional[List[Tuple[Any, Any]]]:
    """Names and keys of an index; anesthetic's has (name, label) for a key. None for one that only counts."""
    keys = list(index)
    if keys and all(isinstance(key, (int, np.integer)) and key == i for i, key in enumerate(keys)):
        return None
    if list(getattr(index, "names", ()) or ())[1:] == ["labels"]:
        return [(key[0] if isinstance(key, tuple) else key, key) for key in keys]
    return [(key, key) for key in keys]


def _column(values: Any, what: str, name: str, key: Any) -> NDArray[Any]:
    """One column of a table."""
    try:
        if hasattr(values, "paramNames"):
            column = values.samples[:, key]
        elif getattr(values, "ndim", None) == 1 and hasattr(values, "index"):  # a series: by place, names are unique
            column = values.iloc[list(values.index).index(key)]
        else:
            column = values[key]
    except Exception as error:  # noqa: BLE001  (a table of somebody else's may raise anything)
        raise InvalidArgumentError(f"{what} does not give its column {name!r}: {error}") from error
    return floats(f"{what} column {name!r}", column)


def table(values: Any, wanted: Optional[Sequence[str]] = None, what: str = "theta") -> Table:
    """Points from an array, or from anything that names its columns.

    Args:
        values: (n, d) or (d,) numbers; or a table, whose columns are (n,) or scalars for one point: a dict, a frame of
            pandas or anesthetic, a structured array, samples of GetDist; or a series by parameter, one point.
        wanted: columns to take from a table, in this order, if it has them all; otherwise all are taken
            and the server names the wrong ones.

    Raises:
        InvalidArgumentError: not numbers, or columns without a name of their own or of different lengths.
    """
    found = _columns(values)
    if found is None:
        return Table(floats(what, values), None)
    for name, _ in found:
        if not isinstance(name, str):
            raise InvalidArgumentError(f"{what} has a column named {_arguments.shown(name)}, expected a text")
    by_name = {str(name): key for name, key in found}
    if len(by_name) < len(found):
        counts = collections.Counter(str(name) for name, _ in found)
        twice = next(name for name, number in counts.items() if number > 1)
        raise InvalidArgumentError(f"{what} has {counts[twice]} columns named {twice!r}, expected different names")
    names = list(by_name) if wanted is None or not set(wanted) <= set(by_name) else list(wanted)
    if not names:
        raise InvalidArgumentError(f"{what} has no columns")
    columns = [_column(values, what, name, by_name[name]) for name in names]
    shapes = {column.shape for column in columns}
    if len(shapes) > 1 or columns[0].ndim > 1:
        described = ", ".join(f"{name} {column.shape}" for name, column in zip(names, columns))
        raise InvalidArgumentError(f"columns of {what} differ in shape: {described}; expected (n,) each")
    return Table(np.ascontiguousarray(np.stack(columns, axis=-1)), names)


def weights_of(values: Any) -> Optional[Any]:
    """The weights that samples of anesthetic or GetDist carry; None without any."""
    if callable(getattr(values, "get_weights", None)):
        return values.get_weights()
    if hasattr(values, "paramNames") and getattr(values, "weights", None) is not None:
        return values.weights
    return None


def chunk_rows(bytes_per_row: int, budget: int) -> int:
    """Rows of a chunk of at most `budget` bytes, at least one."""
    return max(1, budget // max(1, bytes_per_row))
