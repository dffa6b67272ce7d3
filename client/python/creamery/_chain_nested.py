"""Points of nested sampling in text files, and the evidence that their volumes give."""

from __future__ import annotations

import math
import os
from collections import Counter
from typing import Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from creamery import _chain_objects, _chain_roots, _chain_text
from creamery._errors import InvalidArgumentError

_LOG_ZERO = -0.99e30  # what samplers write for a likelihood of zero: -1e30, or the lowest double
Floats = NDArray[np.float64]


def logarithms(values: Floats) -> Floats:
    """Log-likelihoods with -inf for what samplers write in its place; NaN as well, as births of first live points."""
    taken: Floats = np.where(np.isnan(values) | (values <= _LOG_ZERO), -np.inf, values)
    return taken


def read(run: _chain_roots.Run, names: int) -> Tuple[Floats, Floats, Floats, str]:
    """Parameters (n, d), log L (n,) and log L at birth (n,) of a run, and a note of what was read.

    Args:
        run: its files.
        names: number of the parameters, or 0 where it is not known.

    Raises:
        InvalidArgumentError: a malformed file.
    """
    multinest = run.sampler == "multinest"
    if run.dead_birth.endswith("ev.dat"):
        return _read_without_births(run, names)
    points = _points(run.dead_birth, 2 if multinest else 0, names)
    live_path = f"{run.root}{'' if multinest else '_'}phys_live-birth.txt"
    dead = len(points)
    if os.path.isfile(live_path):
        live = _points(live_path, 1 if multinest else 0, points.shape[1] - 2)
        # A finished run has its last live points among the dead ones already.
        among = Counter(map(bytes, points + 0.0))
        new = np.ones(len(live), dtype=bool)
        for i, point in enumerate(map(bytes, live + 0.0)):
            new[i] = among[point] <= 0
            among[point] -= 1
        points = np.concatenate([points, live[new]])
        note = f"{dead} dead points, and {int(new.sum())} live points of {live_path}"
        if not new.all():
            note += f" ({int((~new).sum())} further ones are among the dead points already)"
    else:
        note = (
            f"{dead} dead points; there is no {live_path} with the live points at the end: log Z comes out low without "
            "them"
        )
    return np.ascontiguousarray(points[:, :-2]), points[:, -2].copy(), points[:, -1].copy(), note


def _points(path: str, extra: int, names: int) -> Floats:
    """Rows of parameters, log L and log L at birth, without `extra` columns of the sampler's own."""
    values = _chain_text.read_rows(path, " ").values
    kept = values.shape[1] - extra
    if kept < 3 or (names and kept != names + 2):
        raise InvalidArgumentError(
            f"{path} has {values.shape[1]} columns, expected {f'{names} ' if names else ''}parameters, log L and log L "
            f"at birth{f', and {extra} columns of its own of MultiNest' if extra else ''}"
        )
    values = np.array(values[:, :kept])
    wrong = np.flatnonzero(np.isnan(values[:, -2]))
    if len(wrong):
        raise InvalidArgumentError(f"{path}, row {wrong[0] + 1}, column {kept - 1}: log L is NaN, expected a number")
    values[:, -2:] = logarithms(values[:, -2:])
    return values


def _read_without_births(run: _chain_roots.Run, names: int) -> Tuple[Floats, Floats, Floats, str]:
    """An older MultiNest: `ev.dat` and `phys_live.points`, whose number of live points stands for the births."""
    live_path = f"{run.root}phys_live.points"
    dead = _chain_text.read_rows(run.dead_birth, " ").values
    live = _chain_text.read_rows(live_path, " ").values
    size = live.shape[1] - 2
    if size < 1 or dead.shape[1] != size + 3 or (names and names != size):
        raise InvalidArgumentError(
            f"{run.dead_birth} has {dead.shape[1]} columns and {live_path} {live.shape[1]}, expected "
            f"{names or 'parameters'} + 3 and + 2"
        )
    points = np.concatenate([dead[:, : size + 1], live[:, : size + 1]])
    points = points[np.argsort(points[:, -1], kind="stable")]
    alive = np.concatenate([np.full(len(dead), len(live)), np.arange(len(live), 0, -1)]).astype(np.int64)
    born = _chain_objects.births(points[:, -1], alive)
    note = f"{len(dead)} dead points, and {len(live)} live points of {live_path}; births follow from their number"
    return np.ascontiguousarray(points[:, :-1]), logarithms(points[:, -1]), born, note


def evidence(log_l: Floats, birth: Floats) -> Optional[Tuple[float, float]]:
    """log Z with the mean volumes of the dead points, by trapezia, and the error of volumes alone, to first order.

    Skilling 2006, https://doi.org/10.1214/06-BA127. None where no point has any likelihood.
    """
    n = len(log_l)
    deaths, births = np.sort(log_l), np.sort(birth)
    born = np.maximum(np.searchsorted(births, deaths, side="left"), np.count_nonzero(np.isneginf(births)))
    live = np.maximum(born - np.arange(n), 1).astype(np.float64)
    log_volume = np.concatenate([[0.0], np.cumsum(np.log(live / (live + 1)))])
    shrunk = np.zeros(n)
    shrunk[:-1] = np.log1p(-np.exp(log_volume[2:] - log_volume[:-2]))
    log_weight = deaths + shrunk + log_volume[:-1] - math.log(2)
    largest = float(log_weight.max())
    if not math.isfinite(largest):
        return None
    share = np.exp(log_weight - largest)
    total = float(share.sum())
    # d log Z / d log t of a shrinkage t is the share of the posterior behind it; log t has the variance 1 / live².
    behind = np.cumsum(share[::-1])[::-1] / total
    return largest + math.log(total), float(np.sqrt(np.sum((behind / live) ** 2)))
