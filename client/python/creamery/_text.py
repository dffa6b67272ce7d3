"""Text of others on a terminal or in a notebook: what could steer it is written as an escape."""

from __future__ import annotations

import functools
import unicodedata
from typing import Callable, TypeVar

Self = TypeVar("Self")
# Control, format, private, surrogate and unassigned characters; separators of lines and paragraphs.
_UNPRINTABLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def printable(text: str, keep: str = "") -> str:
    """The text with control, bidirectional and invisible characters as escapes, but for those of `keep`.

    Example:
        >>> printable("a\\x1b[2Jb")
        'a\\\\x1b[2Jb'
    """
    return "".join(
        each.encode("unicode_escape").decode("ascii")
        if unicodedata.category(each) in _UNPRINTABLE and each not in keep
        else each
        for each in text
    )


def printable_repr(method: Callable[[Self], str]) -> Callable[[Self], str]:
    """For `__repr__` methods whose text holds names and remarks of the server: they may have lines, nothing worse."""

    @functools.wraps(method)
    def wrapped(self: Self) -> str:
        return printable(method(self), keep="\n")

    return wrapped
