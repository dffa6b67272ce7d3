"""What every question to a model version needs: its name, its parameters, the connection."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from creamery import _arguments, _names, _priors, _samples, _warnings
from creamery._transport import Transport
from creamery.v1 import dataset_pb2, model_pb2


class ModelBase:
    """A model version as the server described it: identity and signature."""

    def __init__(self, transport: Transport, proto: model_pb2.ModelVersion) -> None:
        self._transport = transport
        self.proto = proto

    @property
    def name(self) -> str:
        """Full name, `projects/{project}/models/{model}/versions/{number}`."""
        return str(self.proto.name)

    @property
    def version(self) -> int:
        """Number of this version."""
        return int(self.name.rsplit("/", 1)[1])

    @property
    def parameters(self) -> List[str]:
        """Names of the d parameters, in order."""
        return [parameter.name for parameter in self.proto.signature.parameters]

    @property
    def labels(self) -> Dict[str, str]:
        """LaTeX labels without dollar signs, by parameter."""
        return {parameter.name: parameter.label for parameter in self.proto.signature.parameters}

    @property
    def bounds(self) -> Dict[str, Tuple[Optional[float], Optional[float]]]:
        """Hard bounds by parameter; None for an open side."""
        pairs = {each.name: _samples.bounds(each) for each in self.proto.signature.parameters}
        return {name: (pair[0], pair[1]) for name, pair in pairs.items()}

    @property
    def priors(self) -> Dict[str, _priors.Prior]:
        """Analytic priors by parameter, where declared."""
        declared = self.proto.signature.parameters
        return {each.name: _priors.from_proto(each.prior) for each in declared if each.HasField("prior")}

    @property
    def prior_model(self) -> Optional[str]:
        """Full name of the version that stands for the prior where a statistic is not given another; None: `priors`."""
        return self.proto.signature.prior_model or None

    @property
    def marginalised(self) -> List[str]:
        """Sampled parameters of the dataset that were integrated out by leaving their columns away."""
        return list(self.proto.signature.marginalised)

    @property
    def log_evidence(self) -> Optional[Tuple[float, float]]:
        """Natural-log evidence of the analysis and its standard error, if known."""
        if not self.proto.HasField("log_evidence"):
            return None
        return self.proto.log_evidence.value, self.proto.log_evidence.error

    @property
    def _parameter_protos(self) -> List[dataset_pb2.Parameter]:
        return list(self.proto.signature.parameters)

    def _warn(self, values: Iterable[int]) -> Tuple[str, ...]:
        kinds = _warnings.names(values)
        _warnings.warn(kinds, _names.short(self.name))
        return kinds


PriorChoice = Union[ModelBase, str, Mapping[str, _priors.PriorLike]]


def version_name(transport: Transport, what: str, model: Any) -> str:
    """Full name of a model given as such or by name.

    Raises:
        InvalidArgumentError: it is neither.
    """
    if isinstance(model, ModelBase):
        return model.name
    if not isinstance(model, str):
        raise _arguments.wrong(what, model, "a model or its name")
    return _names.version(model, transport.project)


def fill_prior(transport: Transport, message: Any, prior: Optional[PriorChoice]) -> None:
    """Writes a choice of prior into the field `prior` of a request; nothing for None.

    Raises:
        InvalidArgumentError: it is neither a model, its name nor a dict of priors.
    """
    if isinstance(prior, (ModelBase, str)):
        message.prior.model = version_name(transport, "prior", prior)
    elif isinstance(prior, Mapping):
        message.prior.analytic.SetInParent()
        for name, each in _priors.mapping_to_proto(prior).items():
            message.prior.analytic.priors[name].CopyFrom(each)
    elif prior is not None:
        raise _arguments.wrong("prior", prior, "a model, its name or a dict of priors")
