"""Creamery: train normalising flows on posterior samples once, ask them from anywhere.

Example:
    >>> import creamery
    >>> client = creamery.Client("localhost:50051")
    >>> chain = client.datasets.upload("planck/chain", theta, names=["omegam", "sigma8"], weights=w)
    >>> model = client.train("planck/cosmo", chain, creamery.MAF(transforms=6)).result(progress=True)
    >>> model.log_prob(theta)
"""

from typing import Type

from creamery._client import Client
from creamery._datasets import Dataset
from creamery._errors import (
    AbortedError,
    AlreadyExistsError,
    CancelledError,
    CreameryError,
    DataLossError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    JobFailedError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
    UnknownOptionError,
)
from creamery._estimate import Estimate
from creamery._jobs import Job, JobStatus, Progress
from creamery._model import Model
from creamery._models import ModelSummary
from creamery._priors import LogUniform, Normal, Uniform
from creamery._specs import FAMILIES, EstimatorSpec
from creamery._warnings import CreameryWarning

__version__ = "0.1.0"

# Named for readers and type checkers; every other family of the descriptor is here too.
MAF: Type[EstimatorSpec] = FAMILIES["MAF"]
NSF: Type[EstimatorSpec] = FAMILIES["NSF"]
globals().update(FAMILIES)

__all__ = [
    "AbortedError",
    "AlreadyExistsError",
    "CancelledError",
    "Client",
    "CreameryError",
    "CreameryWarning",
    "DataLossError",
    "Dataset",
    "DeadlineExceededError",
    "Estimate",
    "EstimatorSpec",
    "FailedPreconditionError",
    "InternalError",
    "InvalidArgumentError",
    "Job",
    "JobFailedError",
    "JobStatus",
    "LogUniform",
    "MAF",
    "Model",
    "ModelSummary",
    "NSF",
    "Normal",
    "NotFoundError",
    "PermissionDeniedError",
    "Progress",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "Uniform",
    "UnknownOptionError",
]
