"""NumPy arrays to and from `creamery.v1.Array`, and tables of named columns to theta."""

from __future__ import annotations

import math
import struct
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

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
    """A contiguous float32 or float64 array; other numbers become float64.

    Raises:
        InvalidArgumentError: these are not numbers.
    """
    try:
        array = np.asarray(values)
        if array.dtype not in _FLOATS:
            array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{what} is not an array of numbers: {error}") from error
    return np.asarray(array, order="C")


def integers(what: str, values: Any) -> NDArray[np.int64]:
    """A contiguous int64 array.

    Raises:
        InvalidArgumentError: some values are not whole numbers.
    """
    array = np.asarray(values)
    whole = array.dtype.kind in "iub" or (array.dtype.kind == "f" and bool(np.all(array == np.rint(array))))
    if not whole:
        raise InvalidArgumentError(f"{what} has dtype {array.dtype}, expected whole numbers")
    return np.ascontiguousarray(array.astype(np.int64))


class Table(NamedTuple):
    """Points with the names of their columns, if they came with names."""

    theta: NDArray[Any]  # (n, d), or (d,) for one point
    columns: Optional[List[str]]


def is_table(values: Any) -> bool:
    """True for a dict of columns and for anything like a pandas DataFrame."""
    return isinstance(values, dict) or (hasattr(values, "columns") and hasattr(values, "__getitem__"))


def _column_names(values: Any) -> List[Tuple[Any, str]]:
    """Keys of a table with their plain names; anesthetic has (name, label) for a key."""
    keys = values.keys() if isinstance(values, dict) else values.columns
    return [(key, str(key[0] if isinstance(key, tuple) else key)) for key in keys]


def table(values: Any, wanted: Optional[Sequence[str]] = None, what: str = "theta") -> Table:
    """Points from an array, a dict of columns, or anything like a pandas DataFrame.

    Args:
        values: (n, d) or (d,) numbers; or a table, whose columns are (n,) or scalars for one point.
        wanted: columns to take from a table, in this order, if it has them all; otherwise all are taken
            and the server names the wrong ones.

    Raises:
        InvalidArgumentError: not numbers, or columns of different lengths.
    """
    if not is_table(values):
        return Table(floats(what, values), None)
    by_name = {name: key for key, name in _column_names(values)}
    names = list(by_name) if wanted is None or not set(wanted) <= set(by_name) else list(wanted)
    if not names:
        raise InvalidArgumentError(f"{what} has no columns")
    columns = [floats(f"{what} column {name!r}", values[by_name[name]]) for name in names]
    shapes = {column.shape for column in columns}
    if len(shapes) > 1 or columns[0].ndim > 1:
        described = ", ".join(f"{name} {column.shape}" for name, column in zip(names, columns))
        raise InvalidArgumentError(f"columns of {what} differ in shape: {described}; expected (n,) each")
    return Table(np.ascontiguousarray(np.stack(columns, axis=-1)), names)


def chunk_rows(bytes_per_row: int, budget: int) -> int:
    """Rows of a chunk of at most `budget` bytes, at least one."""
    return max(1, budget // max(1, bytes_per_row))
