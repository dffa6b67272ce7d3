"""Which server answers, and how rows become a trained model on it."""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple, Union

import numpy as np

from creamery import _warnings
from creamery._chains import Chains
from creamery._client import Client
from creamery._datasets import Dataset
from creamery._errors import AlreadyExistsError, FailedPreconditionError
from creamery._jobs import JobStatus
from creamery._model import Model
from creamery._priors import Uniform
from creamery._progress import ProgressDisplay
from creamery._specs import EstimatorSpec

_PROJECT = "margarine"
_TIME_LIMIT = None  # a training may take as long as it takes


@dataclass
class _Settings:
    client: Optional[Client] = None
    project: Optional[str] = None
    progress: bool = True
    training: Dict[str, Any] = field(default_factory=dict)


_settings = _Settings()
_warned: Set[str] = set()


def connect(
    address: Optional[str] = None,
    project: Optional[str] = None,
    *,
    token_file: Optional[Union[str, Path]] = None,
    tls_ca: Optional[Union[str, Path]] = None,
    progress: bool = True,
    **training: Any,
) -> Client:
    """Says which server answers from now on.

    Args:
        address: "host:port"; default: the variable CREAMERY_SERVER.
        project: project of the datasets and models; default: the variable CREAMERY_PROJECT, or `margarine`.
        token_file: file with the token; default: the variable CREAMERY_TOKEN_FILE, if it is set.
        tls_ca: PEM file with the certificates to trust; default: the variable CREAMERY_TLS_CA, if it is set.
        progress: show a progress bar while training, as margarine does.
        training: training options of every estimator, such as `members=2` or `seed=1`; what a script says goes before.

    Returns:
        The client, for what margarine has no names for.

    Raises:
        FailedPreconditionError: no address is given, here or in CREAMERY_SERVER.

    Example:
        >>> import creamery.margarine
        >>> creamery.margarine.connect("localhost:50051", project="planck")
    """
    address = address or os.environ.get("CREAMERY_SERVER")
    if not address:
        raise FailedPreconditionError(
            "creamery.margarine asks a Creamery server and starts none by itself: set CREAMERY_SERVER=host:port, or "
            "call creamery.margarine.connect('host:port')"
        )
    disconnect()
    token_file = token_file or os.environ.get("CREAMERY_TOKEN_FILE") or None
    tls_ca = tls_ca or os.environ.get("CREAMERY_TLS_CA") or None
    _settings.client = Client(address, token_file=token_file, tls_ca=tls_ca)
    _settings.project, _settings.progress, _settings.training = project, progress, dict(training)
    return _settings.client


def disconnect() -> None:
    """Forgets the server; the next question looks for CREAMERY_SERVER again."""
    if _settings.client is not None:
        _settings.client.close()
    _settings.client, _settings.project, _settings.progress, _settings.training = None, None, True, {}


def client() -> Client:
    """The client; connects if nobody has."""
    return _settings.client if _settings.client is not None else connect()


def project() -> str:
    """The project of datasets and models."""
    return _settings.project or os.environ.get("CREAMERY_PROJECT") or _PROJECT


def warn_once(key: str, message: str) -> None:
    """Warns of what differs from margarine, once in a session for each key."""
    if key not in _warned:
        _warned.add(key)
        _warnings.warn_client(message)


def no_meaning(owner: str, option: str, why: str) -> None:
    """Warns once of an option that is accepted and has no meaning here."""
    warn_once(f"{owner}.{option}", f"{owner}: {option} has no meaning here: {why}")


def train(
    kind: str,
    rows: Chains,
    limits: Mapping[str, Tuple[Optional[float], Optional[float]]],
    make_spec: Callable[..., EstimatorSpec],
    options: Mapping[str, Any],
) -> Tuple[Model, List[JobStatus]]:
    """Uploads the rows, unless they are there, and trains.

    Args:
        kind: short name of the estimator, for the model's name.
        rows: finite rows.
        limits: by parameter; both limits are a uniform prior, one is a bound.
        make_spec: class of the family.
        options: options of the family and of training; None for the server's default.

    Returns:
        The model, and what was seen on the way.
    """
    connected = client()
    dataset = _upload(connected, rows, limits)
    given = {**_settings.training, **{name: value for name, value in options.items() if value is not None}}
    name = f"{project()}/{kind}-{dataset.name.rsplit('-', 1)[1]}"
    job = connected.train(name, dataset, make_spec(**given))
    seen: List[JobStatus] = []
    with ProgressDisplay(kind, _settings.progress) as display:
        for status in job.watch(_TIME_LIMIT):
            display.update(status)
            seen.append(status)
    model: Model = job.result()
    return model, seen


def _upload(connected: Client, rows: Chains, limits: Mapping[str, Tuple[Optional[float], Optional[float]]]) -> Dataset:
    """The dataset with these rows; its name says what is in it, so that the same rows are uploaded once."""
    digest = hashlib.sha256(repr((rows.names, rows.kind, sorted(limits.items()), rows.labels)).encode())
    for values in (rows.theta, rows.weights, rows.chain, rows.log_likelihood, rows.log_likelihood_birth):
        digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
    priors = {name: Uniform(*pair) for name, pair in limits.items() if None not in pair}  # type: ignore[arg-type]
    bounds = {name: pair for name, pair in limits.items() if name not in priors and pair != (None, None)}
    name = f"{project()}/data-{digest.hexdigest()[:16]}"
    more: Dict[str, Any] = {"bounds": bounds, "description": "uploaded by creamery.margarine"}
    for attempt in range(2):
        try:
            return connected.datasets.upload_chains(name, rows, priors=priors, **more)
        except AlreadyExistsError:
            found = connected.datasets.get(name)
            if found.num_rows == len(rows) or attempt == 1:
                return found
            name += uuid.uuid4().hex[:8]  # an upload that was interrupted: leave it alone
    raise AssertionError("unreachable")
