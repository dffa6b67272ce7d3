"""Samples as frames of other packages; those are imported only when asked for."""

from __future__ import annotations

import importlib
from typing import Any, List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from creamery import _arguments
from creamery.v1 import dataset_pb2

FORMATS = ("anesthetic", "getdist", "pandas")


def check(as_: Optional[str]) -> None:
    """Raises InvalidArgumentError unless `as_` is None or a format that convert() knows."""
    if as_ is not None and (not isinstance(as_, str) or as_ not in FORMATS):
        raise _arguments.wrong("as_", as_, f"one of {', '.join(FORMATS)} or None")


def need(package: str) -> Any:
    """The optional package, imported now.

    Raises:
        ImportError: it is not installed; the message says what installs it.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        extra = package if package in ("anesthetic", "getdist", "pandas") else "chains"
        raise ModuleNotFoundError(f"{package} is not installed: pip install creamery[{extra}]", name=package) from error


def bounds(parameter: dataset_pb2.Parameter) -> List[Optional[float]]:
    """Lower and upper bound of a parameter, from its prior or its own; None for an open side."""
    case = parameter.prior.WhichOneof("density")
    if case in ("uniform", "log_uniform"):
        density = getattr(parameter.prior, case)
        return [density.lower, density.upper]
    return [
        parameter.lower if parameter.HasField("lower") else None,
        parameter.upper if parameter.HasField("upper") else None,
    ]


def convert(
    theta: NDArray[np.float64],
    log_prob: Optional[NDArray[np.float64]],
    parameters: Sequence[dataset_pb2.Parameter],
    as_: str,
    weights: Optional[NDArray[np.float64]] = None,
) -> Any:
    """The samples as a frame with names and labels.

    Args:
        theta: (n, d) samples.
        log_prob: (n,) natural-log density or None; a column "log_prob" of a frame, -loglikes of getdist.
        parameters: the d parameters, in order.
        as_: one of FORMATS.
        weights: (n,) weights or None; a column "weight" of a frame of pandas, the weights of the others.

    Raises:
        ImportError: the package is not installed.
    """
    names = [parameter.name for parameter in parameters]
    labels = [parameter.label or parameter.name for parameter in parameters]
    if as_ == "getdist":
        getdist = need("getdist")
        ranges = {parameter.name: bounds(parameter) for parameter in parameters}
        loglikes = None if log_prob is None else -log_prob
        return getdist.MCSamples(
            samples=theta, weights=weights, names=names, labels=labels, ranges=ranges, loglikes=loglikes
        )
    if as_ == "anesthetic":
        anesthetic = need("anesthetic")
        math = [f"${parameter.label}$" if parameter.label else parameter.name for parameter in parameters]
        frame = anesthetic.Samples(data=theta, columns=names, labels=math, weights=weights)
    else:
        pandas = need("pandas")
        frame = pandas.DataFrame(theta, columns=names)
        if weights is not None:
            frame["weight"] = weights
    if log_prob is not None:
        frame["log_prob"] = log_prob
    return frame
