"""Questions to a trained density: log-densities, gradients, samples, maps from and to the unit hypercube."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Literal, Optional, Sequence, Tuple, Union, overload

import numpy as np
from numpy.typing import NDArray

from creamery import _arrays, _names, _samples
from creamery._arrays import FloatArray
from creamery._errors import InvalidArgumentError
from creamery._model_base import ModelBase
from creamery._transport import Transport
from creamery.v1 import inference_service_pb2, model_service_pb2

# Far below the 3 MiB a reply may have, and big enough that the call costs nothing beside the numbers.
_CHUNK_BYTES = 2 << 20
# Evaluations that one request of many models may ask for: some seconds of work.
_MODELS_TIMES_ROWS = 1_000_000
ModelLike = Union[ModelBase, str]


class DensityQuestions(ModelBase):
    """What can be asked of the density of a model version."""

    @overload
    def log_prob(
        self,
        theta: Any,
        x: Optional[Any] = ...,
        columns: Optional[Sequence[str]] = ...,
        *,
        gradient: Literal[False] = ...,
        prior_fraction: float = ...,
    ) -> Union[float, FloatArray]: ...

    @overload
    def log_prob(
        self,
        theta: Any,
        x: Optional[Any] = ...,
        columns: Optional[Sequence[str]] = ...,
        *,
        gradient: Literal[True],
        prior_fraction: float = ...,
    ) -> Tuple[Union[float, FloatArray], FloatArray]: ...

    def log_prob(
        self,
        theta: Any,
        x: Optional[Any] = None,
        columns: Optional[Sequence[str]] = None,
        *,
        gradient: bool = False,
        prior_fraction: float = 0.0,
    ) -> Any:
        """Natural-log density, in the parameters' units; -inf outside the support.

        Args:
            theta: (n, d) points; (d,) for one point; or a dict of columns or a frame, whose other columns are ignored.
            x: (p,), (1, p) or (n, p) context of a conditional model.
            columns: names of the columns of theta, in any order; default: the model's order.
            gradient: also return the gradient in theta, (n, d) or (d,), columns as those of theta.
            prior_fraction: share f of the declared prior mixed in, [0, 1): log of (1 - f) q + f prior.

        Returns:
            (n,) float64, or a float for one point; with `gradient`, the pair of it and the gradient.

        Raises:
            InvalidArgumentError: a wrong shape or column, NaN or infinity.
            FailedPreconditionError: `prior_fraction` without analytic priors of all parameters.

        Example:
            >>> model.log_prob({"sigma8": [0.81, 0.83], "omegam": [0.31, 0.32]})
            array([4.2, 3.7])
        """
        options = {"gradient": gradient, "prior_fraction": prior_fraction}
        fields = ("log_prob", "gradient") if gradient else ("log_prob",)
        answers = self._density("LogProb", inference_service_pb2.LogProbRequest, fields, theta, x, columns, options)
        return answers if gradient else answers[0]

    def log_prob_gradient(
        self, theta: Any, x: Optional[Any] = None, columns: Optional[Sequence[str]] = None
    ) -> Tuple[Union[float, FloatArray], FloatArray]:
        """Natural-log density with its gradient: what Hamiltonian samplers ask for.

        Args:
            theta: as for `log_prob`.
            x: as for `log_prob`.
            columns: as for `log_prob`.

        Returns:
            (n,) and (n, d) float64; a float and (d,) for one point. Columns of the gradient as those of theta.

        Raises:
            InvalidArgumentError: a wrong shape or column, NaN or infinity.

        Example:
            >>> value, gradient = model.log_prob_gradient([0.31, 0.81])
        """
        return self.log_prob(theta, x, columns, gradient=True)

    def spread(
        self, theta: Any, x: Optional[Any] = None, columns: Optional[Sequence[str]] = None
    ) -> Union[float, FloatArray]:
        """Standard deviation of log_prob over the trained members: how far they agree at a point.

        Args:
            theta: as for `log_prob`.
            x: as for `log_prob`.
            columns: as for `log_prob`.

        Returns:
            (n,) float64, or a float for one point; NaN where a member says -inf.

        Raises:
            InvalidArgumentError: a wrong shape or column, NaN or infinity.

        Example:
            >>> model.spread([0.31, 0.81])
            0.02
        """
        request = inference_service_pb2.LogProbRequest
        answer: Union[float, FloatArray]
        (answer,) = self._density("LogProb", request, ("spread",), theta, x, columns, {"spread": True})
        return answer

    def log_likelihood(
        self,
        theta: Any,
        x: Optional[Any] = None,
        columns: Optional[Sequence[str]] = None,
        *,
        more: Sequence[ModelLike] = (),
        evidence: bool = True,
    ) -> Union[float, FloatArray]:
        """Nuisance-free log-likelihood: log P(theta) + log Z - log prior(theta), natural log.

        Args:
            theta: as for `log_prob`.
            x: as for `log_prob`.
            columns: as for `log_prob`; with `more`, the union of all parameters.
            more: further models of independent data sets or objects, or their names: their log-likelihoods are summed.
                No prior is left in the sum: add the log-prior once to get a posterior.
            evidence: False leaves the log-evidences out: the likelihood up to a constant.

        Returns:
            (n,) float64, or a float for one point; -inf where the posterior or the prior density is zero.

        Raises:
            FailedPreconditionError: a prior or the log-evidence is unknown.
            InvalidArgumentError: a wrong shape or column, NaN or infinity.

        Example:
            >>> model.log_likelihood([0.31, 0.81])
            -8.1
        """
        further = resolve(self._transport, more)
        wanted = list(dict.fromkeys(name for each in (self, *further) for name in each.parameters))
        options = {"more_models": [each.name for each in further], "without_evidence": not evidence}
        request = inference_service_pb2.LogLikelihoodRequest
        rows_of_a_request = max(1, _MODELS_TIMES_ROWS // (1 + len(further)))
        answer: Union[float, FloatArray]
        (answer,) = self._density(
            "LogLikelihood", request, ("log_likelihood",), theta, x, columns, options, wanted, rows_of_a_request
        )
        return answer

    def prior_transform(self, u: Any, x: Optional[Any] = None, *, prior_fraction: float = 0.0) -> FloatArray:
        """Maps the unit hypercube to parameters: uniform u gives draws from the density.

        Args:
            u: (n, d), or (d,) for one point, strictly inside the hypercube.
            x: (p,), (1, p) or (n, p) context of a conditional model.
            prior_fraction: share of the declared prior mixed in, [0, 1): points with u[0] below it go to the prior.

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
            message = inference_service_pb2.PriorTransformRequest(
                model=self.name, u=_piece(rows, start, stop), prior_fraction=prior_fraction
            )
            return _with_context(message, x, len(rows), start, stop)

        (theta,) = self._chunked("PriorTransform", request, ("theta",), "u", rows)
        return theta.reshape(points.shape[:-1] + theta.shape[1:])

    def inverse_prior_transform(
        self, theta: Any, x: Optional[Any] = None, columns: Optional[Sequence[str]] = None
    ) -> FloatArray:
        """Maps parameters to the points of the unit hypercube that `prior_transform` maps back to them.

        Args:
            theta: as for `log_prob`, inside the support.
            x: as for `log_prob`.
            columns: as for `log_prob`.

        Returns:
            (n, d) float64 in (0, 1), or (d,) for one point, in the model's order. Of a mixture, where several u lead to
            the same theta, the one of the component that is the most probable there.

        Raises:
            InvalidArgumentError: a wrong shape or column, NaN or infinity, or a point outside the support.

        Example:
            >>> model.inverse_prior_transform(model.prior_transform([0.5, 0.5]))
            array([0.5, 0.5])
        """
        request = inference_service_pb2.InversePriorTransformRequest
        answer = self._density("InversePriorTransform", request, ("u",), theta, x, columns)[0]
        return np.asarray(answer)

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

    def _density(
        self,
        method: str,
        request_class: Any,
        fields: Sequence[str],
        theta: Any,
        x: Any,
        columns: Optional[Sequence[str]],
        options: Optional[Dict[str, Any]] = None,
        wanted: Optional[Sequence[str]] = None,
        max_rows: int = 1 << 30,
    ) -> Tuple[Any, ...]:
        """The named fields of the answers for points in any form: (n, ...), without the first axis for one point."""
        named = self.parameters if wanted is None else wanted
        points, found = _arrays.table(theta, named if columns is None else columns)
        if columns is None:
            columns = found
        rows = points[np.newaxis] if points.ndim <= 1 else points
        if points.ndim == 0:
            rows = points.reshape(1, 1)

        def request(start: int, stop: int) -> Any:
            piece = _piece(rows, start, stop)
            message = request_class(model=self.name, theta=piece, columns=columns, **(options or {}))
            return _with_context(message, x, len(rows), start, stop)

        answers = self._chunked(method, request, fields, "theta", rows, max_rows)
        if points.ndim > 1:
            return tuple(answers)
        return tuple(float(answer[0]) if answer.ndim == 1 else answer[0] for answer in answers)

    def _chunked(
        self,
        method: str,
        request: Callable[[int, int], Any],
        fields: Sequence[str],
        what: str,
        rows: NDArray[Any],
        max_rows: int = 1 << 30,
    ) -> List[FloatArray]:
        """Asks in pieces that keep every message small and joins the answers, shape (n, ...) for each field."""
        n = len(rows)
        bytes_per_row = 8 * max(1, rows[:1].size) * (2 if len(fields) > 1 else 1)
        step = min(max_rows, _arrays.chunk_rows(bytes_per_row, _CHUNK_BYTES))
        if n > step:  # the server would count the row from the start of its piece
            finite = np.isfinite(rows).reshape(n, -1).all(axis=1)
            if not finite.all():
                raise InvalidArgumentError(f"{what} row {int(np.argmin(finite))} has NaN or infinity")
        kinds: List[int] = []
        parts: List[List[NDArray[Any]]] = [[] for _ in fields]
        pieces = (request(start, min(n, start + step)) for start in range(0, max(1, n), step))
        for reply in self._transport.call_each(method, pieces):
            kinds.extend(reply.warnings)
            for field, part in zip(fields, parts):
                part.append(_arrays.from_proto(getattr(reply, field)))
        joined: List[FloatArray] = [np.concatenate(part) for part in parts]
        self._warn(kinds)
        return joined


def resolve(transport: Transport, models: Sequence[ModelLike]) -> List[ModelBase]:
    """Handles of models given as such or by name, each name resolved now.

    Raises:
        NotFoundError: there is no such model.
    """
    names = [each for each in models if isinstance(each, str)]
    requests = (model_service_pb2.GetModelVersionRequest(name=_names.version(name)) for name in names)
    found = transport.call_each("GetModelVersion", requests)
    return [ModelBase(transport, next(found)) if isinstance(each, str) else each for each in models]


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
