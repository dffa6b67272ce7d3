"""Exceptions: one class per gRPC code, chosen by the code and never by the text."""

from __future__ import annotations

from typing import Any, Dict, Optional, Type

import grpc

from creamery._text import printable


class CreameryError(Exception):
    """Base of everything this package raises on purpose.

    Attributes:
        code: the gRPC status code; None where the client noticed by itself.
        message: what happened, in words.
    """

    default_code: Optional[grpc.StatusCode] = None

    def __init__(self, message: str, code: Optional[grpc.StatusCode] = None) -> None:
        super().__init__(printable(message, keep="\n"))  # what a traceback prints
        self.message = message
        self.code = code if code is not None else self.default_code


class InvalidArgumentError(CreameryError, ValueError):
    """The request is wrong whatever the state of the server."""

    default_code = grpc.StatusCode.INVALID_ARGUMENT


class UnknownOptionError(InvalidArgumentError, TypeError):
    """An estimator spec was given an option it does not have; the message lists the right ones."""


class NotFoundError(CreameryError, LookupError):
    """The named thing does not exist."""

    default_code = grpc.StatusCode.NOT_FOUND


class AlreadyExistsError(CreameryError):
    """The name is taken, or a request_id was used with other content."""

    default_code = grpc.StatusCode.ALREADY_EXISTS


class FailedPreconditionError(CreameryError):
    """The request is right but the state is not."""

    default_code = grpc.StatusCode.FAILED_PRECONDITION


class AbortedError(CreameryError):
    """Somebody else was faster."""

    default_code = grpc.StatusCode.ABORTED


class UnauthenticatedError(CreameryError):
    """No credentials, or bad ones."""

    default_code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDeniedError(CreameryError):
    """The credentials do not allow this."""

    default_code = grpc.StatusCode.PERMISSION_DENIED


class ResourceExhaustedError(CreameryError):
    """Over a limit, which the message names."""

    default_code = grpc.StatusCode.RESOURCE_EXHAUSTED


class UnavailableError(CreameryError):
    """The server cannot be reached or is busy; it was tried several times."""

    default_code = grpc.StatusCode.UNAVAILABLE


class CancelledError(CreameryError):
    """The call was cancelled."""

    default_code = grpc.StatusCode.CANCELLED


class DeadlineExceededError(CreameryError, TimeoutError):
    """The time allowed for the call was over."""

    default_code = grpc.StatusCode.DEADLINE_EXCEEDED


class DataLossError(CreameryError):
    """Stored or received bytes are damaged."""

    default_code = grpc.StatusCode.DATA_LOSS


class UnimplementedError(CreameryError):
    """The server does not offer this."""

    default_code = grpc.StatusCode.UNIMPLEMENTED


class InternalError(CreameryError):
    """A bug of the server."""

    default_code = grpc.StatusCode.INTERNAL


class JobFailedError(CreameryError):
    """A job ended without a result: it failed or was cancelled.

    Attributes:
        job: name of the job, `projects/{project}/jobs/{job}`.
        state: "FAILED" or "CANCELLED".
    """

    def __init__(self, message: str, code: Optional[grpc.StatusCode], job: str, state: str) -> None:
        super().__init__(message, code)
        self.job = job
        self.state = state


_BY_CODE: Dict[grpc.StatusCode, Type[CreameryError]] = {
    cls.default_code: cls
    for cls in (
        InvalidArgumentError,
        NotFoundError,
        AlreadyExistsError,
        FailedPreconditionError,
        AbortedError,
        UnauthenticatedError,
        PermissionDeniedError,
        ResourceExhaustedError,
        UnavailableError,
        CancelledError,
        DeadlineExceededError,
        DataLossError,
        UnimplementedError,
        InternalError,
    )
    if cls.default_code is not None
}
_BY_CODE[grpc.StatusCode.OUT_OF_RANGE] = InvalidArgumentError


def status_code(number: int) -> grpc.StatusCode:
    """The code of a number as it stands in a message; UNKNOWN for a number that is none."""
    for code in grpc.StatusCode:
        if code.value[0] == number:
            return code
    return grpc.StatusCode.UNKNOWN


def of_code(number: int, message: str) -> CreameryError:
    """The exception of a `creamery.v1.Error`."""
    code = status_code(number)
    return _BY_CODE.get(code, CreameryError)(message or code.name, code)


def from_rpc_error(error: Any) -> CreameryError:
    """The exception of an RPC that ended with `error` (a grpc.RpcError that is also a grpc.Call)."""
    code = error.code() if callable(getattr(error, "code", None)) else grpc.StatusCode.UNKNOWN
    details = error.details() if callable(getattr(error, "details", None)) else str(error)
    return _BY_CODE.get(code, CreameryError)(details or code.name, code)
