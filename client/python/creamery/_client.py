"""The client: start here."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import TracebackType
from typing import Optional, Sequence, Type, Union

from creamery import _datasets, _names, _transport
from creamery._errors import InvalidArgumentError
from creamery._jobs import Job, Jobs
from creamery._model import Model
from creamery._models import Models
from creamery._specs import FAMILIES, EstimatorSpec
from creamery.v1 import job_pb2, job_service_pb2


class Client:
    """A connection to a Creamery server. Thread-safe; close it, or use it as a context manager.

    Args:
        address: "host:port", or "unix:/path".
        token: bearer token.
        token_file: file with the token in its first line; instead of `token`.
        tls_ca: PEM file with the certificates to trust; the connection is encrypted if it is given.
        timeout: longest time for one request, seconds; None for no limit. Uploads, samples and watches have none.

    Attributes:
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
        address: str = "localhost:50051",
        token: Optional[str] = None,
        token_file: Optional[Union[str, Path]] = None,
        tls_ca: Optional[Union[str, Path]] = None,
        *,
        timeout: Optional[float] = 300.0,
    ) -> None:
        if token is not None and token_file is not None:
            raise InvalidArgumentError("both token and token_file are given, expected at most one")
        if token_file is not None:
            token = _transport.read_token(token_file)
        self._transport = _transport.Transport(address, token, tls_ca, timeout)
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
        request_id: Optional[str] = None,
    ) -> Job:
        """Queues a training; returns at once.

        Args:
            model: model that receives the version, `planck/cosmo`; made, with its project, if it does not exist.
            dataset: the dataset or its name, at its present revision.
            spec: what to train; default `creamery.MAF()`.
            parameters: names of the parameters to keep, in order; marginalises over the others. Default: all.
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
        full = _names.model(model)
        self._transport.make_project(full.split("/")[1])
        work = job_pb2.TrainingJob(
            model=full,
            dataset=_datasets.full_name(dataset),
            spec=(FAMILIES["MAF"]() if spec is None else spec).proto,
            parameters=parameters,
        )
        request = job_service_pb2.CreateJobRequest(
            parent=_names.project_of(full), job=job_pb2.Job(training=work), request_id=request_id or uuid.uuid4().hex
        )
        return Job(self._transport, self._transport.call("CreateJob", request))

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
        return Model.open(self._transport, _names.version(name))

    def job(self, name: str) -> Job:
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
