"""An estimate with its error and what the error is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple

from creamery import _names
from creamery._text import printable_repr


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
        remarks: what the answer leaves out and how much, in sentences; printed below the number.

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
    remarks: Tuple[str, ...] = ()

    def __float__(self) -> float:
        return self.value

    @printable_repr
    def __repr__(self) -> str:
        number = f"{format_with_error(self.value, self.error)}{' ' + self.unit if self.unit else ''}"
        return "\n".join([number, *(f"  {remark}" for remark in self.remarks)])


@dataclass(frozen=True, repr=False)
class Evidence(Estimate):
    """A natural-log evidence, with what says whether to trust it.

    Attributes:
        method: "harmonic mean" or "importance sampling".
        efficiency: effective_size over the number of terms.
        k_hat: Pareto k-hat of the weights or terms; above 0.7 they are not to be trusted.
        done: True if the target was reached or the points are used up.
        num_points: likelihood values behind it; 0 for the harmonic mean.

    Example:
        >>> model.evidence(log_likelihood)
        -8.07 ± 0.02 nats
    """

    method: str = ""
    efficiency: float = math.nan
    k_hat: float = math.nan
    done: bool = True
    num_points: int = 0


@dataclass(frozen=True)
class EvidenceRatioEstimate:
    """One estimate of log(Z_numerator / Z_denominator).

    Attributes:
        numerator_method: how the numerator's evidence was estimated.
        denominator_method: how the denominator's was.
        log_ratio: the natural-log ratio.
    """

    numerator_method: str
    denominator_method: str
    log_ratio: Estimate


@dataclass(frozen=True, repr=False)
class EvidenceRatio:
    """All estimates of one evidence ratio side by side.

    Attributes:
        estimates: every pair of methods, the same method on both sides first.
        largest_disagreement: largest difference between two estimates of one side, in their combined errors.
        remarks: what could not be estimated and why.
        warnings: reasons for care, such as "ESTIMATES_DISAGREE".
        seed: the seed that was used.
        model_versions: the versions that answered: numerator, denominator.

    Example:
        >>> client.evidence_ratio("planck/lcdm", "planck/wcdm")
        log(Z planck/lcdm@1 / Z planck/wcdm@1)
          -2.10 ± 0.14   declared
          -2.31 ± 0.20   harmonic mean
    """

    estimates: Tuple[EvidenceRatioEstimate, ...]
    largest_disagreement: float
    remarks: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()
    seed: Optional[int] = None
    model_versions: Tuple[str, ...] = ()

    @printable_repr
    def __repr__(self) -> str:
        lines = [f"log({' / '.join('Z ' + _names.short(name) for name in self.model_versions)})"]
        for each in self.estimates:
            methods = each.numerator_method
            if each.denominator_method != methods:
                methods += f" / {each.denominator_method}"
            lines.append(f"  {format_with_error(each.log_ratio.value, each.log_ratio.error):>14}   {methods}")
        return "\n".join([*lines, *(f"  {remark}" for remark in self.remarks)])


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
    size = message.effective_size
    return Estimate(message.value, message.error, _parts(message), effective_size=size, unit=unit, **details)


def evidence_from_proto(message: Any, **details: Any) -> Evidence:
    """The Evidence of a `creamery.v1.Estimate`."""
    return Evidence(message.value, message.error, _parts(message), unit="nats", **details)


def _parts(message: Any) -> Dict[str, float]:
    return {
        "monte_carlo": message.monte_carlo_error,
        "chain": message.chain_error,
        "approximation": message.approximation_error,
        "member": message.member_error,
    }
