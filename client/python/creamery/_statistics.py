"""Statistics of a model version: divergence, dimensionality, evidence, reweighting; as an answer or as a job."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal, Mapping, Optional, Union, overload

import numpy as np

from creamery import _answers, _arguments, _arrays, _names, _priors, _rounds
from creamery._errors import InvalidArgumentError
from creamery._estimate import Estimate
from creamery._inference import resolve
from creamery._model_base import ModelBase, PriorChoice, fill_prior
from creamery._reweighted import Reweighted
from creamery._rounds import LogLikelihood, PathLike
from creamery._transport import Transport
from creamery.v1 import job_pb2, job_service_pb2, statistics_service_pb2

if TYPE_CHECKING:
    from creamery._jobs import Job


class StatisticsQuestions(ModelBase):
    """What can be asked of a model version beyond its density."""

    @overload
    def kl(
        self,
        prior: Optional[PriorChoice] = ...,
        num_samples: Optional[int] = ...,
        seed: Optional[int] = ...,
        *,
        as_job: Literal[False] = ...,
    ) -> Estimate: ...

    @overload
    def kl(
        self,
        prior: Optional[PriorChoice] = ...,
        num_samples: Optional[int] = ...,
        seed: Optional[int] = ...,
        *,
        as_job: Literal[True],
    ) -> Job[Estimate]: ...

    def kl(
        self,
        prior: Optional[PriorChoice] = None,
        num_samples: Optional[int] = None,
        seed: Optional[int] = None,
        *,
        as_job: bool = False,
    ) -> Any:
        """Kullback-Leibler divergence from the prior to the posterior over the model's parameters, nats.

        Args:
            prior: analytic priors by parameter; or a model of the prior, or its name; default: as declared.
            num_samples: draws for the averages over the density; the server has a default.
            seed: seed; without it the server picks one and says which.
            as_job: return a job at once, whose `result()` is the estimate.

        Raises:
            FailedPreconditionError: no prior is declared and none was given.

        Example:
            >>> model.kl()
            5.59 ± 0.06 nats
        """
        request = _arguments.message(
            statistics_service_pb2.MarginalKLRequest, model=self.name, seed=seed, num_samples=num_samples
        )
        fill_prior(self._transport, request, prior)
        if _arguments.flag("as_job", as_job):
            return submit(self._transport, self.name, job_pb2.StatisticsJob(marginal_kl=request))
        return _answers.marginal_kl(self._transport.call("MarginalKL", request))

    @overload
    def dimensionality(
        self,
        prior: Optional[PriorChoice] = ...,
        num_samples: Optional[int] = ...,
        seed: Optional[int] = ...,
        *,
        as_job: Literal[False] = ...,
    ) -> Estimate: ...

    @overload
    def dimensionality(
        self,
        prior: Optional[PriorChoice] = ...,
        num_samples: Optional[int] = ...,
        seed: Optional[int] = ...,
        *,
        as_job: Literal[True],
    ) -> Job[Estimate]: ...

    def dimensionality(
        self,
        prior: Optional[PriorChoice] = None,
        num_samples: Optional[int] = None,
        seed: Optional[int] = None,
        *,
        as_job: bool = False,
    ) -> Any:
        """Bayesian model dimensionality over the model's parameters (Handley & Lemos 2019, arXiv:1903.06682).

        Args:
            prior: as for `kl`.
            num_samples: as for `kl`.
            seed: as for `kl`.
            as_job: as for `kl`.

        Raises:
            FailedPreconditionError: no prior is declared and none was given.

        Example:
            >>> model.dimensionality()
            1.98 ± 0.05
        """
        request = _arguments.message(
            statistics_service_pb2.ModelDimensionalityRequest, model=self.name, seed=seed, num_samples=num_samples
        )
        fill_prior(self._transport, request, prior)
        if _arguments.flag("as_job", as_job):
            return submit(self._transport, self.name, job_pb2.StatisticsJob(model_dimensionality=request))
        return _answers.dimensionality(self._transport.call("ModelDimensionality", request))

    def evidence(
        self,
        method: Union[str, LogLikelihood] = "harmonic",
        *,
        prior: Optional[PriorChoice] = None,
        seed: Optional[int] = None,
        temperature: Optional[float] = None,
        target_effective_size: Optional[float] = None,
        max_points: Optional[int] = None,
        round_size: Optional[int] = None,
        prior_fraction: Optional[float] = None,
        log_likelihood: Optional[Any] = None,
        path: Optional[PathLike] = None,
        vectorized: bool = False,
        pool: Any = None,
        as_job: bool = False,
    ) -> Any:
        """Natural-log evidence, from the chain alone or from values of the likelihood; full sampled space only.

        Args:
            method: "harmonic": the learnt harmonic mean, from the chain and its log-likelihoods (McEwen et al. 2021,
                arXiv:2111.12720). Or the natural-log likelihood as a function of one point (d,) in the model's order:
                importance sampling, log Z = log mean(L prior / q), in as many rounds as it needs.
            prior: as for `kl`.
            seed: seed; without it the server picks one and says which.
            temperature: harmonic: variance of the contracted base, (0, 1].
            target_effective_size: importance sampling: effective sample size to reach; the server has a default.
            max_points: importance sampling: most evaluations; the server has a default.
            round_size: importance sampling: points of a round; default: as many as the target seems to need.
            prior_fraction: importance sampling: share of the prior in the proposal; keeps the weights bounded.
            log_likelihood: importance sampling: values computed so far, (n,), with the `seed` they were computed for.
            path: importance sampling: .npz file that keeps points and values after each round, and every half minute
                within one; if it exists, the estimate goes on from there.
            vectorized: the function takes (m, d) and returns (m,).
            pool: anything with `map`, to evaluate one point in each process.
            as_job: harmonic: return a job at once, whose `result()` is the evidence.

        Returns:
            Evidence: an Estimate, nats, with `effective_size`, `efficiency`, `k_hat`, `num_points` and `done`.

        Raises:
            FailedPreconditionError: the model has not all sampled parameters, or its chain no log-likelihoods.
            InvalidArgumentError: the function returned NaN, or `path` holds values of another question.

        Example:
            >>> model.evidence(lambda theta: log_l(theta), seed=1, path="evidence.npz")
            -8.07 ± 0.02 nats
        """
        prior = self._pinned(prior)
        request = _arguments.message(statistics_service_pb2.EvidenceRequest, model=self.name, seed=seed)
        fill_prior(self._transport, request, prior)
        as_job, vectorized = _arguments.flag("as_job", as_job), _arguments.flag("vectorized", vectorized)
        path = None if path is None else _arguments.path("path", path)
        rounds = {
            "target_effective_size": target_effective_size,
            "max_points": max_points,
            "round_size": round_size,
            "prior_fraction": prior_fraction,
        }
        if isinstance(method, str):
            if method.replace("_", " ") not in ("harmonic", "harmonic mean"):
                raise InvalidArgumentError(f"method is {method!r}, expected 'harmonic' or a function of one point")
            unused = [name for name, value in rounds.items() if value is not None]
            if unused or log_likelihood is not None or path is not None:
                raise InvalidArgumentError(f"{', '.join(unused) or 'values or a path'}: of importance sampling only")
            request.harmonic_mean.SetInParent()
            _arguments.fill(request.harmonic_mean, temperature=temperature)
            if as_job:
                return submit(self._transport, self.name, job_pb2.StatisticsJob(evidence=request))
            return _answers.evidence(self._transport.call("Evidence", request), "harmonic mean")
        if not callable(method):
            raise _arguments.wrong("method", method, "'harmonic' or a function of one point")
        if as_job or temperature is not None:
            raise InvalidArgumentError(
                "as_job and temperature are of the harmonic mean only: here values come from you"
            )
        sampling = request.importance_sampling
        sampling.SetInParent()
        _arguments.fill(sampling, **rounds)
        seed = None if seed is None else int(request.seed)
        share = None if prior_fraction is None else float(prior_fraction)
        values = self._values("evidence", seed, prior, {"prior_fraction": share}, log_likelihood, path)

        def ask(known: Any, size: Optional[int]) -> Any:
            if values.question["seed"] is not None:
                request.seed = values.question["seed"]
            sampling.log_likelihood.CopyFrom(known)
            asked = statistics_service_pb2.EvidenceRequest()
            asked.CopyFrom(request)
            if size is not None:
                asked.importance_sampling.round_size = size
            return self._transport.call("Evidence", asked)

        reply = _rounds.run(values, ask, method, vectorized, pool)
        return _answers.evidence(reply, "importance sampling", len(values.log_likelihood))

    def reweight(
        self,
        log_likelihood_function: LogLikelihood,
        *,
        prior: Optional[PriorChoice] = None,
        target_effective_size: Optional[float] = None,
        max_points: Optional[int] = None,
        round_size: Optional[int] = None,
        chain_points: Optional[int] = None,
        seed: Optional[int] = None,
        log_likelihood: Optional[Any] = None,
        path: Optional[PathLike] = None,
        vectorized: bool = False,
        pool: Any = None,
    ) -> Reweighted:
        """Weights that turn this posterior into that of another likelihood: from a fast one to a slow one.

        Points come first from the chain the model was trained on, then from the model itself, until the target.

        Args:
            log_likelihood_function: the new likelihood, natural log, of one point (d,) in the model's order.
            prior: as for `kl`.
            target_effective_size: effective sample size to reach; the server has a default.
            max_points: most evaluations; the server has a default.
            round_size: points of a round; default: as many as the target seems to need.
            chain_points: points from the chain; default: as many as its effective size.
            seed: as for `kl`.
            log_likelihood: values computed so far, (n,), with the `seed` they were computed for.
            path: .npz file that keeps points and values on the way; if it exists, the work goes on from there.
            vectorized: the function takes (m, d) and returns (m,).
            pool: anything with `map`, to evaluate one point in each process.

        Returns:
            Weighted samples with their effective size and Pareto k-hat.

        Raises:
            FailedPreconditionError: the model has not all sampled parameters of its dataset.
            InvalidArgumentError: the function returned NaN, or `path` holds values of another question.

        Example:
            >>> slow = model.reweight(slow_log_likelihood, target_effective_size=500, seed=1, path="slow.npz")
            >>> slow.effective_size, slow.k_hat
            (512.3, 0.31)
        """
        prior = self._pinned(prior)
        function = _arguments.function("log_likelihood_function", log_likelihood_function)
        vectorized = _arguments.flag("vectorized", vectorized)
        path = None if path is None else _arguments.path("path", path)
        request = _arguments.message(
            statistics_service_pb2.ReweightRequest,
            model=self.name,
            seed=seed,
            target_effective_size=target_effective_size,
            max_points=max_points,
            round_size=round_size,
            chain_points=chain_points,
        )
        fill_prior(self._transport, request, prior)
        seed = None if seed is None else int(request.seed)
        points = None if chain_points is None else int(request.chain_points)
        values = self._values("reweight", seed, prior, {"chain_points": points}, log_likelihood, path)

        def ask(known: Any, size: Optional[int]) -> Any:
            if values.question["seed"] is not None:
                request.seed = values.question["seed"]
            request.log_likelihood.CopyFrom(known)
            asked = statistics_service_pb2.ReweightRequest()
            asked.CopyFrom(request)
            if size is not None:
                asked.round_size = size
            return self._transport.call("Reweight", asked)

        reply = _rounds.run(values, ask, function, vectorized, pool)
        kinds = self._warn(reply.warnings)
        return Reweighted.of_reply(reply, values, self._parameter_protos, kinds)

    def _pinned(self, prior: Optional[PriorChoice]) -> Optional[PriorChoice]:
        """The version of a prior model is resolved once, so that all rounds have the same."""
        return resolve(self._transport, [prior])[0] if isinstance(prior, str) else prior

    def _values(
        self, what: str, seed: Optional[int], prior: Optional[PriorChoice], options: Any, given: Any, path: Any
    ) -> _rounds.Values:
        """The values so far: of the file, or as given."""
        chosen: Any = prior.name if isinstance(prior, ModelBase) else prior
        if isinstance(chosen, Mapping):
            chosen = {name: repr(_priors.parse(each)) for name, each in chosen.items()}
        question = {"statistic": what, "model": self.name, "seed": seed, "prior": chosen, **options}
        values = _rounds.Values(question, path)
        if given is None:
            return values
        known = _arrays.floats("log_likelihood", given)
        if known.ndim != 1:
            raise InvalidArgumentError(f"log_likelihood has shape {known.shape}, expected (n,)")
        if len(known) > len(values.log_likelihood):
            if seed is None:
                raise InvalidArgumentError("log_likelihood is given without the seed of its points: give seed too")
            values.log_likelihood = known.astype(np.float64)
        return values


def submit(transport: Transport, of: str, work: job_pb2.StatisticsJob, request_id: Optional[str] = None) -> Job[Any]:
    """Queues a statistic in the project of the model `of`."""
    from creamery._jobs import Job

    request = job_service_pb2.CreateJobRequest(
        parent=_names.project_of(of), job=job_pb2.Job(statistics=work), request_id=request_id or uuid.uuid4().hex
    )
    return Job(transport, transport.call("CreateJob", request))
