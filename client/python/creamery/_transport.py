"""The channel to a server: credentials, retries, limits, and calls that raise this package's exceptions."""

from __future__ import annotations

import collections
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Optional, Tuple, Union

import grpc
import grpc.experimental
from google.protobuf import message_factory

from creamery import _warnings
from creamery._errors import AlreadyExistsError, CreameryError, InvalidArgumentError, UnavailableError, from_rpc_error
from creamery.v1 import (
    dataset_service_pb2,
    inference_service_pb2,
    job_service_pb2,
    model_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)

_SERVICES = [
    service
    for module in (
        project_service_pb2,
        dataset_service_pb2,
        job_service_pb2,
        model_service_pb2,
        inference_service_pb2,
        statistics_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
]

_MAX_MESSAGE_BYTES = 64 << 20
_IN_FLIGHT = 4
# For a server that has never answered: perhaps there is none.
_FIRST_PATIENCE = 5.0
# What a server adds to the end of a call that it refused before it began.
_NOT_BEGUN = "creamery-not-begun"
# Of methods that are not safe to repeat once they may have begun; creating ones carry a request_id.
_UNSAFE = ("Delete", "Set", "Update")


def _is_local(address: str) -> bool:
    host = address.rsplit(":", 1)[0].strip("[]")
    return address.startswith("unix:") or host in ("localhost", "::1") or host.startswith("127.")


def read_token(path: Union[str, Path]) -> str:
    """The first word of the first line that is neither empty nor a comment.

    Raises:
        InvalidArgumentError: there is none.
    """
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        words = line.split("#", 1)[0].split()
        if words:
            return words[0]
    raise InvalidArgumentError(f"token file {str(path)!r} holds no token")


def _serialized(request: Any) -> bytes:
    return request if type(request) is bytes else request.SerializeToString()


class Repetition:
    """When a call is made again that the server did not answer: while it is UNAVAILABLE, for the transport's patience.

    UNAVAILABLE means "try again now", from a server that restarts or is full, and is the one code that is repeated.
    """

    def __init__(self, transport: Transport, method: str) -> None:
        self._transport = transport
        self._safe = not method.startswith(_UNSAFE)
        self._attempt = 0
        self._end = 0.0

    def again(self, failure: CreameryError, error: Any = None) -> bool:
        """After a pause: whether to make the call again that ended with `failure`, as gRPC's `error` says it."""
        if not isinstance(failure, UnavailableError):
            self._transport.answered = True
            return False
        trailing = error.trailing_metadata() if hasattr(error, "trailing_metadata") else None
        not_begun = any(key == _NOT_BEGUN for key, _ in trailing or ())
        if not_begun:
            self._transport.answered = True
        if not self._safe and not not_begun:
            return False
        now = time.monotonic()
        if self._attempt == 0:
            patience = self._transport.patience
            self._end = now + (patience if self._transport.answered else min(patience, _FIRST_PATIENCE))
        if now >= self._end:
            return False
        time.sleep(min(0.5, 0.1 * 2.0 ** min(self._attempt, 5)))
        self._attempt += 1
        return True

    def restart(self) -> None:
        """An answer came: patience begins anew."""
        self._attempt = 0
        self._transport.answered = True


class Transport:
    """One channel and its stubs, made once. Thread-safe."""

    def __init__(
        self,
        address: str,
        token: Optional[str] = None,
        tls_ca: Optional[Union[str, Path]] = None,
        timeout: Optional[float] = 300.0,
        patience: float = 60.0,
        project: Optional[str] = None,
    ) -> None:
        self.address = address
        self.project = project  # of names without one
        self.timeout = timeout
        self.patience = patience
        self.answered = False  # by a server, at any time
        options: List[Tuple[str, Any]] = [
            ("grpc.enable_retries", 1),  # of what never left this machine; the rest is Repetition's
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            # Found again soon after a restart of the server.
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.min_reconnect_backoff_ms", 1000),
            ("grpc.max_reconnect_backoff_ms", 2000),
            # Replies of a Sample are read in the thread that asks for them, which saves two changes of thread for each.
            (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1),
        ]
        if _is_local(address):
            options.append(("grpc.enable_http_proxy", 0))
        if tls_ca is not None:
            credentials = grpc.ssl_channel_credentials(Path(tls_ca).read_bytes())
            self._channel = grpc.secure_channel(address, credentials, options)
        else:
            if token is not None and not _is_local(address):
                _warnings.warn_client(f"the token travels to {address} unencrypted: give tls_ca")
            self._channel = grpc.insecure_channel(address, options)
        self._metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()
        self._stubs: Dict[str, Any] = {}
        for service in _SERVICES:
            for method in service.methods:
                self._stubs[method.name] = self._stub(service, method)

    def _stub(self, service: Any, method: Any) -> Any:
        make: Callable[..., Any] = {
            (False, False): self._channel.unary_unary,
            (False, True): self._channel.unary_stream,
            (True, False): self._channel.stream_unary,
            (True, True): self._channel.stream_stream,
        }[(method.client_streaming, method.server_streaming)]
        return make(
            f"/{service.full_name}/{method.name}",
            request_serializer=_serialized,
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )

    def call(self, method: str, request: Any, timeout: Optional[float] = None) -> Any:
        """One request, a message or its bytes; one reply."""
        repetition = None
        while True:
            try:
                reply = self._stubs[method](request, metadata=self._metadata, timeout=timeout or self.timeout)
                self.answered = True
                return reply
            except grpc.RpcError as error:
                failure = from_rpc_error(error)
                repetition = repetition or Repetition(self, method)
                if not repetition.again(failure, error):
                    raise failure from error

    def call_each(self, method: str, requests: Iterable[Any]) -> Iterator[Any]:
        """Replies in the order of the requests, with a few of them on their way at any time."""
        pending: Deque[Tuple[Any, Any]] = collections.deque()
        stub = self._stubs[method]

        def reply_to(request: Any, call: Any) -> Any:
            try:
                return call.result()
            except grpc.RpcError as error:
                failure = from_rpc_error(error)
                if not Repetition(self, method).again(failure, error):
                    raise failure from error
            return self.call(method, request)

        try:
            for request in requests:
                if len(pending) >= _IN_FLIGHT:
                    yield reply_to(*pending.popleft())
                pending.append((request, stub.future(request, metadata=self._metadata, timeout=self.timeout)))
            while pending:
                yield reply_to(*pending.popleft())
        finally:
            for _, call in pending:
                call.cancel()

    def stream(
        self,
        method: str,
        request: Any,
        timeout: Optional[float] = None,
        repeat: bool = True,
        immutable: bool = False,
        resume: Optional[Callable[[], bool]] = None,
    ) -> Iterator[Any]:
        """One request, replies as they come; leaving the loop early cancels the call.

        Args:
            method: name of the method.
            request: the message.
            timeout: of the call, seconds.
            repeat: make the call again while the server is UNAVAILABLE: always before the first reply; after it, if
                one of the next two is given.
            immutable: the replies are the same every time, so that those that came before are passed over.
            resume: makes `request` one for what has not come; false if nothing is left.
        """
        repetition = Repetition(self, method)
        handed, passed_over = 0, 0
        while True:
            call = self._stubs[method](request, metadata=self._metadata, timeout=timeout)
            try:
                for reply in call:
                    repetition.restart()
                    if passed_over > 0:
                        passed_over -= 1
                        continue
                    handed += 1
                    yield reply
                return
            except grpc.RpcError as error:
                failure = from_rpc_error(error)
                hopeless = not repeat or (handed > 0 and not immutable and resume is None)
                if hopeless or not repetition.again(failure, error):
                    raise failure from error
            finally:
                call.cancel()
            if handed > 0 and resume is not None and not resume():
                return
            passed_over = handed if immutable else 0

    def exchange(self, method: str, requests: Iterator[Any]) -> Any:
        """Many requests, many replies: the call, which gRPC feeds from `requests` in a thread of its own."""
        return self._stubs[method](requests, metadata=self._metadata)

    def upload(self, method: str, requests: Callable[[], Iterator[Any]]) -> Any:
        """Many requests, one reply. Sent again from the start on UNAVAILABLE: the first must carry a request_id."""
        repetition = Repetition(self, method)
        while True:
            try:
                return self._stubs[method](requests(), metadata=self._metadata)
            except grpc.RpcError as error:
                failure = from_rpc_error(error)
                if not repetition.again(failure, error):
                    raise failure from error

    def pages(self, method: str, request: Any, field: str) -> Iterator[Any]:
        """Every entry of a List method, page after page."""
        while True:
            reply = self.call(method, request)
            yield from getattr(reply, field)
            if not reply.next_page_token:
                return
            request.page_token = reply.next_page_token

    def make_project(self, project_id: str) -> None:
        """Makes a project unless it is there."""
        request = project_service_pb2.CreateProjectRequest(project_id=project_id, request_id=uuid.uuid4().hex)
        try:
            self.call("CreateProject", request)
        except AlreadyExistsError:
            pass

    def close(self) -> None:
        """Ends every call and closes the channel."""
        self._channel.close()
