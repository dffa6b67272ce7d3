"""Analytic priors of single parameters."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery import _arguments
from creamery._errors import InvalidArgumentError
from creamery.v1 import dataset_pb2


def _numbers(prior: Any, *fields: str) -> None:
    """Makes the fields of a prior floats."""
    for field in fields:
        value = _arguments.number(f"{field} of {type(prior).__name__}", getattr(prior, field))
        object.__setattr__(prior, field, value)


@dataclass(frozen=True)
class Uniform:
    """Uniform density between two bounds, in the parameter's unit.

    Example:
        >>> creamery.Uniform(0.0, 1.0)
        Uniform(lower=0.0, upper=1.0)
    """

    lower: float
    upper: float

    def __post_init__(self) -> None:
        _numbers(self, "lower", "upper")


@dataclass(frozen=True)
class Normal:
    """Normal density; `stddev` is the standard deviation, not the variance.

    Example:
        >>> creamery.Normal(0.0, 2.0)
        Normal(mean=0.0, stddev=2.0)
    """

    mean: float
    stddev: float

    def __post_init__(self) -> None:
        _numbers(self, "mean", "stddev")


@dataclass(frozen=True)
class LogUniform:
    """Density proportional to 1/theta between two positive bounds.

    Example:
        >>> creamery.LogUniform(1e-3, 1.0)
        LogUniform(lower=0.001, upper=1.0)
    """

    lower: float
    upper: float

    def __post_init__(self) -> None:
        _numbers(self, "lower", "upper")


Prior = Union[Uniform, Normal, LogUniform]
PriorLike = Union[Prior, str, Tuple[Any, ...], Sequence[Any], dataset_pb2.Prior]

_KINDS: Dict[str, Callable[[float, float], Prior]] = {
    "uniform": Uniform,
    "normal": Normal,
    "gaussian": Normal,
    "loguniform": LogUniform,
}
_EXPECTED = "uniform(lower,upper), normal(mean,stddev) or loguniform(lower,upper)"
_CALL = re.compile(r"\s*([A-Za-z_]+)\s*\(\s*([^,()]+?)\s*,\s*([^,()]+?)\s*\)\s*")


def _make(kind: str, first: Any, second: Any, given: Any) -> Prior:
    cls = _KINDS.get(kind.lower().replace("_", ""))
    try:
        if cls is not None:
            return cls(*(float(each) if isinstance(each, str) else each for each in (first, second)))
    except ValueError:
        pass
    raise _arguments.wrong("prior", given, _EXPECTED)


def parse(given: PriorLike) -> Prior:
    """A prior from what people write.

    Args:
        given: a prior; a text like "uniform(0,1)"; a tuple like ("normal", 0, 1); or (lower, upper) for a uniform one.

    Raises:
        InvalidArgumentError: it is none of these.

    Example:
        >>> parse("loguniform(1e-3, 1)")
        LogUniform(lower=0.001, upper=1.0)
    """
    if isinstance(given, (Uniform, Normal, LogUniform)):
        return given
    if isinstance(given, dataset_pb2.Prior):
        return from_proto(given)
    if isinstance(given, str):
        found = _CALL.fullmatch(given)
        if found is not None:
            return _make(found.group(1), found.group(2), found.group(3), given)
    elif isinstance(given, (tuple, list)):
        if len(given) == 2:
            return _make("uniform", given[0], given[1], given)
        if len(given) == 3 and isinstance(given[0], str):
            return _make(given[0], given[1], given[2], given)
    raise _arguments.wrong("prior", given, _EXPECTED)


def to_proto(given: PriorLike) -> dataset_pb2.Prior:
    """The message of a prior, given in any form that `parse` takes."""
    prior = parse(given)
    if isinstance(prior, Uniform):
        return dataset_pb2.Prior(uniform=dataset_pb2.UniformPrior(lower=prior.lower, upper=prior.upper))
    if isinstance(prior, Normal):
        return dataset_pb2.Prior(normal=dataset_pb2.NormalPrior(mean=prior.mean, stddev=prior.stddev))
    return dataset_pb2.Prior(log_uniform=dataset_pb2.LogUniformPrior(lower=prior.lower, upper=prior.upper))


def from_proto(message: dataset_pb2.Prior) -> Prior:
    """The prior of a message.

    Raises:
        InvalidArgumentError: the message has no density that this client knows.
    """
    case = message.WhichOneof("density")
    if case == "uniform":
        return Uniform(message.uniform.lower, message.uniform.upper)
    if case == "normal":
        return Normal(message.normal.mean, message.normal.stddev)
    if case == "log_uniform":
        return LogUniform(message.log_uniform.lower, message.log_uniform.upper)
    raise InvalidArgumentError("prior has no density that this client knows")


def parse_all(priors: Mapping[str, PriorLike]) -> Dict[str, Prior]:
    """Priors by parameter name; an error names the parameter.

    Raises:
        InvalidArgumentError: a prior cannot be read.
    """
    parsed = {}
    for name, prior in _arguments.mapping("priors", priors).items():
        try:
            parsed[name] = parse(prior)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"parameter {name!r}: {error.message}") from None
    return parsed


def mapping_to_proto(priors: Mapping[str, PriorLike]) -> Dict[str, dataset_pb2.Prior]:
    """Messages by parameter name; an error names the parameter.

    Raises:
        InvalidArgumentError: a prior cannot be read.
    """
    return {name: to_proto(prior) for name, prior in parse_all(priors).items()}


def log_density(priors: Sequence[Prior], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural-log density of independent parameters.

    Args:
        priors: of the d parameters, in order.
        theta: (n, d) points.

    Returns:
        (n,) float64; -inf outside the bounds.
    """
    total = np.zeros(len(theta))
    for prior, column in zip(priors, theta.T):
        if isinstance(prior, Normal):
            standard = (column - prior.mean) / prior.stddev
            total += -0.5 * standard**2 - math.log(prior.stddev) - 0.5 * math.log(2 * math.pi)
            continue
        inside = (column >= prior.lower) & (column <= prior.upper)
        if isinstance(prior, Uniform):
            each = np.full(len(column), -math.log(prior.upper - prior.lower))
        else:
            each = -np.log(np.where(inside, column, 1.0)) - math.log(math.log(prior.upper / prior.lower))
        total += np.where(inside, each, -np.inf)
    return total
