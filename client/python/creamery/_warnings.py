"""Reasons for care in a reply, as Python warnings."""

from __future__ import annotations

import sys
import warnings
from typing import Iterable, Mapping, Optional, Tuple

from creamery._text import printable
from creamery.v1 import warning_pb2

_TEXTS = {
    "OUTSIDE_TRAINING_REGION": "some rows lie outside the region the training samples cover: "
    "the density is extrapolated there",
    "OUTSIDE_SUPPORT": "some rows lie outside the support, where log p is exactly -inf",
    "FEW_EFFECTIVE_SAMPLES": "the effective sample size is below 100: the stated errors are themselves uncertain",
    "PARTIAL_RESULT": "a budget ended before the answer was complete: it covers fewer rows than were asked for",
    "LARGE_ERROR": "the stated error exceeds a third of the estimate",
    "PRIOR_IS_ESTIMATED": "the prior is a trained density, whose own error is not part of the stated one",
    "SINGLE_CHAIN": "the rows are one Markov chain, or have no chain ids: the error cannot be checked between chains",
    "PRIOR_DOES_NOT_COVER": "the prior density is zero at some posterior samples, which were left out of the average",
    "HEAVY_TAILED_WEIGHTS": "the importance weights have a heavy tail (Pareto k-hat above 0.7): "
    "the estimate and its error are not to be trusted",
    "LITTLE_OVERLAP": "the posteriors hardly overlap: the densities were asked far out in their tails",
    "SHARED_NUISANCE": "models marginalised over nuisance parameters of the same name: "
    "if it is the same nuisance, they are not independent",
    "ESTIMATES_DISAGREE": "estimates of the same quantity differ by more than three of their combined errors",
    "ROWS_LEFT_OUT": "rows on or outside a declared bound were left out of the training: "
    "the answer is of the rows that remain",
    "LARGE_MISFIT": "nearest neighbours find the density further from rows that it has not seen than its error allows: "
    "the rows may be degenerate, or the family cannot describe them",
    "NOT_DETERMINED": "the samples do not determine the answer: "
    "its error is larger than the differences that the question is about",
    "FEW_DISTINCT_ROWS": "most rows repeat others: the distinct ones are too few for the errors to be believed",
    "NO_LOG_EVIDENCE": "a model carries no log-evidence: what needs one is left out",
    "ROWS_LEFT_OUT": "rows on or outside a declared bound were left out of the training: "
    "the answer is of the rows that remain",
    "LARGE_MISFIT": "the density is far from rows it has not seen: "
    "they are degenerate, or its family cannot describe them",
    "NOT_DETERMINED": "the samples do not determine the answer: its error is larger than the differences in question",
    "FEW_DISTINCT_ROWS": "most rows repeat others: the distinct ones are too few for the errors to be believed",
}


class CreameryWarning(UserWarning):
    """An answer to be read with care.

    Attributes:
        kind: name of the value of `creamery.v1.Warning`, such as "OUTSIDE_SUPPORT"; "REMARK" for a sentence of an
            answer, "CLIENT" for one of this package.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(printable(message, keep="\n"))
        self.kind = kind


def names(values: Iterable[int]) -> Tuple[str, ...]:
    """Names of the enum values, each once, in order; a newer server's unknown value keeps its number."""
    known = {number: name for name, number in warning_pb2.Warning.items()}
    return tuple(dict.fromkeys(known.get(value, f"WARNING_{value}") for value in values))


def warn(kinds: Iterable[str], subject: str, numbers: Optional[Mapping[str, str]] = None) -> None:
    """Issues each as a CreameryWarning that points at the caller's line outside this package.

    Args:
        kinds: names of the warnings.
        subject: what they are of.
        numbers: by kind, what to add in brackets.
    """
    level = _level_of_caller()
    for kind in kinds:
        text = _TEXTS.get(kind, f"the server warns of {kind}, which this client does not know")
        if numbers and kind in numbers:
            text = f"{text} ({numbers[kind]})"
        warnings.warn(CreameryWarning(kind, f"{subject}: {text}"), stacklevel=level)


def warn_client(message: str) -> None:
    """Issues a warning of the client itself, which points at the caller's line outside this package."""
    warnings.warn(CreameryWarning("CLIENT", message), stacklevel=_level_of_caller())


def warn_remark(remark: str, subject: str) -> None:
    """Issues a sentence of the server as a warning that points at the caller's line outside this package."""
    warnings.warn(CreameryWarning("REMARK", f"{subject}: {remark}"), stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Stack level, seen from the caller of this function, of the first frame outside this package."""
    level, frame = 0, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "creamery":
        frame, level = frame.f_back, level + 1
    return max(1, level)
