"""A trained model version and the questions it answers."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery import _arrays, _estimate, _names, _priors, _samples, _specs, _warnings
from creamery._arrays import FloatArray
from creamery._errors import DataLossError, InvalidArgumentError
from creamery._estimate import Estimate
from creamery._transport import Transport
from creamery.v1 import inference_service_pb2, model_pb2, model_service_pb2, statistics_service_pb2

# Far below the 3 MiB a reply may have, and big enough that the call costs nothing beside the numbers.
_CHUNK_BYTES = 2 << 20
PriorChoice = Union["Model", str, Mapping[str, _priors.PriorLike]]


class Model:
    """One immutable version of a model. The version was resolved once and every answer comes from it.

    Example:
        >>> model = client.model("planck/cosmo@production")
        >>> model.parameters
        ['omegam', 'sigma8']
        >>> model.log_prob([0.31, 0.81])
        4.2
    """

    def __init__(self, transport: Transport, proto: model_pb2.ModelVersion) -> None:
        self._transport = transport
        self.proto = proto

    @classmethod
    def open(cls, transport: Transport, name: str) -> Model:
        """A handle by full name, alias or the latest; used by the client."""
        request = model_service_pb2.GetModelVersionRequest(name=name)
        return cls(transport, transport.call("GetModelVersion", request))

    # What it is.

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
    def spec(self) -> _specs.EstimatorSpec:
        """What it was trained as, with every default filled in."""
        return _specs.EstimatorSpec.from_proto(self.proto.spec)

    @property
    def training(self) -> model_pb2.TrainingSummary:
        """How it was trained: members, losses, held-out statistics, the data's digest."""
        return self.proto.training

    @property
    def log_evidence(self) -> Optional[Tuple[float, float]]:
        """Natural-log evidence of the analysis and its standard error, if known."""
        if not self.proto.HasField("log_evidence"):
            return None
        return self.proto.log_evidence.value, self.proto.log_evidence.error

    # What it answers.

    def log_prob(
        self, theta: Any, x: Optional[Any] = None, columns: Optional[Sequence[str]] = None
    ) -> Union[float, FloatArray]:
        """Natural-log density, in the parameters' units; -inf outside the support.

        Args:
            theta: (n, d) points; (d,) for one point; or a dict of columns or a frame, whose other columns are ignored.
            x: (p,), (1, p) or (n, p) context of a conditional model.
            columns: names of the columns of theta, in any order; default: the model's order.

        Returns:
            (n,) float64, or a float for one point.

        Raises:
            InvalidArgumentError: a wrong shape or column, NaN or infinity.

        Example:
            >>> model.log_prob({"sigma8": [0.81, 0.83], "omegam": [0.31, 0.32]})
            array([4.2, 3.7])
        """
        return self._density("LogProb", inference_service_pb2.LogProbRequest, "log_prob", theta, x, columns)

    def log_likelihood(
        self, theta: Any, x: Optional[Any] = None, columns: Optional[Sequence[str]] = None
    ) -> Union[float, FloatArray]:
        """Nuisance-free log-likelihood: log P(theta) + log Z - log prior(theta), natural log.

        Args:
            theta: as for `log_prob`.
            x: as for `log_prob`.
            columns: as for `log_prob`.

        Returns:
            (n,) float64, or a float for one point; -inf where the posterior or the prior density is zero.

        Raises:
            FailedPreconditionError: a prior or the log-evidence is unknown.
            InvalidArgumentError: a wrong shape or column, NaN or infinity.

        Example:
            >>> model.log_likelihood([0.31, 0.81])
            -8.1
        """
        request = inference_service_pb2.LogLikelihoodRequest
        return self._density("LogLikelihood", request, "log_likelihood", theta, x, columns)

    def prior_transform(self, u: Any, x: Optional[Any] = None) -> FloatArray:
        """Maps the unit hypercube to parameters: uniform u gives draws from the density.

        Args:
            u: (n, d), or (d,) for one point, strictly inside the hypercube.
            x: (p,), (1, p) or (n, p) context of a conditional model.

        Returns:
            (n, d) float64, or (d,) for one point, in the model's order: what nested samplers ask for.

        Raises:
            InvalidArgumentError: a wrong shape, or u outside the open interval (0, 1).

        Example:
            >>> model.prior_transform([0.5, 0.5])
            array([0.31, 0.81])
        """
        points = _arrays.floats("u", u)
        rows = points[np.newaxis] if points.ndim <= 1 else points

        def request(start: int, stop: int) -> Any:
            message = inference_service_pb2.PriorTransformRequest(model=self.name, u=_piece(rows, start, stop))
            return _with_context(message, x, len(rows), start, stop)

        theta = self._chunked("PriorTransform", request, "theta", "u", rows)
        return theta.reshape(points.shape[:-1] + theta.shape[1:])

    def sample(
        self,
        num_samples: int = 1,
        seed: Optional[int] = None,
        x: Optional[Any] = None,
        *,
        log_prob: bool = False,
        as_: Optional[str] = None,
    ) -> Any:
        """Random draws from the density. Row i depends on (seed, i) alone, so sample(1000) begins sample(2000).

        Args:
            num_samples: number n of rows.
            seed: seed; without it the server picks one.
            x: (p,) or (1, p) context of a conditional model.
            log_prob: also return the natural-log density of each row.
            as_: "anesthetic", "getdist" or "pandas" for a frame of that package; None for arrays.

        Returns:
            (n, d) float64 in the model's order; with `log_prob` the pair of it and (n,). With `as_`, a frame.

        Raises:
            InvalidArgumentError: an unknown `as_`, or a number of rows that is not positive.
            ResourceExhaustedError: more rows than the server allows, which the message names.
            ImportError: the package of `as_` is not installed.

        Example:
            >>> model.sample(1000, seed=1).shape
            (1000, 2)
        """
        _samples.check(as_)
        request = inference_service_pb2.SampleRequest(model=self.name, num_samples=num_samples, log_prob=log_prob)
        if seed is not None:
            request.seed = seed
        _with_context(request, x, 1, 0, 1)
        theta: List[NDArray[Any]] = []
        densities: List[NDArray[Any]] = []
        kinds: List[int] = []
        for reply in self._transport.stream("Sample", request):
            theta.append(_arrays.from_proto(reply.theta))
            if log_prob:
                densities.append(_arrays.from_proto(reply.log_prob))
            kinds.extend(reply.warnings)
        self._warn(kinds)
        rows = np.concatenate(theta) if theta else np.empty((0, len(self.parameters)))
        density = np.concatenate(densities) if densities else None
        if as_ is not None:
            return _samples.convert(rows, density, self.proto.signature.parameters, as_)
        return (rows, density) if log_prob else rows

    def kl(
        self, prior: Optional[PriorChoice] = None, num_samples: Optional[int] = None, seed: Optional[int] = None
    ) -> Estimate:
        """Kullback-Leibler divergence from the prior to the posterior over the model's parameters, nats.

        Args:
            prior: analytic priors by parameter; or a model of the prior, or its name; default: as declared.
            num_samples: draws for the averages over the density; the server has a default.
            seed: seed; without it the server picks one and says which.

        Raises:
            FailedPreconditionError: no prior is declared and none was given.

        Example:
            >>> model.kl()
            5.59 ± 0.06 nats
        """
        reply = self._statistic("MarginalKL", statistics_service_pb2.MarginalKLRequest, prior, num_samples, seed)
        return self._estimate(reply, reply.kl, "nats")

    def dimensionality(
        self, prior: Optional[PriorChoice] = None, num_samples: Optional[int] = None, seed: Optional[int] = None
    ) -> Estimate:
        """Bayesian model dimensionality over the model's parameters (Handley & Lemos 2019, arXiv:1903.06682).

        Args:
            prior: as for `kl`.
            num_samples: as for `kl`.
            seed: as for `kl`.

        Raises:
            FailedPreconditionError: no prior is declared and none was given.

        Example:
            >>> model.dimensionality()
            1.98 ± 0.05
        """
        request = statistics_service_pb2.ModelDimensionalityRequest
        reply = self._statistic("ModelDimensionality", request, prior, num_samples, seed)
        return self._estimate(reply, reply.dimensionality, "")

    # Where it stands.

    def versions(self) -> List[Model]:
        """All versions of the model, newest first.

        Example:
            >>> [version.version for version in model.versions()]
            [2, 1]
        """
        request = model_service_pb2.ListVersionsRequest(parent=_names.model_of(self.name))
        return [Model(self._transport, each) for each in self._transport.pages("ListVersions", request, "versions")]

    @property
    def aliases(self) -> List[str]:
        """Aliases that point at this version now, by name."""
        request = model_service_pb2.GetModelRequest(name=_names.model_of(self.name))
        found = self._transport.call("GetModel", request).aliases
        return sorted(alias for alias, number in found.items() if number == self.version)

    def set_alias(self, alias: str, expected_version: Optional[int] = None) -> None:
        """Points an alias at this version.

        Args:
            alias: starts with a letter and is not `latest`.
            expected_version: version it must point at before (0: none).

        Raises:
            AbortedError: `expected_version` does not hold.

        Example:
            >>> model.set_alias("production")
        """
        request = model_service_pb2.SetAliasRequest(
            name=_names.model_of(self.name), alias=alias, version=self.version, expected_version=expected_version
        )
        self._transport.call("SetAlias", request)

    def delete_version(self) -> None:
        """Deletes this version; requests that hold it finish.

        Raises:
            FailedPreconditionError: an alias points at it.

        Example:
            >>> client.model("planck/cosmo@1").delete_version()
        """
        self._transport.call("DeleteVersion", model_service_pb2.DeleteVersionRequest(name=self.name))

    def export(self, path: Union[str, Path]) -> Path:
        """Writes the artifact, a safetensors file; an existing file is replaced once all bytes are there.

        Returns:
            The path.

        Raises:
            DataLossError: the bytes do not have the digest that the server states.

        Example:
            >>> model.export("cosmo.safetensors")
            PosixPath('cosmo.safetensors')
        """
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        digest = hashlib.sha256()
        try:
            with open(partial, "wb") as file:
                request = model_service_pb2.ExportVersionRequest(name=self.name)
                for reply in self._transport.stream("ExportVersion", request):
                    digest.update(reply.chunk)
                    file.write(reply.chunk)
            if digest.hexdigest() != self.proto.artifact_digest:
                raise DataLossError(f"{self.name} arrived with another digest than {self.proto.artifact_digest}")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    def __repr__(self) -> str:
        family = self.proto.spec.WhichOneof("family") or "unknown family"
        return f"<Model {_names.short(self.name)}: {family} over {', '.join(self.parameters)}>"

    def _density(
        self, method: str, request_class: Any, field: str, theta: Any, x: Any, columns: Optional[Sequence[str]]
    ) -> Union[float, FloatArray]:
        points, found = _arrays.table(theta, self.parameters if columns is None else columns)
        if columns is None:
            columns = found
        rows = points[np.newaxis] if points.ndim <= 1 else points
        if points.ndim == 0:
            rows = points.reshape(1, 1)

        def request(start: int, stop: int) -> Any:
            message = request_class(model=self.name, theta=_piece(rows, start, stop), columns=columns)
            return _with_context(message, x, len(rows), start, stop)

        answer = self._chunked(method, request, field, "theta", rows)
        return float(answer[0]) if points.ndim <= 1 else answer

    def _chunked(
        self, method: str, request: Callable[[int, int], Any], field: str, what: str, rows: NDArray[Any]
    ) -> FloatArray:
        """Asks in pieces that keep every message small and joins the answers, shape (n, ...)."""
        n = len(rows)
        step = _arrays.chunk_rows(8 * max(1, rows[:1].size), _CHUNK_BYTES)
        if n > step:  # the server would count the row from the start of its piece
            finite = np.isfinite(rows).reshape(n, -1).all(axis=1)
            if not finite.all():
                raise InvalidArgumentError(f"{what} row {int(np.argmin(finite))} has NaN or infinity")
        kinds: List[int] = []

        def answers() -> Iterator[NDArray[Any]]:
            pieces = (request(start, min(n, start + step)) for start in range(0, max(1, n), step))
            for reply in self._transport.call_each(method, pieces):
                kinds.extend(reply.warnings)
                yield _arrays.from_proto(getattr(reply, field))

        joined: FloatArray = np.concatenate(list(answers()))
        self._warn(kinds)
        return joined

    def _statistic(
        self, method: str, request_class: Any, prior: Optional[PriorChoice], num_samples: Optional[int], seed: Any
    ) -> Any:
        request = request_class(model=self.name, seed=seed)
        if num_samples is not None:
            request.num_samples = num_samples
        if isinstance(prior, Model):
            request.prior.model = prior.name
        elif isinstance(prior, str):
            request.prior.model = _names.version(prior)
        elif isinstance(prior, Mapping):
            request.prior.analytic.SetInParent()
            for name, message in _priors.mapping_to_proto(prior).items():
                request.prior.analytic.priors[name].CopyFrom(message)
        elif prior is not None:
            raise InvalidArgumentError(f"prior is {prior!r}, expected a model, its name or a dict of priors")
        return self._transport.call(method, request)

    def _estimate(self, reply: Any, message: Any, unit: str) -> Estimate:
        kinds = self._warn(reply.warnings)
        return _estimate.from_proto(
            message,
            unit,
            warnings=kinds,
            seed=reply.seed,
            model_version=reply.model_version,
            prior_model_version=reply.prior_model_version,
        )

    def _warn(self, values: Any) -> Tuple[str, ...]:
        kinds = _warnings.names(values)
        _warnings.warn(kinds, _names.short(self.name))
        return kinds


def _piece(rows: NDArray[Any], start: int, stop: int) -> Any:
    return _arrays.to_proto(rows[start:stop])


def _with_context(message: Any, x: Any, n: int, start: int, stop: int) -> Any:
    """Adds x to a request, cut like the rows if there is one of it for each."""
    if x is not None:
        context = _arrays.floats("x", x)
        context = context[np.newaxis] if context.ndim == 1 else context
        if context.ndim == 2 and len(context) == n and n > 1:
            context = context[start:stop]
        message.x.CopyFrom(_arrays.to_proto(context))
    return message
