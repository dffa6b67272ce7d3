"""An estimate with its error and what the error is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple


@dataclass(frozen=True, repr=False)
class Estimate:
    """A number with its standard error; `float(estimate)` is its value.

    Attributes:
        value: the estimate, in `unit`.
        error: total standard error: the root of the sum of the squares of the parts.
        parts: standard errors by origin: "monte_carlo" (finite draws), "chain" (finite chain), "approximation" (half
            the gap between rows seen and not seen in training), "member" (spread over members).
        warnings: reasons for care, such as "FEW_EFFECTIVE_SAMPLES".
        effective_size: effective number of rows behind it.
        seed: the seed that was used.
        model_version: the version that answered.
        prior_model_version: the version of the prior's model; empty if it is analytic.
        unit: "nats", or empty for a pure number.

    Example:
        >>> creamery.Estimate(5.5912, 0.0631, unit="nats")
        5.59 ± 0.06 nats
    """

    value: float
    error: float
    parts: Dict[str, float] = field(default_factory=dict)
    warnings: Tuple[str, ...] = ()
    effective_size: float = math.nan
    seed: Optional[int] = None
    model_version: str = ""
    prior_model_version: str = ""
    unit: str = ""

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"{format_with_error(self.value, self.error)}{' ' + self.unit if self.unit else ''}"


def format_with_error(value: float, error: float) -> str:
    """`5.59 ± 0.06`: the error to one digit (two if it begins with 1), the value to the same place."""
    if not (math.isfinite(value) and math.isfinite(error)) or error <= 0:
        return f"{value:.6g} ± {error:.2g}"
    mantissa = float(f"{error:.0e}".split("e")[0])
    digits = 2 if mantissa == 1 else 1
    place = digits - 1 - int(f"{error:.{digits - 1}e}".split("e")[1])
    if place < 0:
        return f"{round(value, place):.0f} ± {round(error, place):.0f}"
    return f"{value:.{place}f} ± {error:.{place}f}"


def from_proto(message: Any, unit: str, **details: Any) -> Estimate:
    """The Estimate of a `creamery.v1.Estimate`."""
    parts = {
        "monte_carlo": message.monte_carlo_error,
        "chain": message.chain_error,
        "approximation": message.approximation_error,
        "member": message.member_error,
    }
    return Estimate(message.value, message.error, parts, effective_size=message.effective_size, unit=unit, **details)
