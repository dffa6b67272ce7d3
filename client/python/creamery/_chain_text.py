"""Lines of numbers in text files, with errors that name file, line, column, what stands there and what was expected.

The command line reads the same files by the same rules (client/cpp/readers/text_rows.cc); tests/conformance holds both
to them.
"""

from __future__ import annotations

import re
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from creamery._errors import InvalidArgumentError

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity|nan)", re.ASCII | re.IGNORECASE)
# 1.0D-05; and 0.148-104: an exponent of three digits has no letter. Fortran always writes the point.
_FORTRAN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))[dD]([+-]?\d+)|([+-]?(?:\d+\.\d*|\.\d+))([+-]\d{3})", re.ASCII)
_LIKE_A_NUMBER = re.compile(r"[+.-]*[0-9]")
_LONGEST = 40
# White space that separates; str.split() takes that of Unicode too.
_SPACE = " \t\r\n\f\v"
_SPACES = re.compile(r"[ \t\r\n\f\v]+")


class Rows(NamedTuple):
    """A table of numbers.

    Attributes:
        names: of the columns, or empty.
        values: (n, columns).
    """

    names: Tuple[str, ...]
    values: NDArray[np.float64]


def number(cell: str) -> Optional[float]:
    """A number as C, Python or Fortran write it; None for any other text."""
    if _NUMBER.fullmatch(cell):
        return float(cell)
    found = _FORTRAN.fullmatch(cell)
    if found is None:
        return None
    return float(f"{found.group(1) or found.group(3)}e{found.group(2) or found.group(4)}")


def lines_of(path: str) -> List[str]:
    """The lines of a text file without a byte-order mark; bytes that are no UTF-8 come as surrogates.

    Raises:
        InvalidArgumentError: it is UTF-16 or no text at all.
    """
    with open(path, "rb") as file:
        content = file.read()
    marked = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    if marked or b"\0" in content[:4]:
        what = "the text is UTF-16 (its byte-order mark says so)"
        raise InvalidArgumentError(
            f"{path}, line 1: {what if marked else 'there are NUL bytes: UTF-16 or no text at all'}, "
            "expected UTF-8 or ASCII"
        )
    text = content[3:] if content.startswith(b"\xef\xbb\xbf") else content
    return text.decode("utf-8", "surrogateescape").split("\n")


def shown(text: str) -> str:
    """What a file holds, fit to be printed: short, quoted, without control characters."""
    kept = "".join(
        each if each.isprintable() else "".join(f"\\x{byte:02x}" for byte in each.encode("utf-8", "surrogateescape"))
        for each in text[:_LONGEST]
    )
    return f"'{kept}{'…' if len(text) > _LONGEST else ''}'"


def no_number(cell: str) -> str:
    """What is wrong with a cell that should be a number."""
    if not cell:
        return "the cell is empty, expected a number"
    text = f"{shown(cell)} is not a number"
    if not cell.strip("*"):
        return f"{text}: Fortran writes stars where a number does not fit its field"
    if "," in cell:
        return f"{text}: expected a decimal point and no comma"
    if ";" in cell:
        return f"{text}: expected cells separated by commas"
    return text


def check_name(where: str, name: str) -> None:
    """Raises InvalidArgumentError for an empty name and for one that is not UTF-8."""
    if not name:
        raise InvalidArgumentError(
            f"{where}: the name is empty, expected one (pandas names the rows' index so: save with index=False)"
        )
    if any("\ud800" <= each <= "\udfff" for each in name):
        raise InvalidArgumentError(f"{where}: {shown(name)} is not UTF-8 (Latin-1, perhaps), expected UTF-8 or ASCII")


def cells_of(line: str, separator: str) -> List[str]:
    """The cells of a line, split at `separator` or at white space for ' '; a separator between quotes is text."""
    line = line.strip(_SPACE)
    if '"' in line:
        return _quoted_cells(line, separator)
    if separator == " ":
        return _SPACES.split(line) if line else []
    return [_clean(cell) for cell in line.split(separator)]


def _clean(cell: str) -> str:
    cell = cell.strip(_SPACE)
    return cell[1:-1].strip(_SPACE) if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "\"'" else cell


def _quoted_cells(line: str, separator: str) -> List[str]:
    between = _SPACES.pattern if separator == " " else r"[ \t\r\n\f\v]*" + re.escape(separator)
    cell = re.compile(rf'[ \t\r\n\f\v]*(?:"((?:[^"]|"")*)"?)?((?:(?!{between}).)*)')
    cells, at = [], 0
    while True:
        found = cell.match(line, at)
        assert found is not None  # the pattern fits the empty text too
        cells.append((found.group(1) or "").replace('""', '"').strip(_SPACE) + _clean(found.group(2)))
        at = found.end()
        gap = re.compile(between).match(line, at)
        if gap is None:
            return cells
        at = gap.end()


def read_rows(path: str, separator: str) -> Rows:
    """A table of text.

    A first line without any number names the columns, and so does the last comment before the rows that has a word for
    each of them. Blank lines and comments are skipped, and so is a separator at the end of every line.

    Raises:
        InvalidArgumentError: a malformed line; a first line of names and numbers; names that are empty, given twice or
            not UTF-8; a first line 0, 1, 2, … above others, which pandas writes as a header.
    """
    lines = lines_of(path)
    names: List[str] = []
    head = begin = 0
    comments: List[Tuple[int, List[str]]] = []
    for begin, line in enumerate(lines):
        line = line.strip(_SPACE)
        if not line:
            continue
        if line.startswith("#"):
            comments.append((begin + 1, cells_of(line[1:], separator)))
            continue
        if names:
            break
        names = _names(path, begin + 1, line, separator)
        if not names:
            break
        head = begin + 1
    else:
        begin = len(lines)
    values = _numbers(path, lines, begin, separator, len(names))
    if len(values) == 0:
        read = len(lines) if lines[-1] else len(lines) - 1
        raise InvalidArgumentError(f"{path} has no rows of numbers{f' in {read} lines' if read else ''}")
    if names and len(names) != values.shape[1]:
        raise InvalidArgumentError(
            f"{path}, line {head}: {len(names)} names for rows of {values.shape[1]} columns"
        )
    if not names:
        for at, words in comments:
            fits = 1 < len(words) == values.shape[1]
            if fits and all(word and number(word) is None for word in words):
                names, head = words, at
    if not names and len(values) > 1:
        _check_counting(path, begin + 1, cells_of(lines[begin], separator)[: values.shape[1]], separator)
    for i, name in enumerate(names):
        where = f"{path}, line {head}, column {i + 1}"
        check_name(where, name)
        if names.index(name) != i:
            first = names.index(name) + 1
            raise InvalidArgumentError(f"{where}: {shown(name)} is the name of column {first} too, expected another")
    return Rows(tuple(names), values)


def _names(path: str, line_number: int, line: str, separator: str) -> List[str]:
    """The names in the first line; empty for a row of numbers."""
    cells = cells_of(line, separator)
    if separator != " " and len(cells) > 1 and not cells[-1]:
        cells.pop()
    read = [number(cell) for cell in cells]
    others = [i for i, value in enumerate(read) if value is None]
    numbers = [i for i, value in enumerate(read) if value is not None]
    if not others:
        return []
    stars = bool(cells[others[0]]) and not cells[others[0]].strip("*")
    bare = '"' not in line and "'" not in line
    if not numbers and not stars and not (bare and all(_LIKE_A_NUMBER.match(cell) for cell in cells)):
        return cells
    also = f", and column {numbers[0] + 1} holds the number {shown(cells[numbers[0]])}" if numbers else ""
    raise InvalidArgumentError(
        f"{path}, line {line_number}, column {others[0] + 1}: {no_number(cells[others[0]])}{also}; "
        "expected a row of numbers or a header of names"
    )


def _check_counting(path: str, line_number: int, cells: Sequence[str], separator: str) -> None:
    if len(cells) < 2 or list(cells) != [str(i) for i in range(len(cells))]:
        return
    decimal = separator.join(f"{cell}.0" for cell in cells)
    raise InvalidArgumentError(
        f"{path}, line {line_number}: {shown(separator.join(cells))} is either a row or the header that pandas writes "
        "above columns without names; expected names in its place (pandas: header=False leaves it away), or, for a "
        f"row, {shown(decimal)}"
    )


def _numbers(path: str, lines: List[str], begin: int, separator: str, expected: int) -> NDArray[np.float64]:
    """The rows of lines[begin:]; (0, 0) if there are none."""
    if not any(line.strip(_SPACE) and not line.lstrip(_SPACE).startswith("#") for line in lines[begin:]):
        return np.empty((0, 0))
    delimiter: Any = None if separator == " " else separator
    try:  # Nearly always: NumPy reads it at once. It takes white space of Unicode for a separator.
        if not all(map(str.isascii, lines[begin:])):
            raise ValueError
        values = np.loadtxt(lines[begin:], dtype=np.float64, delimiter=delimiter, comments="#", ndmin=2)
        if len(values) > 0 and (not expected or values.shape[1] == expected):
            return values
    except (ValueError, UnicodeError):
        pass
    rows: List[List[float]] = []
    first_line = 0
    for line_number, line in enumerate(lines[begin:], begin + 1):
        line = line.split("#", 1)[0].strip(_SPACE)
        if not line:
            continue
        wanted = len(rows[0]) if rows else expected
        if separator != " " and line.endswith(separator) and (not wanted or line.count(separator) == wanted):
            line = line[: -len(separator)]
        row = []
        for i, cell in enumerate(cells_of(line, separator)):
            value = number(cell)
            if value is None:
                raise InvalidArgumentError(f"{path}, line {line_number}, column {i + 1}: {no_number(cell)}")
            row.append(value)
        if expected and not rows and len(row) != expected:
            return np.array([row])  # which the header does not fit
        if rows and len(row) != len(rows[0]):
            raise InvalidArgumentError(
                f"{path}, line {line_number}: {len(row)} columns, expected {len(rows[0])} as in line {first_line}"
            )
        first_line = first_line or line_number
        rows.append(row)
    return np.array(rows, dtype=np.float64) if rows else np.empty((0, 0))
