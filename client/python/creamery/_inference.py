"""Questions to a trained density: log-densities, gradients, samples, maps from and to the unit hypercube."""

from __future__ import annotations

from typing import Any, Iterable, List, Literal, Optional, Sequence, Tuple, Union, overload

import numpy as np
from numpy.typing import NDArray

from creamery import _arguments, _arrays, _names, _samples
from creamery._arrays import FloatArray
from creamery._density_calls import Asked, DensityCalls, Points, precision_code
from creamery._log_prob_stream import LogProbStream
from creamery._model_base import ModelBase
from creamery._transport import Transport
from creamery.v1 import inference_service_pb2, model_service_pb2

# Evaluations that one request of many models may ask for: some seconds of work.
_MODELS_TIMES_ROWS = 1_000_000
ModelLike = Union[ModelBase, str]


class DensityQuestions(DensityCalls):
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
        precision: Optional[str] = ...,
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
        precision: Optional[str] = ...,
    ) -> Tuple[Union[float, FloatArray], FloatArray]: ...

    def log_prob(
        self,
        theta: Any,
        x: Optional[Any] = None,
        columns: Optional[Sequence[str]] = None,
        *,
        gradient: bool = False,
        prior_fraction: float = 0.0,
        precision: Optional[str] = None,
    ) -> Any:
        """Natural-log density, in the parameters' units; -inf outside the support.

        Args:
            theta: (n, d) points; (d,) for one point; or a dict of columns or a frame, whose other columns are ignored.
            x: (p,), (1, p) or (n, p) context of a conditional model.
            columns: names of the columns of theta, in any order; default: the model's order.
            gradient: also return the gradient in theta, (n, d) or (d,), columns as those of theta.
            prior_fraction: share f of the declared prior mixed in, [0, 1): log of (1 - f) q + f prior.
            precision: arithmetic of the networks, "single" or "double"; default single, whose error is below
                1e-5 max(1, |log_prob|) where the model has mass. Double is about ten times slower.

        Returns:
            (n,) float64, or a float for one point; with `gradient`, the pair of it and the gradient.

        Raises:
            InvalidArgumentError: a wrong shape or column, NaN or infinity.
            FailedPreconditionError: `prior_fraction` without analytic priors of all parameters.

        Example:
            >>> model.log_prob({"sigma8": [0.81, 0.83], "omegam": [0.31, 0.32]})
            array([4.2, 3.7])
        """
        key = ("log_prob", gradient, prior_fraction, precision)
        answers = self._ask_again(key, theta) if x is None and columns is None else None
        if answers is None:
            asked = _log_prob(gradient, prior_fraction, precision)
            answers = self._ask(key, asked, self._points(theta, columns), x)
        return (answers[0], answers[1]) if gradient else answers[0]

    def log_prob_stream(
        self,
        blocks: Iterable[Any],
        x: Optional[Any] = None,
        columns: Optional[Sequence[str]] = None,
        *,
        gradient: bool = False,
        prior_fraction: float = 0.0,
        precision: Optional[str] = None,
        return_errors: bool = False,
        in_flight: int = 4,
    ) -> LogProbStream:
        """log_prob of block after block of points over one call, in memory that does not grow with their number.

        Args:
            blocks: points as for `log_prob`, each a block; some thousand rows each are best. An iterable that goes on
                forever is as good as a list.
            x: (p,) or (1, p) context of a conditional model, for all blocks.
            columns: as for `log_prob`.
            gradient: as for `log_prob`.
            prior_fraction: as for `log_prob`.
            precision: as for `log_prob`.
            return_errors: a block that cannot be answered yields its exception instead of raising it.
            in_flight: questions on their way at any time. Blocks are taken that far ahead of the answers: 1 for an
                iterable whose next block depends on the last answer.

        Returns:
            An iterator over the answers, each as `log_prob` gives it for its block.

        Raises:
            InvalidArgumentError: when its answer is due, for a block with a wrong shape or column, NaN or infinity;
                the block after it is answered as if nothing had happened.

        Example:
            >>> with model.log_prob_stream(np.array_split(theta, 100)) as answers:
            ...     total = sum(answer.sum() for answer in answers)
        """
        asked = _log_prob(gradient, prior_fraction, precision)
        columns = None if columns is None else _arguments.names("columns", columns)
        try:
            iterator = iter("" if isinstance(blocks, bytes) else blocks)
        except TypeError:
            raise _arguments.wrong("blocks", blocks, "an iterable of blocks of points") from None
        in_flight = _arguments.whole("in_flight", in_flight, 1)
        return_errors = _arguments.flag("return_errors", return_errors)
        x = None if x is None else _arrays.floats("x", x)

        def points(block: Any) -> Points:
            return self._points(block, columns)

        return LogProbStream(
            self._transport, self.name, asked, iterator, points, x, self._warn, return_errors, in_flight
        )

    def log_prob_gradient(
        self,
        theta: Any,
        x: Optional[Any] = None,
        columns: Optional[Sequence[str]] = None,
        *,
        precision: Optional[str] = None,
    ) -> Tuple[Union[float, FloatArray], FloatArray]:
        """Natural-log density with its gradient: what Hamiltonian samplers ask for.

        Args:
            theta: as for `log_prob`.
            x: as for `log_prob`.
            columns: as for `log_prob`.
            precision: as for `log_prob`.

        Returns:
            (n,) and (n, d) float64; a float and (d,) for one point. Columns of the gradient as those of theta.

        Raises:
            InvalidArgumentError: a wrong shape or column, NaN or infinity.

        Example:
            >>> value, gradient = model.log_prob_gradient([0.31, 0.81])
        """
        return self.log_prob(theta, x, columns, gradient=True, precision=precision)

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
        answer: Union[float, FloatArray]
        asked = Asked("LogProb", inference_service_pb2.LogProbRequest, "theta", ("spread",), {"spread": True})
        (answer,) = self._ask(("spread",), asked, self._points(theta, columns), x)
        return answer

    def log_likelihood(
        self,
        theta: Any,
        x: Optional[Any] = None,
        columns: Optional[Sequence[str]] = None,
        *,
        more: Sequence[ModelLike] = (),
        evidence: bool = True,
        precision: Optional[str] = None,
    ) -> Union[float, FloatArray]:
        """Nuisance-free log-likelihood: log P(theta) + log Z - log prior(theta), natural log.

        Args:
            theta: as for `log_prob`.
            x: as for `log_prob`.
            columns: as for `log_prob`; with `more`, the union of all parameters.
            more: further models of independent data sets or objects, or their names: their log-likelihoods are summed.
                No prior is left in the sum: add the log-prior once to get a posterior.
            evidence: False leaves the log-evidences out: the likelihood up to a constant.
            precision: as for `log_prob`.

        Returns:
            (n,) float64, or a float for one point; -inf where the posterior or the prior density is zero.

        Raises:
            FailedPreconditionError: a prior or the log-evidence is unknown.
            InvalidArgumentError: a wrong shape or column, NaN or infinity.

        Example:
            >>> model.log_likelihood([0.31, 0.81])
            -8.1
        """
        further = resolve(self._transport, _arguments.sequence("more", more, "models"))
        union = list(dict.fromkeys(name for each in (self, *further) for name in each.parameters)) if further else None
        options = {
            "more_models": tuple(each.name for each in further),
            "without_evidence": not _arguments.flag("evidence", evidence),
            "precision": precision_code(precision),
        }
        rows_of_a_request = max(1, _MODELS_TIMES_ROWS // (1 + len(further)))
        request = inference_service_pb2.LogLikelihoodRequest
        asked = Asked("LogLikelihood", request, "theta", ("log_likelihood",), options, rows_of_a_request)
        answer: Union[float, FloatArray]
        key = ("log_likelihood", *options.values())
        (answer,) = self._ask(key, asked, self._points(theta, columns, union), x)
        return answer

    def prior_transform(
        self, u: Any, x: Optional[Any] = None, *, prior_fraction: float = 0.0, precision: Optional[str] = None
    ) -> FloatArray:
        """Maps the unit hypercube to parameters: uniform u gives draws from the density.

        Args:
            u: (n, d), or (d,) for one point, strictly inside the hypercube.
            x: (p,), (1, p) or (n, p) context of a conditional model.
            prior_fraction: share of the declared prior mixed in, [0, 1): points with u[0] below it go to the prior.
            precision: as for `log_prob`.

        Returns:
            (n, d) float64, or (d,) for one point, in the model's order: what nested samplers ask for.

        Raises:
            InvalidArgumentError: a wrong shape, or u outside the open interval (0, 1).

        Example:
            >>> model.prior_transform([0.5, 0.5])
            array([0.31, 0.81])
        """
        key = ("prior_transform", prior_fraction, precision)
        answers = self._ask_again(key, u) if x is None else None
        if answers is None:
            options = {
                "prior_fraction": _arguments.number("prior_fraction", prior_fraction),
                "precision": precision_code(precision),
            }
            asked = Asked("PriorTransform", inference_service_pb2.PriorTransformRequest, "u", ("theta",), options)
            answers = self._ask(key, asked, self._hypercube(u), x)
        theta: FloatArray = answers[0]
        return theta

    def inverse_prior_transform(
        self,
        theta: Any,
        x: Optional[Any] = None,
        columns: Optional[Sequence[str]] = None,
        *,
        precision: Optional[str] = None,
    ) -> FloatArray:
        """Maps parameters to the points of the unit hypercube that `prior_transform` maps back to them.

        Args:
            theta: as for `log_prob`, inside the support.
            x: as for `log_prob`.
            columns: as for `log_prob`.
            precision: as for `log_prob`.

        Returns:
            (n, d) float64 in (0, 1), or (d,) for one point, in the model's order. Of a mixture, where several u lead to
            the same theta, the one of the component that is the most probable there.

        Raises:
            InvalidArgumentError: a wrong shape or column, NaN or infinity, or a point outside the support.

        Example:
            >>> model.inverse_prior_transform(model.prior_transform([0.5, 0.5]))
            array([0.5, 0.5])
        """
        options = {"precision": precision_code(precision)}
        asked = Asked(
            "InversePriorTransform", inference_service_pb2.InversePriorTransformRequest, "theta", ("u",), options
        )
        u: FloatArray
        (u,) = self._ask(("inverse_prior_transform", precision), asked, self._points(theta, columns), x)
        return u

    def sample(
        self,
        num_samples: int = 1,
        seed: Optional[int] = None,
        x: Optional[Any] = None,
        *,
        log_prob: bool = False,
        as_: Optional[str] = None,
        precision: Optional[str] = None,
    ) -> Any:
        """Random draws from the density. Row i depends on (seed, i) alone, so sample(1000) begins sample(2000).

        Args:
            num_samples: number n of rows.
            seed: seed; without it the server picks one.
            x: (p,) or (1, p) context of a conditional model.
            log_prob: also return the natural-log density of each row.
            as_: "anesthetic", "getdist" or "pandas" for a frame of that package; None for arrays.
            precision: as for `log_prob`.

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
        request = _arguments.message(
            inference_service_pb2.SampleRequest,
            model=self.name,
            num_samples=num_samples,
            log_prob=log_prob,
            precision=precision_code(precision),
            seed=seed,
            x=None if x is None else _arrays.to_proto(np.atleast_2d(_arrays.floats("x", x))),
        )
        theta: List[NDArray[Any]] = []
        densities: List[NDArray[Any]] = []
        kinds: List[int] = []

        def resume() -> bool:
            request.first_row = sum(len(part) for part in theta)
            return bool(request.first_row < num_samples)

        for reply in self._transport.stream("Sample", request, resume=resume):
            if not theta:
                request.seed = reply.seed  # with the rows that came, a stream that breaks goes on where it was
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


def resolve(transport: Transport, models: Sequence[ModelLike]) -> List[ModelBase]:
    """Handles of models given as such or by name, each name resolved now.

    Raises:
        NotFoundError: there is no such model.
    """
    for each in models:
        if not isinstance(each, (str, ModelBase)):
            raise _arguments.wrong("models", each, "models or their names")
    names = [_names.version(each, transport.project) for each in models if isinstance(each, str)]
    requests = [model_service_pb2.GetModelVersionRequest(name=name) for name in names]
    found = transport.call_each("GetModelVersion", requests)
    return [ModelBase(transport, next(found)) if isinstance(each, str) else each for each in models]


def _log_prob(gradient: bool, prior_fraction: float, precision: Optional[str]) -> Asked:
    fields = ("log_prob", "gradient") if _arguments.flag("gradient", gradient) else ("log_prob",)
    options = {
        "gradient": bool(gradient),
        "prior_fraction": _arguments.number("prior_fraction", prior_fraction),
        "precision": precision_code(precision),
    }
    return Asked("LogProb", inference_service_pb2.LogProbRequest, "theta", fields, options)
