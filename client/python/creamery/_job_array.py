"""Many jobs that were created together: one training for each object of a collection."""

from __future__ import annotations

import collections
import time
from dataclasses import dataclass
from typing import Any, Dict, Generic, Iterator, List, Optional, Tuple

from creamery import _arguments, _names
from creamery._errors import DeadlineExceededError, UnavailableError
from creamery._jobs import Job, Result
from creamery._progress import ArrayDisplay
from creamery._transport import Transport
from creamery.v1 import job_pb2, job_service_pb2

_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_PAGE = 1000


@dataclass(frozen=True)
class JobArrayStatus:
    """An array of jobs at one moment.

    Attributes:
        counts: number of jobs by state, such as {"QUEUED": 12, "RUNNING": 1, "SUCCEEDED": 7}.
        fraction: share of the jobs that have ended.
    """

    counts: Dict[str, int]
    fraction: float

    @property
    def ended(self) -> bool:
        """True once no job can change any more."""
        return all(state in _ENDED for state in self.counts)


class JobArray(Generic[Result]):
    """A handle on jobs created together, all or none. It works from any session: `client.job_array(array.name)`.

    Example:
        >>> array = client.train_array([("quasars/a", "quasars/chain-a"), ("quasars/b", "quasars/chain-b")])
        >>> models = array.results(progress=True)
    """

    def __init__(self, transport: Transport, project: str, array: str, jobs: List[Job[Result]]) -> None:
        self._transport = transport
        self._project = project
        self._array = array
        self._jobs = jobs

    @classmethod
    def open(cls, transport: Transport, project: str, array: str) -> JobArray[Any]:
        """The handle of an array by its project and id; used by the client."""
        found: JobArray[Any] = cls(transport, project, array, [])
        found._refresh()
        return found

    @property
    def name(self) -> str:
        """`PROJECT/ARRAY`, to be handed to `client.job_array`."""
        return f"{self._project}/{self._array}"

    @property
    def jobs(self) -> List[Job[Result]]:
        """Its jobs, in the order they were asked for."""
        return list(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)

    def _refresh(self) -> None:
        request = job_service_pb2.ListJobsRequest(
            parent=f"projects/{self._project}", array=self._array, page_size=_PAGE
        )
        self._jobs = [Job(self._transport, proto) for proto in self._transport.pages("ListJobs", request, "jobs")]

    @property
    def status(self) -> JobArrayStatus:
        """The array now."""
        self._refresh()
        return self._status()

    def _status(self) -> JobArrayStatus:
        states = [str(job_pb2.JobState.Name(job.proto.state)) for job in self._jobs]
        counts = collections.Counter(states)
        done = sum(counts[state] for state in _ENDED)
        return JobArrayStatus(dict(counts), done / max(1, len(states)))

    def cancel(self) -> None:
        """Asks every job that has not ended to stop; returns at once.

        Example:
            >>> array.cancel()
        """
        request = job_service_pb2.CancelJobArrayRequest(parent=f"projects/{self._project}", array=self._array)
        self._transport.call("CancelJobArray", request)

    def watch(
        self, timeout: Optional[float] = None, interval: Optional[float] = None, patience: float = 300.0
    ) -> Iterator[JobArrayStatus]:
        """The array now and at every change, until all jobs have ended; across restarts of the server.

        Args:
            timeout: longest time to watch, seconds; None for no limit.
            interval: time between two questions to the server, seconds; default: by the number of jobs, at least 0.5.
            patience: longest time without a server that answers, seconds.

        Raises:
            DeadlineExceededError: `timeout` is over; the jobs go on.
            UnavailableError: no server for `patience`.

        Example:
            >>> for status in array.watch():
            ...     print(status.counts)
        """
        timeout = _arguments.seconds("timeout", timeout)
        interval = _arguments.seconds("interval", interval)
        patience = _arguments.number("patience", patience)
        return self._watch(timeout, interval, patience)

    def _watch(self, timeout: Optional[float], interval: Optional[float], patience: float) -> Iterator[JobArrayStatus]:
        start = heard = time.monotonic()
        last: Optional[Tuple[Any, ...]] = None
        while True:
            try:
                status = self.status
                heard = time.monotonic()
                shown = tuple(sorted(status.counts.items()))
                if shown != last:
                    last = shown
                    yield status
                if status.ended:
                    return
            except UnavailableError:
                if time.monotonic() - heard > patience:
                    raise
            if timeout is not None and time.monotonic() - start > timeout:
                raise DeadlineExceededError(f"{self.name} has not ended within {timeout:g} s; it goes on")
            time.sleep(max(0.5, len(self) / 1000.0) if interval is None else interval)

    def results(
        self, progress: bool = False, timeout: Optional[float] = None, *, skip_failed: bool = False
    ) -> List[Any]:
        """Waits for all jobs to end.

        Args:
            progress: show a progress bar on a terminal or in a notebook, and a line now and then elsewhere.
            timeout: longest wait, seconds; None for no limit.
            skip_failed: give None for a job that failed or was cancelled, instead of raising its error.

        Returns:
            The results of the jobs, in their order: a model for each training.

        Raises:
            JobFailedError: a job failed or was cancelled; the message is the first such job's error.
            DeadlineExceededError: `timeout` is over; the jobs go on.

        Example:
            >>> models = client.job_array("quasars/5d0a").results(progress=True)
        """
        skip_failed = _arguments.flag("skip_failed", skip_failed)
        with ArrayDisplay(self.name, _arguments.flag("progress", progress)) as display:
            for status in self.watch(timeout):
                display.update(status)
        found: List[Any] = []
        for job in self._jobs:
            if skip_failed and job_pb2.JobState.Name(job.proto.state) != "SUCCEEDED":
                found.append(None)
            else:
                found.append(job.result())
        return found

    def __repr__(self) -> str:
        counts = ", ".join(f"{number} {state.lower()}" for state, number in sorted(self._status().counts.items()))
        return f"<JobArray {self.name}: {counts}>"


def create(transport: Transport, jobs: List[job_pb2.Job], request_id: str) -> JobArray[Any]:
    """Queues jobs, all or none, in the project of the first."""
    parent = _names.project_of(jobs[0].training.model) if jobs else ""
    request = job_service_pb2.CreateJobArrayRequest(parent=parent, jobs=jobs, request_id=request_id)
    made = transport.call("CreateJobArray", request)
    return JobArray(transport, parent.split("/")[-1], made.array, [Job(transport, each) for each in made.jobs])
