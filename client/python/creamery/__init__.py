"""Creamery: train normalising flows on posterior samples once, ask them from anywhere.

Example:
    >>> import creamery
    >>> client = creamery.Client("localhost:50051")
    >>> chain = client.datasets.upload("planck/chain", theta, names=["omegam", "sigma8"], weights=w)
    >>> model = client.train("planck/cosmo", chain, creamery.MAF(transforms=6)).result(progress=True)
    >>> model.log_prob(theta)
"""

from typing import Type

from creamery import _grpc  # noqa: F401  (before anything that imports grpc)
from creamery._chains import Chains, read_chains
from creamery._check import CorrelationDifference, FitReport, QuantileDifference
from creamery._client import Client
from creamery._convergence import Convergence, ParameterConvergence
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
from creamery._estimate import Estimate, Evidence, EvidenceRatio
from creamery._job_array import JobArray, JobArrayStatus
from creamery._jobs import Job, JobStatus, Progress
from creamery._joint import JointResult
from creamery._log_prob_stream import LogProbStream
from creamery._model import Model
from creamery._models import ModelSummary
from creamery._priors import LogUniform, Normal, Uniform
from creamery._projects import Project
from creamery._proposal import Proposal
from creamery._reweighted import Reweighted
from creamery._specs import FAMILIES, EstimatorSpec
from creamery._training import Candidate
from creamery._two_sample import TwoSampleTest
from creamery._warnings import CreameryWarning

__version__ = "0.1.0"

# Named for readers and type checkers; every other family of the descriptor is here too.
MAF: Type[EstimatorSpec] = FAMILIES["MAF"]
NSF: Type[EstimatorSpec] = FAMILIES["NSF"]
KDE: Type[EstimatorSpec] = FAMILIES["KDE"]
PIECEWISE: Type[EstimatorSpec] = FAMILIES["PIECEWISE"]
BLOCKS: Type[EstimatorSpec] = FAMILIES["BLOCKS"]
AUTO: Type[EstimatorSpec] = FAMILIES["AUTO"]
globals().update(FAMILIES)

__all__ = [
    "AUTO",
    "AbortedError",
    "AlreadyExistsError",
    "BLOCKS",
    "CancelledError",
    "Candidate",
    "Chains",
    "Client",
    "Convergence",
    "CorrelationDifference",
    "CreameryError",
    "CreameryWarning",
    "DataLossError",
    "Dataset",
    "DeadlineExceededError",
    "Estimate",
    "EstimatorSpec",
    "Evidence",
    "EvidenceRatio",
    "FailedPreconditionError",
    "FitReport",
    "InternalError",
    "InvalidArgumentError",
    "Job",
    "JobArray",
    "JobArrayStatus",
    "JobFailedError",
    "JobStatus",
    "JointResult",
    "KDE",
    "LogProbStream",
    "LogUniform",
    "MAF",
    "Model",
    "ModelSummary",
    "NSF",
    "Normal",
    "NotFoundError",
    "PIECEWISE",
    "ParameterConvergence",
    "PermissionDeniedError",
    "Progress",
    "Project",
    "Proposal",
    "QuantileDifference",
    "ResourceExhaustedError",
    "Reweighted",
    "TwoSampleTest",
    "UnauthenticatedError",
    "UnavailableError",
    "Uniform",
    "UnimplementedError",
    "UnknownOptionError",
    "read_chains",
]
