"""How points become requests of a model version, and replies the answers in the form in which the points were given."""

from __future__ import annotations

import os
from typing import Any, Dict, Hashable, Iterator, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from creamery import _arguments, _arrays
from creamery._errors import InvalidArgumentError
from creamery._model_base import ModelBase
from creamery._transport import Transport
from creamery.v1 import model_pb2, precision_pb2

# Far below the 3 MiB a reply may have, and big enough that the call costs nothing beside the numbers.
_CHUNK_BYTES = 2 << 20
_PRECISIONS = {
    None: precision_pb2.PRECISION_UNSPECIFIED,
    "single": precision_pb2.SINGLE_PRECISION,
    "double": precision_pb2.DOUBLE_PRECISION,
}
_FLOAT64 = np.dtype("<f8")
# Most requests for one point that a model keeps: options that change from call to call must not fill the memory.
_KEPT = 16
Options = Dict[str, Hashable]
Key = Tuple[Hashable, ...]  # a question with its options


class Points(NamedTuple):
    """The points of a question."""

    rows: NDArray[Any]  # (n, d)
    columns: Optional[Tuple[str, ...]]
    alone: bool  # given as (d,): the answer has no axis of rows either

    @classmethod
    def of(cls, what: str, values: Any, columns: Optional[Sequence[str]] = None) -> Points:
        """Points that are called `what`, from numbers of shape (n, d) or (d,)."""
        array = _arrays.floats(what, values)
        alone = array.ndim <= 1
        return cls(array.reshape(1, -1) if alone else array, None if columns is None else tuple(columns), alone)


class Asked(NamedTuple):
    """One way of asking: everything of a request but the points and their context."""

    method: str
    request: Any  # class of the message
    what: str  # its field with the points
    fields: Tuple[str, ...]  # of the reply, in the order of the answers
    options: Options  # further fields of the request
    max_rows: int = 1 << 30  # of one request

    def message(self, model: str, points: Points, start: int, stop: int, x: Optional[Any] = None) -> Any:
        """The request for the rows [start, stop); x is cut like the rows if there is one of it for each."""
        message = self.request(model=model, **{self.what: _arrays.to_proto(points.rows[start:stop])}, **self.options)
        if points.columns is not None:
            message.columns.extend(points.columns)
        if x is not None:
            context = _arrays.floats("x", x)
            context = context.reshape(1, -1) if context.ndim <= 1 else context
            if context.ndim == 2 and len(context) == len(points.rows) > 1:
                context = context[start:stop]
            message.x.CopyFrom(_arrays.to_proto(context))
        return message

    def pieces(self, points: Points) -> Iterator[Tuple[int, int]]:
        """The rows [start, stop) of each request: as few requests as keep every message small.

        Raises:
            InvalidArgumentError: NaN or infinity in one of several pieces, whose rows the server would count from the
                start of the piece.
        """
        n = len(points.rows)
        bytes_per_row = 8 * max(1, points.rows[:1].size) * (2 if len(self.fields) > 1 else 1)
        step = min(self.max_rows, _arrays.chunk_rows(bytes_per_row, _CHUNK_BYTES))
        if n > step:
            finite = np.isfinite(points.rows).reshape(n, -1).all(axis=1)
            if not finite.all():
                raise InvalidArgumentError(f"{self.what} row {int(np.argmin(finite))} has NaN or infinity")
        return ((start, min(n, start + step)) for start in range(0, max(1, n), step))

    def answers(self, replies: Sequence[Any], alone: bool) -> Tuple[Any, ...]:
        """The fields of the replies to the pieces, joined: (n, ...), without the first axis for a point alone."""
        parts = ([_arrays.from_proto(getattr(reply, name)) for reply in replies] for name in self.fields)
        joined = tuple(np.concatenate(each) for each in parts)
        if not alone:
            return joined
        return tuple(float(answer[0]) if answer.ndim == 1 else answer[0] for answer in joined)


class PointRequest:
    """The bytes of a request around those of its one point, which alone differ from call to call. Immutable."""

    __slots__ = ("after", "before", "columns", "d", "fields", "method")

    def __init__(self, asked: Asked, model: str, points: Points) -> None:
        self.method, self.fields = asked.method, asked.fields
        self.d, self.columns = points.rows.size, points.columns
        stand_in = os.urandom(8 * self.d)
        row = np.frombuffer(stand_in, _FLOAT64).reshape(1, self.d)
        message = asked.message(model, Points(row, points.columns, True), 0, 1)
        self.before: bytes
        self.after: bytes
        self.before, self.after = message.SerializeToString().split(stand_in)


class DensityCalls(ModelBase):
    """A model version that can be asked about points. Thread-safe."""

    def __init__(self, transport: Transport, proto: model_pb2.ModelVersion) -> None:
        super().__init__(transport, proto)
        # Requests for one point by the question asked; threads add and replace, never change what is in it.
        self._point_requests: Dict[Key, PointRequest] = {}

    def _points(
        self, theta: Any, columns: Optional[Sequence[str]] = None, wanted: Optional[Sequence[str]] = None
    ) -> Points:
        """Points in any form; of a table the columns `wanted`, else the model's parameters."""
        columns = None if columns is None else _arguments.names("columns", columns)
        if _arrays.is_table(theta):
            names = self.parameters if wanted is None else wanted
            theta, found = _arrays.table(theta, names if columns is None else columns)
            if columns is not None and found is not None and found != list(columns):
                missing = [name for name in columns if name not in found]
                raise InvalidArgumentError(
                    f"theta has no column {', '.join(missing)}; its columns are {', '.join(found)}"
                )
            columns = found
        return Points.of("theta", theta, columns)

    def _hypercube(self, u: Any) -> Points:
        """Points of the unit hypercube; of a table the columns of the model's parameters, and no others.

        Raises:
            InvalidArgumentError: not numbers, or other columns.
        """
        if _arrays.is_table(u):
            u, found = _arrays.table(u, self.parameters, "u")
            if found is None or found != self.parameters:
                found = found or []
                raise InvalidArgumentError(
                    f"u has the columns {', '.join(found)}, expected {', '.join(self.parameters)}"
                )
        return Points.of("u", u)

    def _ask_again(self, key: Key, point: Any) -> Optional[Sequence[Any]]:
        """The answers to a question asked before, for one point as a float64 array; None for all else.

        This is the inner loop of samplers. Between two calls the caches are cold, and every line costs ten times what
        it costs in a loop of its own: there should be few.
        """
        try:
            request = self._point_requests.get(key)
        except TypeError:  # an option of a wrong type
            return None
        if request is None or type(point) is not np.ndarray or point.shape != (request.d,):
            return None
        if point.dtype is not _FLOAT64 or request.columns is not None:
            return None
        return self._ask_point(request, point)

    def _ask_point(self, request: PointRequest, point: NDArray[np.float64]) -> Sequence[Any]:
        reply = self._transport.call(request.method, request.before + point.tobytes() + request.after)
        if reply.warnings:
            self._warn(reply.warnings)
        return [_arrays.first_row(getattr(reply, name)) for name in request.fields]

    def _ask(self, key: Key, asked: Asked, points: Points, x: Optional[Any] = None) -> Sequence[Any]:
        """The answers, one for each field of `asked`, which is kept under `key` for the next point."""
        if points.alone and x is None and points.rows.size > 0 and _is_hashable(key):
            request = self._point_requests.get(key)
            if request is None or request.d != points.rows.size or request.columns != points.columns:
                request = PointRequest(asked, self.name, points)
                if len(self._point_requests) >= _KEPT:
                    self._point_requests.clear()
                self._point_requests[key] = request
            return self._ask_point(request, points.rows.astype(_FLOAT64, copy=False))
        pieces = list(asked.pieces(points))
        requests = (asked.message(self.name, points, start, stop, x) for start, stop in pieces)
        if len(pieces) == 1:
            replies = [self._transport.call(asked.method, next(requests))]
        else:
            replies = list(self._transport.call_each(asked.method, requests))
        answers = asked.answers(replies, points.alone)
        kinds = [kind for reply in replies for kind in reply.warnings]
        if kinds:
            self._warn(kinds)
        return answers


def _is_hashable(key: Key) -> bool:
    """False with an option such as an array without axes, which is a number and cannot be looked up."""
    try:
        hash(key)
    except TypeError:
        return False
    return True


def precision_code(precision: Optional[str]) -> Any:
    """The enum value of a precision by name.

    Raises:
        InvalidArgumentError: it is neither.
    """
    if precision is None or (isinstance(precision, str) and precision in _PRECISIONS):
        return _PRECISIONS[precision]
    raise _arguments.wrong("precision", precision, "'single' or 'double'")
