"""Whether Markov chains have converged: R-hat, effective sizes, and the first half against the second.

Vehtari, Gelman, Simpson, Carpenter, Buerkner 2021, "Rank-Normalization, Folding, and Localization: An Improved R-hat",
arXiv:1903.08008. Weighted rows count as often as their weights say; rows keep their order.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Dict, List

import numpy as np
from numpy.typing import NDArray

from creamery._arrays import FloatArray
from creamery._errors import InvalidArgumentError

if TYPE_CHECKING:
    from creamery._chains import Chains

R_HAT_LIMIT = 1.01
SIGMA_LIMIT = 4.0
_MOST_ROWS = 1_000_000  # of a chain whose rows repeat as their whole weights say
_NORMAL = NormalDist()


@dataclass(frozen=True)
class ParameterConvergence:
    """One parameter's part.

    Attributes:
        name: the parameter.
        r_hat: split, rank-normalised R-hat, the larger of bulk and tails; above 1.01 the chains have not converged.
        effective_size: effective number of rows by autocorrelation, over all chains.
        half_sigma: difference of the means of the first and the second halves of the chains, in its standard error.
        half_p_value: chance of a larger one, two-sided.
    """

    name: str
    r_hat: float
    effective_size: float
    half_sigma: float
    half_p_value: float

    @property
    def ok(self) -> bool:
        """True if nothing speaks against convergence."""
        return self.r_hat <= R_HAT_LIMIT and abs(self.half_sigma) <= SIGMA_LIMIT


class Convergence(List[ParameterConvergence]):
    """The parameters in order; printed as a table.

    Example:
        >>> chains.convergence().ok
        True
    """

    @property
    def ok(self) -> bool:
        """True if nothing speaks against convergence of any parameter."""
        return all(each.ok for each in self)

    def to_dict(self) -> Dict[str, Dict[str, Any]]:
        """The numbers by parameter."""
        return {each.name: {key: value for key, value in asdict(each).items() if key != "name"} for each in self}

    def __repr__(self) -> str:
        width = max([len("parameter"), *(len(each.name) for each in self)])
        lines = [f"{'parameter':{width}}     R-hat   effective   halves differ by"]
        for each in self:
            mark = "" if each.ok else "   not converged"
            numbers = f"{each.r_hat:7.4f}   {each.effective_size:9.0f}   {abs(each.half_sigma):.1f} sigma"
            lines.append(f"{each.name:{width}}   {numbers}{mark}")
        return "\n".join(lines)


def of(chains: Chains) -> Convergence:
    """The convergence of chains.

    Raises:
        InvalidArgumentError: nested sampling, or fewer than 8 rows.
    """
    if chains.kind == "nested_sampling":
        raise InvalidArgumentError("the rows are of nested sampling, which has no chains that converge")
    ids = np.zeros(len(chains), dtype=np.int64) if chains.chain is None else chains.chain
    rows = [np.flatnonzero(ids == each) for each in dict.fromkeys(ids.tolist())]
    weights = chains.posterior_weights
    rows = [each[repeats(weights[each])] for each in rows]
    length = min((len(each) for each in rows), default=0)
    if length < 8:
        raise InvalidArgumentError(f"a chain has {length} rows, expected at least 8")
    found = Convergence()
    for name, column in zip(chains.names, np.asarray(chains.theta, dtype=np.float64).T):
        halves = [half for each in rows for half in np.array_split(column[each], 2)]
        first, second = np.concatenate(halves[::2]), np.concatenate(halves[1::2])
        # R-hat wants halves of one length: the ends of longer chains are the better part.
        even = np.array([half[-(length // 2) :] for half in halves])
        sizes = [effective_size([half for half in halves[part::2]]) for part in (0, 1)]
        error = math.hypot(*(float(half.std()) / math.sqrt(size) for half, size in zip((first, second), sizes)))
        shift = float(first.mean() - second.mean())
        sigma = shift / error if error > 0 else (0.0 if shift == 0 else math.inf)
        size = effective_size([column[each] for each in rows])
        found.append(ParameterConvergence(name, r_hat(even), size, sigma, math.erfc(abs(sigma) / math.sqrt(2))))
    return found


def repeats(weights: FloatArray) -> NDArray[np.int64]:
    """Rows in order, each as often as its weight says: exactly for whole weights, else to the nearest of n rows."""
    if len(weights) == 0 or (weights == weights[0]).all():
        return np.arange(len(weights))
    smallest = weights[weights > 0].min(initial=np.inf)
    counts = weights / smallest
    whole = bool(np.allclose(counts, np.rint(counts), rtol=0, atol=1e-6)) and counts.sum() <= _MOST_ROWS
    edges = np.cumsum(np.rint(counts) if whole else weights * (len(weights) / weights.sum()))
    return np.repeat(np.arange(len(weights)), np.diff(np.rint(edges), prepend=0).astype(np.int64))


def r_hat(chains: FloatArray) -> float:
    """Rank-normalised R-hat of chains (m, n) that are split already, of bulk and tails (eqs. 1-4, section 4)."""
    if np.ptp(chains) == 0:
        return 1.0
    folded = np.abs(chains - np.median(chains))
    return max(_plain_r_hat(_normal_scores(chains)), _plain_r_hat(_normal_scores(folded)))


def _plain_r_hat(chains: FloatArray) -> float:
    length = chains.shape[1]
    within = float(chains.var(axis=1, ddof=1).mean())
    between = float(chains.mean(axis=1).var(ddof=1)) if len(chains) > 1 else 0.0
    if within == 0:
        return math.inf if between > 0 else 1.0
    return math.sqrt((length - 1) / length + between / within)


def _normal_scores(values: FloatArray) -> FloatArray:
    """Quantiles of a normal at the ranks of the values, over all chains; ties share their mean rank."""
    flat, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    levels = (ranks - 3 / 8) / (values.size + 1 / 4)
    scores = np.fromiter(map(_NORMAL.inv_cdf, levels.tolist()), dtype=np.float64, count=len(flat))
    return scores[where.reshape(values.shape)]


def effective_size(chains: List[FloatArray]) -> float:
    """Effective number of rows of chains, by their autocorrelation (Geyer's initial monotone sequence; section 3.2).

    Each chain has its own length; autocovariances are averaged over the chains by their rows.
    """
    total = sum(len(each) for each in chains)
    length = min(len(each) for each in chains)
    if length < 4:
        return float(total)
    covariances = np.average(
        [_autocovariance(each)[:length] for each in chains], axis=0, weights=[len(c) for c in chains]
    )
    within = covariances[0]
    means = np.array([each.mean() for each in chains])
    between = float(means.var(ddof=1)) if len(chains) > 1 else 0.0
    variance = within + between
    if variance <= 0:
        return float(total)
    correlation = 1.0 - (within - covariances) / variance
    correlation[0] = 1.0
    pairs = correlation[: length // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    pairs = np.minimum.accumulate(pairs[: negative[0]] if len(negative) else pairs)
    time = -1.0 + 2.0 * float(pairs.sum())
    return total / max(time, 1.0 / math.log10(max(total, 10)))


def _autocovariance(values: FloatArray) -> FloatArray:
    """Autocovariance (n,) at each lag, by FFT, over n."""
    n = len(values)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(values - values.mean(), size)
    found: FloatArray = np.fft.irfft(spectrum * np.conj(spectrum), size)[:n] / n
    return found


def nested_weights(log_likelihood: Any, birth: Any) -> FloatArray:
    """Posterior weights (n,) of dead points, largest 1, by the mean shrinkage of the volume at each death.

    Args:
        log_likelihood: (n,) natural log.
        birth: (n,) natural log at birth; -inf for points from the prior.
    """
    log_l, born = np.asarray(log_likelihood, dtype=np.float64), np.asarray(birth, dtype=np.float64)
    order = np.argsort(log_l, kind="stable")
    dying = log_l[order]
    # Points alive at a death: born below it and not dead before it.
    alive = np.searchsorted(np.sort(born), dying, side="left") - np.arange(len(dying))
    alive = np.maximum(alive, 1)
    log_x = -np.cumsum(np.log1p(1.0 / alive))  # log of the mean volume left
    shell = np.concatenate([[0.0], log_x[:-1]]) - np.log1p(alive.astype(np.float64))  # log of the mean volume lost
    log_w = np.where(np.isneginf(dying), -np.inf, dying + shell)
    weights = np.empty(len(dying))
    weights[order] = np.exp(log_w - log_w.max(initial=-np.inf)) if np.isfinite(log_w).any() else 0.0
    return weights
