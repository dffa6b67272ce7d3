"""Statistics that need likelihood values of the client: rounds of points and values, kept in a file on the way.

The server fixes the points by model version and seed and remembers nothing; every call brings all values so far. So a
client that was killed goes on from its file, on any machine, and the answer is the one it would have been.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Union

import numpy as np
from numpy.typing import NDArray

from creamery import _arguments, _arrays
from creamery._arrays import FloatArray
from creamery._errors import AbortedError, InvalidArgumentError

_SECONDS_BETWEEN_SAVES = 30.0
_POOL_SLICE = 256  # points that a pool gets at once, at least
LogLikelihood = Callable[[NDArray[np.float64]], Any]
PathLike = Union[str, Path]


class Values:
    """Points, as far as they are known, and their log-likelihoods, kept in an .npz file if there is a path.

    Attributes:
        question: what decides the points: the same values must never meet another question.
        theta: (n, d) points.
        log_likelihood: (n,) natural log, of the first of the points.
    """

    def __init__(self, question: Dict[str, Any], path: Optional[PathLike]) -> None:
        self.question = json.loads(json.dumps(question))
        self.theta: FloatArray = np.empty((0, 0))
        self.log_likelihood: FloatArray = np.empty(0)
        self._path = None if path is None else Path(path)
        if self._path is not None and self._path.exists():
            self._read(self._path)

    def _read(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as kept:
                question = json.loads(str(kept["question"]))
                theta, values = kept["theta"], kept["log_likelihood"]
        except (OSError, ValueError, KeyError) as error:
            raise InvalidArgumentError(f"{path} holds no values kept by this client: {error}") from error
        for key, asked in self.question.items():
            was = question.get(key)
            if asked is None:  # left open: as it was
                self.question[key] = was
            elif was != asked:
                raise InvalidArgumentError(
                    f"{path} holds values for {key} {was!r}, now asked with {asked!r}: give another path, or "
                    f"the same {key}"
                )
        self.theta, self.log_likelihood = theta, values

    def add(self, theta: FloatArray, values: FloatArray) -> None:
        """Joins values of the next points."""
        self.theta = theta.copy() if self.theta.size == 0 else np.concatenate([self.theta, theta])
        self.log_likelihood = np.concatenate([self.log_likelihood, values])

    def keep(self) -> None:
        """Writes the file, whole or not at all."""
        if self._path is None:
            return
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            with open(partial, "wb") as file:
                np.savez(file, question=json.dumps(self.question), theta=self.theta, log_likelihood=self.log_likelihood)
            os.replace(partial, self._path)
        finally:
            partial.unlink(missing_ok=True)


def run(
    values: Values,
    ask: Callable[[Any, Optional[int]], Any],
    log_likelihood: LogLikelihood,
    vectorized: bool = False,
    pool: Any = None,
    progress: Optional[Callable[[Any, int], None]] = None,
) -> Any:
    """Asks, evaluates and asks again until the server says that it is done.

    Args:
        values: those known so far; grows.
        ask: (log-likelihoods as an Array, size of the round or None) -> reply with next_theta, done and seed.
        log_likelihood: of one point (d,), or of many (m, d) if `vectorized`.
        vectorized: see `log_likelihood`.
        pool: anything with `map`, for one point at a time.
        progress: called with every reply and the number of values behind it.

    Returns:
        The last reply.
    """
    values.log_likelihood = np.ascontiguousarray(values.log_likelihood, dtype=np.float64)
    _complete_points(values, ask)
    while True:
        reply = ask(_arrays.to_proto(values.log_likelihood), None)
        if values.question.get("seed") is None:
            values.question["seed"] = reply.seed
        if progress is not None:
            progress(reply, len(values.log_likelihood))
        theta = _arrays.from_proto(reply.next_theta) if reply.next_theta.data else np.empty((0, 0))
        if reply.done or len(theta) == 0:
            return reply
        _evaluate(values, theta, log_likelihood, vectorized, pool)


def _complete_points(values: Values, ask: Callable[[Any, Optional[int]], Any]) -> None:
    """Asks again for the points of values that came without them."""
    n = len(values.log_likelihood)
    while len(values.theta) < n:
        known = len(values.theta)
        reply = ask(_arrays.to_proto(values.log_likelihood[:known]), min(n - known, 100_000))
        theta = _arrays.from_proto(reply.next_theta)[: n - known] if reply.next_theta.data else np.empty((0, 0))
        if len(theta) == 0:
            raise AbortedError(f"{n} values are given, but the server ends after {known}: raise max_points")
        if values.question.get("seed") is None:
            values.question["seed"] = reply.seed
        values.theta = theta.copy() if known == 0 else np.concatenate([values.theta, theta])


def _evaluate(values: Values, theta: FloatArray, log_likelihood: LogLikelihood, vectorized: bool, pool: Any) -> None:
    """Adds the values of a round; what is done when the function raises is kept."""
    first = len(values.log_likelihood)
    if vectorized:
        answer = _arrays.floats("the log-likelihood", log_likelihood(theta)).astype(np.float64)
        if answer.shape != (len(theta),):
            raise InvalidArgumentError(
                f"the log-likelihood has shape {answer.shape} for theta of shape {theta.shape}, "
                f"expected ({len(theta)},)"
            )
        _refuse_nan(answer, theta, first)
        values.add(theta, answer)
        values.keep()
        return
    if pool is not None:
        _evaluate_in_pool(values, theta, log_likelihood, pool)
        return
    done: List[float] = []
    saved = time.monotonic()

    def join() -> None:
        if done:
            at = len(values.log_likelihood) - first
            values.add(theta[at : at + len(done)], np.array(done))
            done.clear()
        values.keep()

    try:
        for i, point in enumerate(theta):
            value = _value(log_likelihood(point))
            _refuse_nan(np.array([value]), theta[i : i + 1], first + i)
            done.append(value)
            if time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                join()
                saved = time.monotonic()
    finally:
        join()


def _evaluate_in_pool(values: Values, theta: FloatArray, log_likelihood: LogLikelihood, pool: Any) -> None:
    """One point in each process, in slices of about the time between two saves."""
    start, size = 0, _POOL_SLICE
    while start < len(theta):
        piece = theta[start : start + size]
        began = time.monotonic()
        answer = np.array([_value(each) for each in pool.map(log_likelihood, list(piece))])
        _refuse_nan(answer, piece, len(values.log_likelihood))
        values.add(piece, answer)
        values.keep()
        start += len(piece)
        rate = len(piece) / max(1e-3, time.monotonic() - began)
        size = max(_POOL_SLICE, int(rate * _SECONDS_BETWEEN_SAVES))


def _value(answer: Any) -> float:
    """The log-likelihood of one point; an array with one element counts."""
    if isinstance(answer, np.ndarray) and answer.size == 1:
        answer = answer.reshape(())
    return _arguments.number("the log-likelihood of a point", answer)


def _refuse_nan(values: FloatArray, theta: FloatArray, first: int) -> None:
    bad = np.isnan(values) | (values == np.inf)
    if bad.any():
        i = int(np.argmax(bad))
        raise InvalidArgumentError(
            f"the log-likelihood is {values[i]} at point {first + i}, theta {theta[i].tolist()}; "
            "expected a number, or -inf where the likelihood is zero"
        )
