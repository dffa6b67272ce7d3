"""margarine 2.x: `from creamery.margarine.utils.utils import approximate_bounds`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from creamery.margarine._estimator import estimated_limits


def approximate_bounds(theta: Any, weights: Any) -> NDArray[np.float64]:
    """margarine's estimate of uniform limits from the extremes of the samples and their effective size.

    Args:
        theta: (n, d) samples.
        weights: (n,) weights.

    Returns:
        (2, d) lower and upper limits.

    Raises:
        InvalidArgumentError: the effective size is at most 3.

    Example:
        >>> approximate_bounds(theta, weights).shape
        (2, 2)
    """
    return np.stack(estimated_limits(np.asarray(theta, dtype=np.float64), np.asarray(weights, dtype=np.float64)))
