"""Importance sampling from a density, with the results under margarine's names."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import numpy as np
from numpy.typing import NDArray

from creamery._errors import InvalidArgumentError

_MOST_TRIALS = 10  # per point asked for


def integrate(
    draw: Callable[[int], Any],
    log_density: Callable[[Any], Any],
    log_likelihood: Callable[[Any], float],
    log_prior: Callable[[Any], Any],
    batch_size: int,
    sample_size: int,
    logzero: float,
) -> Dict[str, Any]:
    """Z = mean of L prior / q over draws of q; points where L or q vanishes count as trials with weight 0.

    Args:
        draw: number of rows -> (n, d) draws of q.
        log_density: (n, d) -> (n,) natural log of q.
        log_likelihood: natural log of L at one point.
        log_prior: (n, d) -> (n,) natural log of the prior.
        batch_size: points of one draw.
        sample_size: points with a likelihood in all.
        logzero: below it a likelihood or density counts as zero.

    Returns:
        "x" (n, d), "y" (n,) log L, "weights" (n,), "efficiency" n_eff/n, "trials", "log_integral" and "log_stderr", the
        natural log of the standard error of Z.

    Raises:
        InvalidArgumentError: fewer than one draw in ten has a likelihood.
    """
    xs: List[NDArray[Any]] = []
    ys: List[NDArray[Any]] = []
    logs: List[NDArray[Any]] = []
    found = trials = 0
    while found < sample_size:
        if trials > _MOST_TRIALS * sample_size:
            raise InvalidArgumentError(
                f"{found} of {trials} draws have a likelihood: density and likelihood do not match"
            )
        x = np.asarray(draw(batch_size))
        y = np.array([float(log_likelihood(point)) for point in x])
        q = np.asarray(log_density(x))
        kept = (y >= logzero) & (q >= logzero)
        last = np.flatnonzero(kept)[: sample_size - found]
        trials += int(last[-1]) + 1 if len(last) == sample_size - found else len(x)
        xs.append(x[last])
        ys.append(y[last])
        logs.append(y[last] + np.asarray(log_prior(x[last])).reshape(-1) - q[last])
        found += len(last)
    log_weights = np.concatenate(logs)
    largest = float(log_weights.max())
    scaled = np.exp(log_weights - largest)
    mean = scaled.sum() / trials
    variance = max(0.0, (scaled**2).sum() / trials - mean**2) / max(1, trials - 1)
    with np.errstate(divide="ignore"):
        return {
            "x": np.concatenate(xs),
            "y": np.concatenate(ys),
            "weights": np.exp(log_weights),
            "efficiency": float(scaled.sum() ** 2 / (scaled**2).sum() / sample_size),
            "trials": trials,
            "log_integral": float(np.log(mean) + largest),
            "log_stderr": float(0.5 * np.log(variance) + largest),
        }
