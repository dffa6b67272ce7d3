"""Text of a server cannot steer the terminal it is printed on."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

import creamery
from creamery import _progress
from creamery._text import printable
from creamery.v1 import dataset_pb2

HOSTILE = "\x1b]0;owned\x07 \x9b2J \u202eevil \u200b \U000e0021 [red]x[/red]"
ESCAPED = "\\x1b]0;owned\\x07 \\x9b2J \\u202eevil \\u200b \\U000e0021 [red]x[/red]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HOSTILE, ESCAPED),
        ("Ωₘ h² µ 日本 é", "Ωₘ h² µ 日本 é"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("", ""),
    ],
)
def test_what_would_steer_a_terminal_is_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_a_repr_keeps_its_lines_and_nothing_worse() -> None:
    schema = dataset_pb2.Dataset(name="projects/p/datasets/d", row_kind=dataset_pb2.INDEPENDENT)
    schema.parameters.add(name=HOSTILE)
    assert ESCAPED in repr(creamery.Dataset(schema))


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_shows_names_as_they_are_and_no_markup(terminal: bool, monkeypatch: Any) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "200")
    with _progress.ProgressDisplay(HOSTILE, True) as display:
        display._show(HOSTILE, 0.5, True)
    shown = stream.getvalue()
    assert "[red]x[/red]" in shown and "\\x1b]0;owned" in shown
    for raw in ("\x1b]", "\x07", "\x9b", "\u202e", "\u200b"):
        assert raw not in shown


def test_errors_print_escapes_and_keep_the_message() -> None:
    error = creamery.NotFoundError(HOSTILE)
    assert str(error) == ESCAPED
    assert error.message == HOSTILE
