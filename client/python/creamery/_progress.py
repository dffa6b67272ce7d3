"""A progress bar on a terminal or in a notebook, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Type, TypeVar

from creamery._text import printable

if TYPE_CHECKING:
    from creamery._job_array import JobArrayStatus
    from creamery._jobs import JobStatus

Self = TypeVar("Self", bound="_Display")
_SECONDS_BETWEEN_LINES = 10.0


class _Display:
    """A bar or lines on standard error. Nothing at all unless `enabled`."""

    def __init__(self, title: str, enabled: bool) -> None:
        self._title = printable(title)
        self._enabled = enabled
        self._bar: Any = None
        self._task: Any = None
        self._last_line = -_SECONDS_BETWEEN_LINES
        self._last_text = ""

    def __enter__(self: Self) -> Self:
        if not self._enabled:
            return self
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        if console.is_terminal or console.is_jupyter:
            # Names and stages are text, whatever [brackets] they hold.
            title = TextColumn("{task.description}", markup=False)
            detail = TextColumn("{task.fields[detail]}", markup=False)
            self._bar = Progress(title, BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), detail, console=console)
            self._task = self._bar.add_task(self._title, total=1.0, detail="")
            self._bar.start()
        return self

    def _show(self, detail: str, done: float, ended: bool) -> None:
        if not self._enabled:
            return
        detail = printable(detail)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, detail=detail, refresh=ended)
        elif ended or time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            text = f"{self._title}: {detail}"
            if text != self._last_text:
                print(text, file=sys.stderr, flush=True)
            self._last_line, self._last_text = time.monotonic(), text

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


class ProgressDisplay(_Display):
    """Shows how far a job is."""

    def update(self, status: JobStatus) -> None:
        """Shows a new status."""
        done = 1.0 if status.state == "SUCCEEDED" else status.progress.fraction
        self._show(describe(status), done, status.state not in ("QUEUED", "RUNNING"))


class ArrayDisplay(_Display):
    """Shows how far an array of jobs is."""

    def update(self, status: JobArrayStatus) -> None:
        """Shows a new status."""
        counts = ", ".join(f"{number} {state.lower()}" for state, number in sorted(status.counts.items()))
        self._show(counts, status.fraction, status.ended)


def describe(status: JobStatus) -> str:
    """One line: `member 2/4, epoch 31, held-out loss 1.234 (best 1.230), 12 s left`."""
    progress = status.progress
    if status.state != "RUNNING" or progress.members == 0:
        running = progress.stage if status.state == "RUNNING" else ""
        return running or status.state.lower()
    text = f"{progress.stage}, " if progress.stage else ""
    text += f"member {progress.member + 1}/{progress.members}, epoch {progress.epoch}"
    if progress.epoch > 0:
        text += f", held-out loss {progress.held_out_loss:.4g} (best {progress.best_held_out_loss:.4g})"
    if progress.seconds_left > 0:
        text += f", at most {progress.seconds_left:.0f} s left"
    return text
