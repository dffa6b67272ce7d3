"""The schema of a dataset, from what an upload is given."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from numpy.typing import NDArray

from creamery import _arguments, _priors
from creamery._errors import InvalidArgumentError
from creamery._estimate import Estimate
from creamery.v1 import dataset_pb2

_KINDS = {
    "independent": dataset_pb2.INDEPENDENT,
    "mcmc": dataset_pb2.MCMC,
    "nested": dataset_pb2.NESTED_SAMPLING,
    "nested_sampling": dataset_pb2.NESTED_SAMPLING,
}
Columns = Dict[str, NDArray[Any]]


def make(
    names: Sequence[str],
    rows: Columns,
    priors: Optional[Mapping[str, _priors.PriorLike]],
    log_evidence: Optional[Tuple[float, float]],
    kind: Optional[str],
    labels: Union[Mapping[str, str], Sequence[str], None],
    units: Optional[Mapping[str, str]],
    derived: Sequence[str],
    bounds: Optional[Mapping[str, Tuple[Optional[float], Optional[float]]]],
) -> dataset_pb2.Dataset:
    """The schema; arguments as `Datasets.upload` has them.

    Args:
        names: of the d columns of theta.
        rows: arrays by field of creamery.v1.Rows.

    Raises:
        InvalidArgumentError: an argument has a wrong type, or names no column.
    """
    labels = _texts("labels", {} if labels is None else labels, names)
    units = {} if units is None else _texts("units", units)
    bounds = {} if bounds is None else {each: _ends(each, pair) for each, pair in _mapped("bounds", bounds).items()}
    derived = _arguments.names("derived", derived)
    prior_protos = _priors.mapping_to_proto({} if priors is None else priors)
    described: Dict[str, Iterable[str]] = {
        "priors": prior_protos,
        "labels": labels,
        "units": units,
        "derived": derived,
        "bounds": bounds,
    }
    for what, given in described.items():
        wrong = [name for name in given if name not in names]
        if wrong:
            raise InvalidArgumentError(f"{what} names {', '.join(wrong)}; the parameters are {', '.join(names)}")
    dataset = dataset_pb2.Dataset(
        row_kind=_row_kind(kind, rows),
        has_weight="weight" in rows,
        has_chain="chain" in rows,
        has_log_likelihood="log_likelihood" in rows,
        has_log_likelihood_birth="log_likelihood_birth" in rows,
    )
    for name in names:
        parameter = dataset.parameters.add(
            name=name, label=labels.get(name, ""), unit=units.get(name, ""), derived=name in derived
        )
        if name in prior_protos:
            parameter.prior.CopyFrom(prior_protos[name])
        lower, upper = bounds.get(name, (None, None))
        if lower is not None:
            parameter.lower = lower
        if upper is not None:
            parameter.upper = upper
    if log_evidence is not None:
        value, error = log_evidence_pair("log_evidence", log_evidence)
        dataset.log_evidence.value, dataset.log_evidence.error = value, error
    return dataset


def log_evidence_pair(what: str, given: Any) -> Tuple[float, float]:
    """A log-evidence and its error, from an Estimate or a pair.

    Raises:
        InvalidArgumentError: it is neither.
    """
    if isinstance(given, Estimate):
        return given.value, given.error
    value, error = _arguments.pair(what, given, "(log Z, error)")
    return _arguments.number(what, value), _arguments.number(f"error of {what}", error)


def _mapped(what: str, given: Any) -> Dict[str, Any]:
    return _arguments.mapping(what, given)


def _texts(what: str, given: Any, names: Optional[Sequence[str]] = None) -> Dict[str, str]:
    """Texts by parameter; or, if there are `names`, one for each of them in order."""
    if names is not None and not isinstance(given, Mapping):
        listed = _arguments.sequence(what, given, "texts, or a dict by name")
        if len(listed) != len(names):
            raise InvalidArgumentError(f"{what} has {len(listed)} entries, expected {len(names)}, one for each name")
        given = dict(zip(names, listed))
    return {name: _arguments.text(f"{what}[{name!r}]", each) for name, each in _mapped(what, given).items()}


def _ends(name: str, given: Any) -> Tuple[Optional[float], Optional[float]]:
    what = f"bounds[{name!r}]"
    ends = _arguments.pair(what, given, "(lower, upper), None for an open side")
    lower, upper = (None if end is None else _arguments.number(what, end) for end in ends)
    return lower, upper


def left_away(given: Any, names: Sequence[str]) -> List[str]:
    """Names of sampled parameters that are not among `names`.

    Raises:
        InvalidArgumentError: these are no names, or some are among them.
    """
    found = _arguments.names("marginalised", given)
    both = [each for each in found if each in names]
    if both:
        raise InvalidArgumentError(f"marginalised has {', '.join(both)}, which theta has too")
    return found


def _row_kind(kind: Optional[str], rows: Columns) -> dataset_pb2.RowKind:
    if kind is None:
        if "log_likelihood_birth" in rows:
            return dataset_pb2.NESTED_SAMPLING
        return dataset_pb2.MCMC if "chain" in rows else dataset_pb2.INDEPENDENT
    if not isinstance(kind, str) or kind.lower() not in _KINDS:
        raise _arguments.wrong("kind", kind, "independent, mcmc or nested_sampling")
    return _KINDS[kind.lower()]
