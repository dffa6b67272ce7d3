"""What weights are worth, whatever their size."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def effective_size(weights: NDArray[np.float64]) -> float:
    """Kish's effective size, (sum w)^2 / sum w^2.

    Args:
        weights: (n,), finite and at least 0; a power of two is taken out first, so that squares are numbers.

    Returns:
        The number of equal weights with the same variance of their mean; 0 if all are 0.
    """
    largest = float(weights.max()) if len(weights) else 0.0
    if not largest > 0:
        return 0.0
    scaled = np.ldexp(weights.astype(np.float64), -math.frexp(largest)[1])
    return float(scaled.sum() ** 2 / (scaled**2).sum())
