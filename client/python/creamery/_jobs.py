"""Jobs: trainings and long statistics that outlive the session that asked for them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Generic, Iterator, List, Optional, TypeVar, cast

import grpc

from creamery import _answers, _arguments, _names, _specs
from creamery._errors import (
    CreameryError,
    DeadlineExceededError,
    FailedPreconditionError,
    JobFailedError,
    UnavailableError,
    status_code,
)
from creamery._model import Model
from creamery._progress import ProgressDisplay
from creamery._text import printable_repr
from creamery._transport import Transport
from creamery.v1 import job_pb2, job_service_pb2

Result = TypeVar("Result")
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclass(frozen=True)
class Progress:
    """How far a job is; losses are mean negative natural-log densities of the rows.

    Attributes are those of `creamery.v1.Progress`: `member` counts from 0, `best_epoch` from 1, `seconds_left` is an
    upper bound and `fraction` an estimate, since training may stop early. `stage` says in words what is being done.
    """

    member: int
    members: int
    epoch: int
    max_epochs: int
    train_loss: float
    held_out_loss: float
    best_held_out_loss: float
    best_epoch: int
    learning_rate: float
    steps_per_second: float
    seconds_left: float
    fraction: float
    stage: str = ""


@dataclass(frozen=True)
class JobStatus:
    """A job at one moment.

    Attributes:
        state: "QUEUED", "RUNNING", "SUCCEEDED", "FAILED" or "CANCELLED".
        progress: how far it is.
        error: why it failed, in words; empty otherwise.
        model_version: the version it made, if it succeeded.
        attempt: leases given so far.
        worker: the worker that holds it.
    """

    state: str
    progress: Progress
    error: str
    model_version: str
    attempt: int
    worker: str


def _status(proto: job_pb2.Job) -> JobStatus:
    fields = [field.name for field in job_pb2.Progress.DESCRIPTOR.fields if field.name in Progress.__annotations__]
    return JobStatus(
        state=job_pb2.JobState.Name(proto.state),
        progress=Progress(**{name: getattr(proto.progress, name) for name in fields}),
        error=proto.error.message,
        model_version=proto.model_version,
        attempt=proto.attempt,
        worker=proto.worker,
    )


class Job(Generic[Result]):
    """A handle on a job: a training, or a long statistic. It works from any session: `client.job(job.name)`.

    Example:
        >>> job = client.train("planck/cosmo", "planck/chain", creamery.MAF())
        >>> job.state
        'QUEUED'
        >>> model = job.result(progress=True)
    """

    def __init__(self, transport: Transport, proto: job_pb2.Job) -> None:
        self._transport = transport
        self._proto = proto

    @property
    def name(self) -> str:
        """Full name, `projects/{project}/jobs/{job}`."""
        return str(self._proto.name)

    @property
    def proto(self) -> job_pb2.Job:
        """The job as the server described it last."""
        return self._proto

    @property
    def kind(self) -> str:
        """ "training", or the statistic: "marginal_kl", "joint_posterior", ..."""
        if self._proto.WhichOneof("work") == "statistics":
            return str(self._proto.statistics.WhichOneof("request"))
        return "training"

    @property
    def spec(self) -> _specs.EstimatorSpec:
        """What it trains.

        Raises:
            FailedPreconditionError: it is a statistic and trains nothing.
        """
        if self.kind != "training":
            raise FailedPreconditionError(f"{self.name} computes {self.kind} and trains nothing")
        return _specs.EstimatorSpec.from_proto(self._proto.training.spec)

    @property
    def status(self) -> JobStatus:
        """The job now; asks the server unless it has ended."""
        self._refresh()
        return _status(self._proto)

    @property
    def state(self) -> str:
        """ "QUEUED", "RUNNING", "SUCCEEDED", "FAILED" or "CANCELLED", now."""
        return self.status.state

    @property
    def progress(self) -> Progress:
        """How far it is, now."""
        return self.status.progress

    @property
    def error(self) -> str:
        """Why it failed, in words; empty otherwise."""
        return self.status.error

    def _ended(self) -> bool:
        return job_pb2.JobState.Name(self._proto.state) in _ENDED

    def _refresh(self) -> None:
        if not self._ended():
            self._proto = self._transport.call("GetJob", job_service_pb2.GetJobRequest(name=self.name))

    def cancel(self) -> str:
        """Asks the job to stop and returns at once; a job that has ended stays as it is.

        Returns:
            Its state at that moment.

        Example:
            >>> job.cancel()
            'RUNNING'
        """
        self._proto = self._transport.call("CancelJob", job_service_pb2.CancelJobRequest(name=self.name))
        return str(job_pb2.JobState.Name(self._proto.state))

    def watch(self, timeout: Optional[float] = None, patience: float = 300.0) -> Iterator[JobStatus]:
        """The job now, at every change, and when it ends; across restarts of the server.

        Args:
            timeout: longest time to watch, seconds; None for no limit.
            patience: longest time without a server that answers, seconds.

        Raises:
            DeadlineExceededError: `timeout` is over; the job goes on.
            UnavailableError: no server for `patience`; the job goes on when the server is back.

        Example:
            >>> for status in job.watch():
            ...     print(status.state, status.progress.fraction)
        """
        timeout = _arguments.seconds("timeout", timeout)
        patience = _arguments.number("patience", patience)
        return self._watch(timeout, patience)

    def _watch(self, timeout: Optional[float], patience: float) -> Iterator[JobStatus]:
        start = heard = time.monotonic()
        while True:
            left = None if timeout is None else timeout - (time.monotonic() - start)
            if left is not None and left <= 0:
                raise DeadlineExceededError(f"{self.name} has not ended within {timeout:g} s; it goes on")
            try:
                for proto in self._transport.stream(
                    "WatchJob", job_service_pb2.WatchJobRequest(name=self.name), timeout=left, repeat=False
                ):
                    self._proto, heard = proto, time.monotonic()
                    yield _status(proto)
                if self._ended():
                    return
            except UnavailableError:
                if time.monotonic() - heard > patience:
                    raise
            except DeadlineExceededError:
                continue
            except CreameryError as error:
                # A draining server may also end its streams with CANCELLED or a transport's UNKNOWN: ask again.
                if error.code not in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN):
                    raise
                if time.monotonic() - heard > patience:
                    raise
            time.sleep(0.25)

    def result(self, progress: bool = False, timeout: Optional[float] = None) -> Result:
        """Waits for the job to end.

        Args:
            progress: show a progress bar on a terminal or in a notebook, and a line now and then elsewhere.
            timeout: longest wait, seconds; None for no limit.

        Returns:
            The model version that a training made, with CreameryWarnings of what the training says against itself; of a
            statistic, what its method returns: an Estimate, a JointResult.

        Raises:
            JobFailedError: it failed or was cancelled; the message is the job's error.
            DeadlineExceededError: `timeout` is over; the job goes on.

        Example:
            >>> model = client.job("planck/4f1c").result(progress=True)
        """
        timeout, progress = _arguments.seconds("timeout", timeout), _arguments.flag("progress", progress)
        if not self._ended():
            with ProgressDisplay(self._subject(), progress) as display:
                for status in self.watch(timeout):
                    display.update(status)
        state = job_pb2.JobState.Name(self._proto.state)
        if state != "SUCCEEDED":
            failed = self._proto.HasField("error")
            code = status_code(self._proto.error.code) if failed else grpc.StatusCode.CANCELLED
            message = self._proto.error.message if failed else f"{self.name} was cancelled"
            raise JobFailedError(message, code, self.name, state)
        if self.kind != "training":
            return cast(Result, _answers.of_job(self._transport, self._proto))
        model = Model.open(self._transport, self._proto.model_version)
        model.warn_of_training()
        return cast(Result, model)

    def _subject(self) -> str:
        if self.kind != "training":
            return self.kind.replace("_", " ")
        return _names.short(_names.model_of(self._proto.training.model))

    @printable_repr
    def __repr__(self) -> str:
        does = f"trains {self._subject()}" if self.kind == "training" else self._subject()
        return f"<Job {_names.short(self.name)}: {job_pb2.JobState.Name(self._proto.state)}, {does}>"


class Jobs:
    """The jobs of a server, `client.jobs`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, name: str) -> Job[Any]:
        """A handle on a job.

        Args:
            name: `planck/4f1c` or `projects/planck/jobs/4f1c`.

        Raises:
            NotFoundError: there is none.

        Example:
            >>> client.jobs.get("planck/4f1c").state
            'RUNNING'
        """
        request: Any = job_service_pb2.GetJobRequest(name=_names.job(name, self._transport.project))
        return Job(self._transport, self._transport.call("GetJob", request))

    def list(self, project: str) -> List[Job[Any]]:
        """The jobs of a project, newest first.

        Example:
            >>> [job.state for job in client.jobs.list("planck")]
            ['SUCCEEDED']
        """
        request = job_service_pb2.ListJobsRequest(parent=f"projects/{_names.project_id(project)}")
        return [Job(self._transport, proto) for proto in self._transport.pages("ListJobs", request, "jobs")]
