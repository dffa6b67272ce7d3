"""Arguments of any type to the one that is meant, exactly, or an InvalidArgumentError that names the argument.

Numbers of NumPy count as numbers, whole floats as integers; nothing else is guessed. Arrays and tables: `_arrays`.
"""

from __future__ import annotations

import numbers
import os
from decimal import Decimal
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from creamery._errors import InvalidArgumentError

_FOREVER = 1e9  # seconds; the times of gRPC overflow beyond and end at once or never
_SHOWN = 80  # most characters of an argument that a message repeats
Kind = TypeVar("Kind", bound=Message)
_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}


def shown(value: Any) -> str:
    """An argument as a message repeats it: its repr, cut; its type where that is no help."""
    if isinstance(value, (np.ndarray, np.ma.MaskedArray)) and value.ndim > 0:
        return f"an array of shape {value.shape}"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  (a repr of somebody else's may raise anything)
        return f"a {type(value).__name__}"
    if "\n" in text:
        return f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def wrong(what: str, value: Any, expected: str) -> InvalidArgumentError:
    """The error of an argument `what`."""
    return InvalidArgumentError(f"{what} is {shown(value)}, expected {expected}")


def text(what: str, value: Any) -> str:
    """A text.

    Raises:
        InvalidArgumentError: it is none.
    """
    if not isinstance(value, str):
        raise wrong(what, value, "a text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"{what} has half a surrogate pair at character {error.start}") from None
    return str(value)


def _plain(value: Any) -> Any:
    """The element of an array without axes; any other value as it is. A masked element is no number."""
    if isinstance(value, np.ma.MaskedArray):
        return value
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value


def is_real(value: Any) -> bool:
    """True for one real number; a bool is none."""
    real = isinstance(value, (numbers.Real, Decimal)) and not isinstance(value, (bool, np.bool_))
    return real and not isinstance(value, np.timedelta64)  # a signedinteger by its class


def number(what: str, value: Any) -> float:
    """A real number as a float.

    Raises:
        InvalidArgumentError: it is none, or too large for a float.
    """
    plain = _plain(value)
    if not is_real(plain):
        raise wrong(what, value, "a number")
    try:
        return float(plain)
    except (OverflowError, ValueError):
        raise wrong(what, value, "a number in the range of a float") from None


def whole(what: str, value: Any, lowest: int = -(2**63), highest: int = 2**63 - 1) -> int:
    """A whole number in a range, both ends included; a float must be whole.

    Raises:
        InvalidArgumentError: it is none, or outside.
    """
    plain = _plain(value)
    try:
        if not is_real(plain) or plain != int(plain):
            raise wrong(what, value, "a whole number")
        found = int(plain)
    except (OverflowError, ValueError, ArithmeticError) as error:
        if isinstance(error, InvalidArgumentError):
            raise
        raise wrong(what, value, "a whole number") from None
    if not lowest <= found <= highest:
        raise wrong(what, value, f"a whole number from {lowest} to {highest}")
    return found


def flag(what: str, value: Any) -> bool:
    """True or False, of Python or NumPy.

    Raises:
        InvalidArgumentError: it is neither.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise wrong(what, value, "True or False")


def seconds(what: str, value: Any) -> Optional[float]:
    """A time that is not negative, or None for no limit.

    Raises:
        InvalidArgumentError: it is neither.
    """
    if value is None:
        return None
    found = number(what, value)
    if not found >= 0:
        raise wrong(what, value, "seconds, at least 0, or None")
    return None if found > _FOREVER else found


def function(what: str, value: Any) -> Any:
    """Something that can be called.

    Raises:
        InvalidArgumentError: it cannot.
    """
    if not callable(value):
        raise wrong(what, value, "a function")
    return value


def sequence(what: str, values: Any, of: str) -> List[Any]:
    """The elements of anything ordered: a list, a tuple, an array, an index or a series of pandas, keys of a dict.

    Raises:
        InvalidArgumentError: it is one text, has no order, or no elements at all.
    """
    ordered = not isinstance(values, (str, bytes, set, frozenset, Mapping)) and hasattr(values, "__iter__")
    if ordered and not (isinstance(values, np.ndarray) and values.ndim == 0):
        try:
            return list(values)
        except Exception:  # noqa: BLE001  (an iterator of somebody else's may raise anything)
            pass
    raise wrong(what, values, f"a list of {of}")


def names(what: str, values: Any) -> List[str]:
    """A list of different texts.

    Raises:
        InvalidArgumentError: it is none; one text is not taken for its characters.
    """
    found = [text(f"{what}[{i}]", each) for i, each in enumerate(sequence(what, values, "names"))]
    if len(set(found)) < len(found):
        twice = next(each for i, each in enumerate(found) if each in found[:i])
        raise InvalidArgumentError(f"{what} has {twice!r} twice, expected different names")
    return found


def mapping(what: str, values: Any) -> Dict[str, Any]:
    """A dict with texts for keys.

    Raises:
        InvalidArgumentError: it is none.
    """
    if not isinstance(values, Mapping):
        raise wrong(what, values, "a dict by name")
    return {text(f"a key of {what}", key): value for key, value in values.items()}


def pair(what: str, values: Any, of: str) -> Tuple[Any, Any]:
    """Two elements.

    Raises:
        InvalidArgumentError: they are not two.
    """
    if not isinstance(values, (str, bytes, set, frozenset, Mapping)):
        try:
            first, second = values
            return first, second
        except (TypeError, ValueError):
            pass
    raise wrong(what, values, of)


def path(what: str, value: Any) -> Path:
    """A path of the file system.

    Raises:
        InvalidArgumentError: it is neither a text nor a path.
    """
    given = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    try:
        if isinstance(given, str) and given and "\0" not in given and os.fsencode(given):
            return Path(given)
    except UnicodeEncodeError:
        pass
    raise wrong(what, value, "a path")


def one_of(what: str, value: Any, choices: Sequence[str]) -> str:
    """One of some texts.

    Raises:
        InvalidArgumentError: it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise wrong(what, value, f"one of {', '.join(choices)}")
    return str(value)


def message(kind: Type[Kind], **fields: Any) -> Kind:
    """A message with these fields; None leaves a field out. Numbers and texts are converted as the functions here do.

    Raises:
        InvalidArgumentError: a value does not fit its field, which is named as the argument.
    """
    made: Kind = kind()
    fill(made, **fields)
    return made


def fill(made: Message, **fields: Any) -> None:
    """Sets fields of a message as `message` does."""
    for name, value in fields.items():
        if value is None:
            continue
        field = made.DESCRIPTOR.fields_by_name[name]
        current = getattr(made, name)
        if field.message_type is not None or hasattr(current, "extend"):
            _fill_parts(made, name, field, value)
        else:
            setattr(made, name, scalar(name, field, value))


def _fill_parts(made: Message, name: str, field: Any, value: Any) -> None:
    current = getattr(made, name)
    if isinstance(value, Message):
        current.CopyFrom(value)
    elif field.message_type is None:
        current.extend(scalar(f"{name}[{i}]", field, each) for i, each in enumerate(sequence(name, value, "values")))
    elif field.message_type.GetOptions().map_entry:
        entry = field.message_type.fields_by_name["value"]
        for key, each in mapping(name, value).items():
            current[key] = scalar(f"{name}[{key!r}]", entry, each)
    else:
        current.extend(value)


def scalar(what: str, field: Any, value: Any) -> Any:
    """A value as a field of a message takes it."""
    if field.cpp_type in _RANGES:
        return whole(what, value, *_RANGES[field.cpp_type])
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return flag(what, value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING and field.type == FieldDescriptor.TYPE_STRING:
        return text(what, value)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return number(what, value)
    return value
