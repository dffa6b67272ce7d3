"""How well a trained density fits the rows of a chain: quantiles, correlations, and a classifier that tries to tell.

Every difference comes with its standard error, from the effective number of rows and the number of draws; what is
marked as off would be off by chance once in a hundred checks.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from creamery import _convergence
from creamery._arrays import FloatArray
from creamery._two_sample import TwoSampleTest, two_sample_test

PROBABILITIES = (0.025, 0.16, 0.5, 0.84, 0.975)
_FALSE_ALARMS = 0.01  # of a whole check
_NORMAL = NormalDist()


@dataclass(frozen=True)
class QuantileDifference:
    """One quantile of one parameter.

    Attributes:
        parameter: its name.
        probability: which quantile.
        chain: the chain's, in the parameter's unit.
        difference: the model's minus the chain's.
        error: standard error of the difference.
        sigma: the difference in errors, of the share of draws below the chain's quantile: `error`, which is measured
            where rows are few, is itself too uncertain to test by.
    """

    parameter: str
    probability: float
    chain: float
    difference: float
    error: float
    sigma: float


@dataclass(frozen=True)
class CorrelationDifference:
    """The rank correlation of two parameters.

    Attributes:
        parameters: their names.
        chain: the chain's.
        difference: the model's minus the chain's.
        error: standard error of the difference.
    """

    parameters: Tuple[str, str]
    chain: float
    difference: float
    error: float

    @property
    def sigma(self) -> float:
        """The difference in its errors."""
        return _in_errors(self.difference, self.error)


@dataclass(frozen=True, repr=False)
class FitReport:
    """A trained density against the rows of a chain. Prints itself; rich shows it as a table.

    Attributes:
        model_version: the version.
        source: where the rows are from.
        quantiles: 1-d quantiles, 5 of each parameter.
        correlations: rank correlations of all pairs.
        c2st: held-out accuracy of a classifier between rows and draws: .5 if it cannot tell.
        share_outside: share of the rows, by weight, where the density is zero.
        effective_size: effective number of rows, by parameter.
        num_samples: draws of the model.
        seed: their seed.
    """

    model_version: str
    source: str
    quantiles: Tuple[QuantileDifference, ...]
    correlations: Tuple[CorrelationDifference, ...]
    c2st: TwoSampleTest
    share_outside: float
    effective_size: Dict[str, float]
    num_samples: int
    seed: int

    @property
    def limit(self) -> float:
        """Differences beyond this many of their errors are off, as many as there are."""
        count = len(self.quantiles) + len(self.correlations) + 1
        return _NORMAL.inv_cdf(1.0 - _FALSE_ALARMS / (2 * count))

    @property
    def off(self) -> List[str]:
        """Where the density is off, worst first, in words; empty if nothing speaks against it."""
        found: List[Tuple[float, str]] = []
        for each in self.quantiles:
            side = "above" if each.difference > 0 else "below"
            quantile = f"{100 * each.probability:g} % quantile"
            text = f"{each.parameter}: the {quantile} is {abs(each.difference):.3g} {side}"
            found.append((each.sigma, text))
        for pair in self.correlations:
            side = "above" if pair.difference > 0 else "below"
            both = " and ".join(pair.parameters)
            text = f"{both}: their correlation is {abs(pair.difference):.2g} {side} {pair.chain:.2g}"
            found.append((pair.sigma, text))
        found.append((self.c2st.sigma, f"a classifier tells rows from draws with accuracy {self.c2st.accuracy:.3f}"))
        lines = [(abs(sigma), f"{text} ({abs(sigma):.1f} errors)") for sigma, text in found]
        worst = sorted((each for each in lines if each[0] > self.limit), reverse=True)
        outside = [f"the density is zero at {self.share_outside:.2%} of the rows"] if self.share_outside > 0 else []
        return [*outside, *(text for _, text in worst)]

    @property
    def ok(self) -> bool:
        """True if nothing is off."""
        return not self.off

    def to_dict(self) -> Dict[str, Any]:
        """All of it as plain numbers, texts, lists and dicts."""
        found = asdict(self)
        found["correlations"] = [{**asdict(each), "sigma": each.sigma} for each in self.correlations]
        found["c2st"] = {**asdict(self.c2st), "sigma": self.c2st.sigma}
        return {**found, "off": self.off, "ok": self.ok}

    def _rows(self) -> List[List[str]]:
        """Cells: parameter, effective rows, difference ± error of each quantile in standard deviations of the chain."""
        rows = []
        for name, group in itertools.groupby(self.quantiles, key=lambda each: each.parameter):
            listed = list(group)
            width = (listed[3].chain - listed[1].chain) / 2 or 1.0
            cells = [f"{each.difference / width:+.2f} ± {each.error / width:.2f}" for each in listed]
            marked = [cell + ("*" if abs(q.sigma) > self.limit else " ") for cell, q in zip(cells, listed)]
            rows.append([name, f"{self.effective_size[name]:.0f}", *marked])
        return rows

    def _summary(self) -> List[str]:
        test = self.c2st
        lines = [f"classifier accuracy {test.accuracy:.3f}, expected {test.expected:.3f} ± {test.error:.3f}"]
        lines += [f"off: {each}" for each in self.off] or ["nothing is off"]
        return lines

    def _title(self) -> str:
        return f"{self.model_version} against {self.source}: quantiles, model - chain, in half widths of the chain"

    def __repr__(self) -> str:
        table = [["parameter", "effective", *(f"{100 * each:g} %" for each in PROBABILITIES)], *self._rows()]
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths)) for row in table]
        return "\n".join([self._title(), *lines, *self._summary()])

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(self._title()))
        for heading in ("parameter", "effective", *(f"{100 * each:g} %" for each in PROBABILITIES)):
            table.add_column(heading, justify="right")
        for row in self._rows():
            table.add_row(*(Text(cell, style="bold red" if cell.endswith("*") else "") for cell in row))
        return Group(table, *(Text(line) for line in self._summary()))


def report(
    names: Sequence[str],
    rows: FloatArray,
    weights: FloatArray,
    chain: NDArray[np.int64],
    in_order: bool,
    draws: FloatArray,
    seed: int,
    **described: Any,
) -> FitReport:
    """Compares rows and draws.

    Args:
        names: d parameters.
        rows: (n, d).
        weights: (n,) at least 0, mean 1.
        chain: (n,) Markov chain of each row.
        in_order: True if neighbouring rows of a chain depend on each other.
        draws: (m, d) independent.
        seed: of the classifier.
        described: further fields of the report.
    """
    kish = float(weights.sum() ** 2 / (weights**2).sum())
    groups = [np.flatnonzero(chain == each) for each in dict.fromkeys(chain.tolist())]
    sizes: Dict[str, float] = {}
    quantiles: List[QuantileDifference] = []
    for name, column, drawn in zip(names, rows.T, draws.T):
        size = kish
        if in_order:
            counted = [column[each][_convergence.repeats(weights[each])] for each in groups]
            size = min(kish, _convergence.effective_size([each for each in counted if len(each)]))
        sizes[name] = size
        quantiles += _quantiles(name, column, weights, size, drawn)
    smallest = max(4.0, min(sizes.values()))
    ranked, ranked_draws = _ranks(rows, weights), _ranks(draws, np.ones(len(draws)))
    pairs = [
        _correlation(names, pair, ranked, weights, smallest, ranked_draws)
        for pair in itertools.combinations(range(len(names)), 2)
    ]
    return FitReport(
        quantiles=tuple(quantiles),
        correlations=tuple(pairs),
        c2st=two_sample_test(_thinned(rows, weights, smallest), draws, seed),
        effective_size=sizes,
        num_samples=len(draws),
        seed=seed,
        **described,
    )


def _quantiles(
    name: str, column: FloatArray, weights: FloatArray, size: float, drawn: FloatArray
) -> List[QuantileDifference]:
    found = []
    for p in PROBABILITIES:
        value, error = _quantile(column, weights, p, size)
        other, other_error = _quantile(drawn, np.ones(len(drawn)), p, len(drawn))
        # The arcsine makes the variance of a share the same for all shares: 1 / (4 n).
        below = (float((drawn < value).mean()) + float((drawn <= value).mean())) / 2
        angle = 2 * (math.asin(math.sqrt(p)) - math.asin(math.sqrt(below)))
        sigma = angle / math.sqrt(1 / max(size, 1.0) + 1 / len(drawn))
        found.append(QuantileDifference(name, p, value, other - value, math.hypot(error, other_error), sigma))
    return found


def _quantile(values: FloatArray, weights: FloatArray, p: float, size: float) -> Tuple[float, float]:
    """A weighted quantile and its standard error: half the way between those at p plus and minus the error of p."""
    order = np.argsort(values, kind="stable")
    levels = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    step = math.sqrt(p * (1 - p) / max(size, 1.0))
    low, middle, high = np.interp([max(p - step, 0.0), p, min(p + step, 1.0)], levels, values[order])
    return float(middle), float(high - low) / 2


def _ranks(rows: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted ranks in (0, 1) of each column; ties share theirs."""
    ranks = np.empty(rows.shape)
    for j, column in enumerate(rows.T):
        _, where = np.unique(column, return_inverse=True)
        mass = np.bincount(where, weights)
        ranks[:, j] = ((np.cumsum(mass) - mass / 2) / weights.sum())[where]
    return ranks


def _correlation(
    names: Sequence[str],
    pair: Tuple[int, int],
    ranked: FloatArray,
    weights: FloatArray,
    size: float,
    ranked_draws: FloatArray,
) -> CorrelationDifference:
    i, j = pair
    chain = _weighted_correlation(ranked[:, i], ranked[:, j], weights)
    model = _weighted_correlation(ranked_draws[:, i], ranked_draws[:, j], np.ones(len(ranked_draws)))
    # Variance of a rank correlation near that of a plain one (Bonett & Wright 2000).
    spread = [
        (1 - r**2) * math.sqrt((1 + r**2 / 2) / max(n - 3, 1.0)) for r, n in ((chain, size), (model, len(ranked_draws)))
    ]
    return CorrelationDifference((names[i], names[j]), chain, model - chain, math.hypot(*spread))


def _weighted_correlation(a: FloatArray, b: FloatArray, weights: FloatArray) -> float:
    a, b = a - np.average(a, weights=weights), b - np.average(b, weights=weights)
    scale = math.sqrt(float((weights * a * a).sum() * (weights * b * b).sum()))
    return float((weights * a * b).sum()) / scale if scale > 0 else 0.0


def _thinned(rows: FloatArray, weights: FloatArray, size: float) -> FloatArray:
    """As many rows as are worth independent ones, in their order, chosen evenly by weight; repeated ones once."""
    count = max(2, int(size))
    edges = np.cumsum(weights) / weights.sum() * count
    chosen = np.searchsorted(edges, np.arange(count) + 0.5, side="left")
    thinned: FloatArray = rows[np.unique(np.minimum(chosen, len(rows) - 1))]
    return thinned


def _in_errors(difference: float, error: float) -> float:
    if error > 0:
        return difference / error
    return 0.0 if difference == 0 else math.copysign(math.inf, difference)
