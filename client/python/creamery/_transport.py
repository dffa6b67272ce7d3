"""The channel to a server: credentials, retries, limits, and calls that raise this package's exceptions."""

from __future__ import annotations

import collections
import json
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Optional, Tuple, Union

import grpc
import grpc.experimental
from google.protobuf import message_factory

from creamery import _warnings
from creamery._errors import AlreadyExistsError, InvalidArgumentError, UnavailableError, from_rpc_error
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

# UNAVAILABLE means "try again now" and is the one code that is retried; creating calls carry a request_id.
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
_MAX_MESSAGE_BYTES = 64 << 20
_IN_FLIGHT = 4
_STREAM_ATTEMPTS = 5


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


class Transport:
    """One channel and its stubs, made once. Thread-safe."""

    def __init__(
        self,
        address: str,
        token: Optional[str] = None,
        tls_ca: Optional[Union[str, Path]] = None,
        timeout: Optional[float] = 300.0,
        project: Optional[str] = None,
    ) -> None:
        self.address = address
        self.project = project  # of names without one
        self.timeout = timeout
        options: List[Tuple[str, Any]] = [
            ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
            ("grpc.enable_retries", 1),
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
        try:
            return self._stubs[method](request, metadata=self._metadata, timeout=timeout or self.timeout)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    def call_each(self, method: str, requests: Iterable[Any]) -> Iterator[Any]:
        """Replies in the order of the requests, with a few of them on their way at any time."""
        pending: Deque[Any] = collections.deque()
        stub = self._stubs[method]
        try:
            for request in requests:
                if len(pending) >= _IN_FLIGHT:
                    yield pending.popleft().result()
                pending.append(stub.future(request, metadata=self._metadata, timeout=self.timeout))
            while pending:
                yield pending.popleft().result()
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        finally:
            for call in pending:
                call.cancel()

    def stream(self, method: str, request: Any, timeout: Optional[float] = None) -> Iterator[Any]:
        """One request, replies as they come; leaving the loop early cancels the call."""
        call = self._stubs[method](request, metadata=self._metadata, timeout=timeout)
        try:
            yield from call
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()

    def exchange(self, method: str, requests: Iterator[Any]) -> Any:
        """Many requests, many replies: the call, which gRPC feeds from `requests` in a thread of its own."""
        return self._stubs[method](requests, metadata=self._metadata)

    def upload(self, method: str, requests: Callable[[], Iterator[Any]]) -> Any:
        """Many requests, one reply. Sent again from the start on UNAVAILABLE: the first must carry a request_id."""
        for attempt in range(_STREAM_ATTEMPTS):
            try:
                return self._stubs[method](requests(), metadata=self._metadata)
            except grpc.RpcError as error:
                failure = from_rpc_error(error)
                if not isinstance(failure, UnavailableError) or attempt == _STREAM_ATTEMPTS - 1:
                    raise failure from error
                time.sleep(min(2.0, 0.1 * 2**attempt))
        raise AssertionError("unreachable")

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
