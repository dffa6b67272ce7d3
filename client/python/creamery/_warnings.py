"""Reasons for care in a reply, as Python warnings."""

from __future__ import annotations

import sys
import warnings
from typing import Iterable, Tuple

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
}


class CreameryWarning(UserWarning):
    """An answer to be read with care.

    Attributes:
        kind: name of the value of `creamery.v1.Warning`, such as "OUTSIDE_SUPPORT".
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def names(values: Iterable[int]) -> Tuple[str, ...]:
    """Names of the enum values, each once, in order; a newer server's unknown value keeps its number."""
    known = {number: name for name, number in warning_pb2.Warning.items()}
    return tuple(dict.fromkeys(known.get(value, f"WARNING_{value}") for value in values))


def warn(kinds: Iterable[str], subject: str) -> None:
    """Issues each as a CreameryWarning that points at the caller's line outside this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "creamery":
        frame, level = frame.f_back, level + 1
    for kind in kinds:
        text = _TEXTS.get(kind, f"the server warns of {kind}, which this client does not know")
        warnings.warn(CreameryWarning(kind, f"{subject}: {text}"), stacklevel=level)


def warn_plain(message: str) -> None:
    """Issues a warning of the client itself."""
    warnings.warn(CreameryWarning("CLIENT", message), stacklevel=4)
