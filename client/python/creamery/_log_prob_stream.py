"""Log-densities of a stream of blocks: one call, many questions on their way, memory that does not grow."""

from __future__ import annotations

import collections
import queue
import threading
from typing import Any, Callable, Deque, Iterable, Iterator, List, NamedTuple, Optional, Set

import grpc

from creamery import _errors
from creamery._density_calls import Asked, Points
from creamery._errors import CreameryError, InternalError, InvalidArgumentError
from creamery._transport import Repetition, Transport
from creamery.v1 import inference_service_pb2

METHOD = "LogProbStream"


class _Question(NamedTuple):
    """One question of the call: a block, or a piece of a block that is too big for one message."""

    message: Any  # of the call; None for a block that cannot be sent
    failure: Optional[InvalidArgumentError]  # why it cannot
    alone: bool
    last: bool  # of its block


class LogProbStream(Iterator[Any]):
    """The answers to blocks of points, in their order, from one version. Made by `model.log_prob_stream`.

    Blocks are taken from their iterable in the thread that asks for the next answer, a few ahead of it; replies are
    read in a thread of their own, so that neither side waits for the other to read. For one thread at a time.

    An error of one block is raised where its answer would have come, and `next` goes on with the block after it. A
    server that restarts is asked again, for the client's patience, for what it has not answered; any other error of the
    connection ends the stream and is raised from then on. Close it, use it as a context manager, or take
    all its answers.
    """

    def __init__(
        self,
        transport: Transport,
        model: str,
        asked: Asked,
        blocks: Iterator[Any],
        points: Callable[[Any], Points],
        x: Optional[Any],
        warn: Callable[[Iterable[int]], Any],
        return_errors: bool,
        in_flight: int,
    ) -> None:
        if in_flight < 1:
            raise InvalidArgumentError(f"in_flight is {in_flight}, expected at least 1")
        self._asked = asked
        self._return_errors, self._in_flight = return_errors, in_flight
        self._warn = warn
        self._warned: Set[int] = set()
        self._questions = _cut(asked, model, blocks, points, x)
        self._more = True
        self._sent: Deque[_Question] = collections.deque()
        self._failure: Optional[CreameryError] = None
        self._transport, self._model = transport, model
        self._repetition = Repetition(transport, METHOD)
        self._dial([])

    def __next__(self) -> Any:
        answers: List[Any] = []
        failure: Optional[CreameryError] = None
        while True:
            self._send_ahead()
            if not self._sent:
                raise self._failure if self._failure is not None and self._more else StopIteration
            question = self._sent.popleft()
            reply = None if question.message is None else self._receive(question)
            if reply is None:
                failure = question.failure
            elif reply.HasField("error"):
                failure = failure or _errors.of_code(reply.error.code, reply.error.message)
            else:
                answers.append(reply.answer)
            if question.last:
                break
        if failure is not None:
            if self._return_errors:
                return failure
            raise failure
        kinds = {kind for answer in answers for kind in answer.warnings} - self._warned
        if kinds:  # each once for the whole stream
            self._warned |= kinds
            self._warn(sorted(kinds))
        joined = self._asked.answers(answers, question.alone)
        return joined if len(joined) > 1 else joined[0]

    def close(self) -> None:
        """Ends the call; answers that have not come are lost."""
        self._fail(_errors.CancelledError("the stream was closed"))

    def __enter__(self) -> LogProbStream:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_call"):
            self.close()

    def _dial(self, unanswered: List[Any]) -> None:
        """A new call, with every message that has no reply."""
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        if unanswered:
            first = inference_service_pb2.LogProbStreamRequest()
            first.CopyFrom(unanswered[0])
            first.question.model = self._model  # the first message of a call says which version answers
            for message in [first, *unanswered[1:]]:
                self._requests.put(message)
        if not self._more:
            self._requests.put(None)
        self._call = self._transport.exchange(METHOD, iter(self._requests.get, None))
        # Holds the call and the queue, not this object, which is then collected if nobody holds it.
        threading.Thread(target=_read, args=(self._call, self._replies), name="creamery-replies", daemon=True).start()

    def _send_ahead(self) -> None:
        while self._more and self._failure is None and len(self._sent) < self._in_flight:
            question = next(self._questions, None)
            if question is None:
                self._more = False
                self._requests.put(None)
                return
            self._sent.append(question)
            if question.message is not None:
                self._requests.put(question.message)

    def _receive(self, question: _Question) -> Any:
        """The reply to the oldest question without one."""
        while True:
            reply = self._failure or self._replies.get()
            if not isinstance(reply, CreameryError):
                self._repetition.restart()
                return reply
            if self._failure is not None or not self._repetition.again(reply):
                self._fail(reply)
                raise reply
            self._requests.put(None)  # lets the sending thread of the call that ended go
            waiting = [each.message for each in self._sent if each.message is not None]
            self._dial([question.message, *waiting])

    def _fail(self, failure: CreameryError) -> None:
        self._failure = self._failure or failure
        self._requests.put(None)  # lets gRPC's sending thread go
        self._call.cancel()


def _cut(
    asked: Asked, model: str, blocks: Iterator[Any], points_of: Callable[[Any], Points], x: Optional[Any]
) -> Iterator[_Question]:
    """The questions of all blocks; the first names the version that answers all of them."""
    for block in blocks:
        try:
            points = points_of(block)
            pieces = list(asked.pieces(points))
        except InvalidArgumentError as error:
            yield _Question(None, error, False, True)
            continue
        for start, stop in pieces:
            question = asked.message(model, points, start, stop, x)
            message = inference_service_pb2.LogProbStreamRequest(question=question)
            yield _Question(message, None, points.alone, stop == pieces[-1][1])
            model = ""


def _read(call: Any, replies: queue.SimpleQueue[Any]) -> None:
    """Hands over every reply and in the end the reason why there are no more."""
    try:
        for reply in call:
            replies.put(reply)
        replies.put(InternalError("the server ended the stream before its last answer"))
    except grpc.RpcError as error:
        replies.put(_errors.from_rpc_error(error))
