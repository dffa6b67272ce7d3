"""The client: start here."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Mapping, Optional, Sequence, Tuple, Type, Union, overload

from creamery import _answers, _arguments, _config, _datasets, _job_array, _names, _schema, _statistics, _transport
from creamery._arrays import FloatArray
from creamery._errors import InvalidArgumentError
from creamery._estimate import Estimate, EvidenceRatio
from creamery._inference import DensityQuestions, ModelLike, resolve
from creamery._job_array import JobArray
from creamery._jobs import Job, Jobs
from creamery._joint import JointResult
from creamery._model import Model
from creamery._model_base import PriorChoice, fill_prior, version_name
from creamery._models import Models
from creamery._projects import Projects
from creamery._specs import FAMILIES, EstimatorSpec
from creamery.v1 import job_pb2, job_service_pb2, statistics_service_pb2

EvidenceLike = Union[Estimate, Tuple[float, float]]
TrainingLike = Union[Sequence[Any], Mapping[str, Any]]


class Client:
    """A connection to a Creamery server. Thread-safe; close it, or use it as a context manager.

    Args:
        address: "host:port", or "unix:/path". Without it, and for each of the next ones that is not given: the
            environment (CREAMERY_SERVER, CREAMERY_TOKEN_FILE, CREAMERY_TLS_CA, CREAMERY_PROJECT), then the lines
            `server`, `token_file`, `tls_ca` and `project` of ~/.config/creamery/config.toml, which the command line
            reads too; then localhost:50051. Token and certificates are taken from there only for the server that is
            taken from there as well.
        token: bearer token.
        token_file: file with the token in its first line; instead of `token`.
        tls_ca: PEM file with the certificates to trust; the connection is encrypted if it is given.
        project: the project of names without one: "cosmo" is then "planck/cosmo".
        timeout: longest time for one request, seconds; None for no limit. Uploads, samples and watches have none.
        patience: how long a call is repeated while a server that answered before is away, seconds; one that never
            answered is given five at most.

    Attributes:
        projects: list, get, create.
        datasets: upload, append, list, get, download, delete.
        models: list, get, versions, aliases, export, import.
        jobs: list, get.

    Raises:
        InvalidArgumentError: both `token` and `token_file`, or an empty token file.

    Example:
        >>> with creamery.Client("localhost:50051") as client:
        ...     model = client.model("planck/cosmo@production")
        ...     theta = model.sample(1000, seed=1)
    """

    def __init__(
        self,
        address: Optional[str] = None,
        token: Optional[str] = None,
        token_file: Optional[Union[str, Path]] = None,
        tls_ca: Optional[Union[str, Path]] = None,
        *,
        project: Optional[str] = None,
        timeout: Optional[float] = 300.0,
        patience: float = 60.0,
    ) -> None:
        if token is not None and token_file is not None:
            raise InvalidArgumentError("both token and token_file are given, expected at most one")
        chosen = _config.settings(address, token, token_file, tls_ca, project)
        if token is None and chosen.token_file is not None:
            token = _transport.read_token(chosen.token_file)
        timeout = _arguments.seconds("timeout", timeout)
        self._transport = _transport.Transport(chosen.server, token, chosen.tls_ca, timeout, patience, chosen.project)
        self.projects = Projects(self._transport)
        self.datasets = _datasets.Datasets(self._transport)
        self.models = Models(self._transport)
        self.jobs = Jobs(self._transport)

    def train(
        self,
        model: str,
        dataset: _datasets.DatasetLike,
        spec: Optional[EstimatorSpec] = None,
        parameters: Optional[Sequence[str]] = None,
        *,
        prior: Optional[ModelLike] = None,
        request_id: Optional[str] = None,
    ) -> Job[Model]:
        """Queues a training; returns at once.

        Args:
            model: model that receives the version, `planck/cosmo`; made, with its project, if it does not exist.
            dataset: the dataset or its name, at its present revision.
            spec: what to train; default `creamery.MAF()`. `creamery.AUTO()` compares families and keeps the best.
            parameters: names of the parameters to keep, in order; marginalises over the others. Default: all.
            prior: model of the prior of the kept parameters, or its name: what statistics of the version take as its
                prior, where parameters have no analytic one.
            request_id: makes a repeat safe; chosen at random if not given.

        Returns:
            The job; `result()` waits for the model.

        Raises:
            NotFoundError: the dataset does not exist.
            FailedPreconditionError: the dataset is empty.
            InvalidArgumentError: an option is out of range, or a parameter's name is wrong.

        Example:
            >>> job = client.train("planck/cosmo", "planck/chain", creamery.MAF(transforms=6), parameters=["omegam"])
            >>> model = job.result(progress=True)
        """
        work = _training(self._transport, model, dataset, spec, parameters, prior)
        request_id = uuid.uuid4().hex if request_id is None else _arguments.text("request_id", request_id)
        self._transport.make_project(work.model.split("/")[1])
        request = job_service_pb2.CreateJobRequest(
            parent=_names.project_of(work.model),
            job=job_pb2.Job(training=work),
            request_id=request_id,
        )
        return Job(self._transport, self._transport.call("CreateJob", request))

    def train_array(
        self,
        trainings: Sequence[TrainingLike],
        spec: Optional[EstimatorSpec] = None,
        parameters: Optional[Sequence[str]] = None,
        *,
        prior: Optional[ModelLike] = None,
        request_id: Optional[str] = None,
    ) -> JobArray[Model]:
        """Queues many trainings of one project at once, all or none: one for each object of a collection.

        Args:
            trainings: for each job (model, dataset), (model, dataset, spec), or a dict with the arguments of `train`.
            spec: what to train where a training does not say; default `creamery.MAF()`.
            parameters: parameters to keep where a training does not say; default: all.
            prior: model of the prior where a training does not say.
            request_id: makes a repeat safe; chosen at random if not given.

        Returns:
            The array; `results()` waits for the models.

        Raises:
            NotFoundError: a dataset does not exist; nothing is queued.
            InvalidArgumentError: a training is wrong; nothing is queued.

        Example:
            >>> array = client.train_array([(f"stars/{s}", f"stars/chain-{s}") for s in names], creamery.NSF())
            >>> models = array.results(progress=True)
        """
        jobs = []
        request_id = uuid.uuid4().hex if request_id is None else _arguments.text("request_id", request_id)
        for each in _arguments.sequence("trainings", trainings, "(model, dataset)"):
            if isinstance(each, Mapping):
                given = _arguments.mapping("training", each)
            elif isinstance(each, (tuple, list)) and 2 <= len(each) <= 4:
                given = dict(zip(("model", "dataset", "spec", "parameters"), each))
            else:
                raise _arguments.wrong("training", each, "(model, dataset) or a dict for train()")
            wrong = set(given) - {"model", "dataset", "spec", "parameters", "prior"}
            if wrong or not {"model", "dataset"} <= set(given):
                raise InvalidArgumentError(
                    f"training has {', '.join(given)}; expected model, dataset, and options of train()"
                )
            defaults = {"spec": spec, "parameters": parameters, "prior": prior}
            jobs.append(job_pb2.Job(training=_training(self._transport, **{**defaults, **given})))
        if jobs:
            self._transport.make_project(jobs[0].training.model.split("/")[1])
        return _job_array.create(self._transport, jobs, request_id)

    def log_likelihood(
        self,
        models: Sequence[ModelLike],
        theta: Any,
        columns: Optional[Sequence[str]] = None,
        *,
        evidence: bool = True,
    ) -> Union[float, FloatArray]:
        """Summed nuisance-free log-likelihood of independent data sets, or of the objects of a population.

        Args:
            models: one or more models, or their names.
            theta: (n, d) points; (d,) for one point; or a table with the union of the models' parameters.
            columns: names of the columns of theta; default: the first model's parameters.
            evidence: False leaves the log-evidences out: the likelihood up to a constant.

        Returns:
            (n,) float64, or a float for one point. No prior is left in it: add the log-prior once to get a posterior.

        Raises:
            FailedPreconditionError: a prior or a log-evidence is unknown.

        Example:
            >>> client.log_likelihood(["planck/cosmo", "des/cosmo"], {"omegam": [0.3], "sigma8": [0.8]})
            array([-12.4])
        """
        models = _arguments.sequence("models", models, "models")
        if not models:
            raise InvalidArgumentError("models is empty, expected at least one")
        first, *more = resolve(self._transport, models)
        return DensityQuestions(self._transport, first.proto).log_likelihood(
            theta, columns=columns, more=more, evidence=evidence
        )

    @overload
    def joint(
        self,
        models: Sequence[ModelLike],
        num_samples: Optional[int] = ...,
        seed: Optional[int] = ...,
        prior: Optional[PriorChoice] = ...,
        *,
        max_evaluations: Optional[int] = ...,
        samples: bool = ...,
        as_job: Literal[False] = ...,
    ) -> JointResult: ...

    @overload
    def joint(
        self,
        models: Sequence[ModelLike],
        num_samples: Optional[int] = ...,
        seed: Optional[int] = ...,
        prior: Optional[PriorChoice] = ...,
        *,
        max_evaluations: Optional[int] = ...,
        samples: bool = ...,
        as_job: Literal[True],
    ) -> Job[JointResult]: ...

    def joint(
        self,
        models: Sequence[ModelLike],
        num_samples: Optional[int] = None,
        seed: Optional[int] = None,
        prior: Optional[PriorChoice] = None,
        *,
        max_evaluations: Optional[int] = None,
        samples: bool = True,
        as_job: bool = False,
    ) -> Any:
        """Joint posterior of independent analyses that share parameters, and whether they agree.

        Its density is prod_i P_i / prior^(k - 1), k models on each shared parameter: the prior enters once.

        Args:
            models: two or more models, or their names; parameters are shared by name, and every model may have more.
            num_samples: weighted samples wanted; the server has a default.
            seed: seed; without it the server picks one and says which.
            prior: of all parameters: analytic by name, or a model of the prior of the shared parameters; default: the
                declared ones, which must agree where models share a parameter.
            max_evaluations: most evaluations of one model's density; beyond, the answer is partial and says so.
            samples: False for the statistics alone.
            as_job: return a job at once, whose `result()` is the same.

        Returns:
            Weighted samples, log R, log Z, information, suspiciousness, sigma, each with its error.

        Raises:
            InvalidArgumentError: the models share no parameter.
            FailedPreconditionError: priors are missing or do not agree.

        Example:
            >>> joint = client.joint(["planck/cosmo", "des/cosmo"], seed=1)
            >>> joint.log_r, joint.sigma
            (3.20 ± 0.08 nats, 0.9)
        """
        listed = _arguments.sequence("models", models, "models")
        names = [version_name(self._transport, f"models[{i}]", each) for i, each in enumerate(listed)]
        request = _arguments.message(
            statistics_service_pb2.JointPosteriorRequest,
            models=names,
            num_samples=num_samples,
            seed=seed,
            max_evaluations=max_evaluations,
            without_samples=not _arguments.flag("samples", samples),
        )
        fill_prior(self._transport, request, prior)
        if _arguments.flag("as_job", as_job):
            if not names:
                raise InvalidArgumentError("models is empty, expected at least two")
            work = job_pb2.StatisticsJob(joint_posterior=request)
            return _statistics.submit(self._transport, names[0], work)
        return JointResult.of_stream(self._transport, self._transport.stream("JointPosterior", request))

    def evidence_ratio(
        self,
        numerator: ModelLike,
        denominator: ModelLike,
        *,
        numerator_evidences: Optional[Mapping[str, EvidenceLike]] = None,
        denominator_evidences: Optional[Mapping[str, EvidenceLike]] = None,
        seed: Optional[int] = None,
        as_job: bool = False,
    ) -> Any:
        """All estimates of log(Z_numerator / Z_denominator), two models of the same data, side by side.

        Args:
            numerator: model, or its name.
            denominator: model, or its name.
            numerator_evidences: further estimates of the numerator's log-evidence by method: an Evidence, or (log Z,
                error).
            denominator_evidences: of the denominator's.
            seed: seed; without it the server picks one and says which.
            as_job: return a job at once, whose `result()` is the same.

        Returns:
            EvidenceRatio: the estimates, their largest disagreement, and what could not be estimated.

        Example:
            >>> importance = lcdm.evidence(log_l, seed=1)
            >>> client.evidence_ratio(lcdm, wcdm, numerator_evidences={"importance sampling": importance})
        """
        both = {"numerator": numerator, "denominator": denominator}
        sides = [version_name(self._transport, what, each) for what, each in both.items()]
        request = _arguments.message(
            statistics_service_pb2.EvidenceRatioRequest, numerator=sides[0], denominator=sides[1], seed=seed
        )
        for what, given in {
            "numerator_evidences": numerator_evidences,
            "denominator_evidences": denominator_evidences,
        }.items():
            for method, value in _arguments.mapping(what, {} if given is None else given).items():
                added = getattr(request, what).add(method=method)
                pair = _schema.log_evidence_pair(f"{what}[{method!r}]", value)
                added.log_evidence.value, added.log_evidence.error = pair
        if _arguments.flag("as_job", as_job):
            return _statistics.submit(self._transport, sides[0], job_pb2.StatisticsJob(evidence_ratio=request))
        answer: EvidenceRatio = _answers.evidence_ratio(self._transport.call("EvidenceRatio", request))
        return answer

    def model(self, name: str) -> Model:
        """A handle on a version, resolved now.

        Args:
            name: `planck/cosmo` for the latest, `planck/cosmo@3`, `planck/cosmo@production`, or a full name.

        Raises:
            NotFoundError: there is no such model, version or alias.

        Example:
            >>> client.model("planck/cosmo@production")
            <Model planck/cosmo@3: maf over omegam, sigma8>
        """
        return Model.open(self._transport, _names.version(name, self._transport.project))

    def job(self, name: str) -> Job[Any]:
        """Reattaches to a job from any session.

        Args:
            name: `job.name`, or `planck/4f1c`.

        Raises:
            NotFoundError: there is no such job.

        Example:
            >>> client.job("planck/4f1c").result(progress=True)
            <Model planck/cosmo@3: maf over omegam, sigma8>
        """
        return self.jobs.get(name)

    def job_array(self, name: str) -> JobArray[Any]:
        """Reattaches to an array of jobs from any session.

        Args:
            name: `array.name`, as `planck/5d0a`.

        Example:
            >>> client.job_array("planck/5d0a").status.counts
            {'SUCCEEDED': 20}
        """
        given = _arguments.text("name", name)
        if "/" not in given and self._transport.project is not None:
            given = f"{self._transport.project}/{given}"
        project, _, array = given.partition("/")
        if not array or "/" in array:
            raise InvalidArgumentError(f"name is {name!r}, expected PROJECT/ARRAY")
        return JobArray.open(self._transport, _names.project_id(project), array)

    def close(self) -> None:
        """Closes the connection; jobs go on."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self._transport.address}>"


def _training(
    transport: _transport.Transport,
    model: str,
    dataset: _datasets.DatasetLike,
    spec: Optional[EstimatorSpec],
    parameters: Optional[Sequence[str]],
    prior: Optional[ModelLike],
) -> job_pb2.TrainingJob:
    if spec is not None and not isinstance(spec, EstimatorSpec):
        raise _arguments.wrong("spec", spec, "a spec such as creamery.MAF()")
    return job_pb2.TrainingJob(
        model=_names.model(model, transport.project),
        dataset=_datasets.full_name(dataset, transport.project),
        spec=(FAMILIES["MAF"]() if spec is None else spec).proto,
        parameters=None if parameters is None else _arguments.names("parameters", parameters),
        prior_model=None if prior is None else version_name(transport, "prior", prior),
    )
