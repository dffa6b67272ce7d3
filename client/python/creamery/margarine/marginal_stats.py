"""margarine 1.x: `from creamery.margarine.marginal_stats import calculate`."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, Optional

from creamery import _samples
from creamery._estimate import Estimate
from creamery._priors import Uniform
from creamery.margarine._estimator import Estimator
from creamery.margarine._integrate import integrate

# Keys of the dict that later versions of 1.x return -> row and column of the frame that earlier ones return.
_KEYS = {
    "KL Divergence": ("KL Divergence", "Value"),
    "KL Lower Bound": ("KL Divergence", "Lower Bound"),
    "KL Upper Bound": ("KL Divergence", "Upper Bound"),
    "BMD": ("BMD", "Value"),
    "BMD Lower Bound": ("BMD", "Lower Bound"),
    "BMD Upper Bound": ("BMD", "Upper Bound"),
}


class calculate:
    """Kullback-Leibler divergence and Bayesian model dimensionality of a trained estimator.

    Args:
        de: a trained MAF, KDE or clusterMAF.
        prior_de: an estimator trained on samples of the prior; without it the prior is uniform between the limits,
            which is warned of if they are only estimates.

    Attributes:
        kl: the divergence, nats, with all parts of its error; after `statistics()`.
        dimensionality: the dimensionality; after `statistics()`.

    Example:
        >>> from creamery.margarine.marginal_stats import calculate
        >>> calculate(maf).statistics()
                       Value  Lower Bound  Upper Bound
        Statistic
        KL Divergence   3.98         3.93         4.03
        BMD             1.97         1.89         2.05
    """

    def __init__(self, de: Estimator, *, prior_de: Optional[Estimator] = None) -> None:
        self.de = de
        self.prior_de = prior_de
        self.kl: Optional[Estimate] = None
        self.dimensionality: Optional[Estimate] = None

    def statistics(self) -> Any:
        """The statistics with honest errors.

        The lower and upper bounds are the estimate minus and plus one standard error, which adds the finite chain, the
        finite draws, the approximation by a network and the spread over networks. margarine's own bounds are the
        smallest and largest of three estimates that share one network and one chain: they do not hold the truth as
        often as they seem to.

        Returns:
            A pandas DataFrame with rows "KL Divergence" and "BMD" and columns "Value", "Lower Bound", "Upper Bound", as
            of margarine 1.0; it also answers the keys of later versions, such as ["KL Lower Bound"].

        Raises:
            ImportError: pandas is not installed.

        Example:
            >>> calculate(maf).statistics().loc["KL Divergence", "Value"]
            3.98
        """
        model = self.de.trained()
        prior: Any
        if self.prior_de is not None:
            prior = self.prior_de.trained()
        else:
            self.de.log_uniform()  # warns if the limits are only estimates
            limits = zip(self.de.parameters, self.de.theta_min, self.de.theta_max)
            prior = {name: Uniform(float(low), float(high)) for name, low, high in limits}
        self.kl = model.kl(prior)
        self.dimensionality = model.dimensionality(prior)
        rows = (self.kl, self.dimensionality)
        table: Dict[str, Any] = {
            "Statistic": ["KL Divergence", "BMD"],
            "Value": [each.value for each in rows],
            "Lower Bound": [each.value - each.error for each in rows],
            "Upper Bound": [each.value + each.error for each in rows],
        }
        return _frame_class()(table).set_index("Statistic")

    def integrate(
        self,
        loglikelihood: Callable[[Any], float],
        prior_pdf: Callable[[Any], Any],
        batch_size: int = 1000,
        sample_size: int = 10000,
        logzero: float = -1e30,
    ) -> Dict[str, Any]:
        """Evidence by importance sampling from the density, in one go; `model.evidence` does it in rounds.

        Args:
            loglikelihood: natural log of the likelihood of one point (d,).
            prior_pdf: natural-log prior density of points (n, d).
            batch_size: points of one draw.
            sample_size: points in all.
            logzero: log-likelihoods below it count as zero.

        Returns:
            A dict with "x", "y", "weights", "efficiency", "trials", "log_integral" and "log_stderr".

        Example:
            >>> calculate(maf).integrate(log_l, log_prior)["log_integral"]
            -8.07
        """

        def draw(number: int) -> Any:
            return self.de._draw(number, None)

        return integrate(draw, self.de.log_prob, loglikelihood, prior_pdf, batch_size, sample_size, logzero)


@functools.lru_cache(maxsize=None)
def _frame_class() -> Any:
    pandas = _samples.need("pandas")

    class Statistics(pandas.DataFrame):  # type: ignore[misc, name-defined]
        """A frame that also answers the keys of a dict."""

        @property
        def _constructor(self) -> Any:
            return Statistics

        def __getitem__(self, key: Any) -> Any:
            if isinstance(key, str) and key in _KEYS and key not in self.columns:
                return float(self.loc[_KEYS[key]])
            return super().__getitem__(key)

    return Statistics
