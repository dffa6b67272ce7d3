"""margarine 2.x: `from creamery.margarine.statistics import kldivergence, model_dimensionality, integrate`."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

import numpy as np

from creamery._estimate import Estimate
from creamery.margarine import _integrate
from creamery.margarine._estimator import Estimator, seed_of


class Statistic(float):
    """A number with its standard error, where the service computed one.

    Attributes:
        error: standard error; NaN for an average over samples of one's own.
        estimate: the whole Estimate, or None.
    """

    error: float
    estimate: Optional[Estimate]

    @classmethod
    def of(cls, value: float, estimate: Optional[Estimate] = None) -> Statistic:
        """The number of an estimate."""
        self = cls(value)
        self.estimate = estimate
        self.error = float("nan") if estimate is None else estimate.error
        return self


def kldivergence(
    density_estimator_p: Any,
    density_estimator_q: Any,
    samples_p: Optional[Any] = None,
    weights: Optional[Any] = None,
    key: Any = 0,
) -> Statistic:
    """Kullback-Leibler divergence D_KL(P || Q), nats.

    Args:
        density_estimator_p: estimator trained on the service; with `samples_p`, anything with `log_prob`.
        density_estimator_q: of Q, in the same order of parameters.
        samples_p: (n, d) samples of P to average over; without them the server computes D_KL with an honest error.
        weights: (n,) weights of `samples_p`.
        key: seed, or a key of JAX.

    Returns:
        A float, with its standard error in `.error`.

    Example:
        >>> kldivergence(posterior, prior)
        3.98
    """
    if samples_p is None and _trained(density_estimator_p, density_estimator_q):
        estimate = density_estimator_p.trained().kl(density_estimator_q.trained(), seed=seed_of(key))
        return Statistic.of(estimate.value, estimate)
    difference = _difference(density_estimator_p, density_estimator_q, samples_p, key)
    return Statistic.of(float(np.average(difference, weights=None if weights is None else np.asarray(weights))))


def model_dimensionality(
    density_estimator_p: Any,
    density_estimator_q: Any,
    samples_p: Optional[Any] = None,
    weights: Optional[Any] = None,
    key: Any = 0,
) -> Statistic:
    """Bayesian model dimensionality, 2 Var_P[log P - log Q]; arguments as of `kldivergence`.

    Example:
        >>> model_dimensionality(posterior, prior)
        1.97
    """
    if samples_p is None and _trained(density_estimator_p, density_estimator_q):
        estimate = density_estimator_p.trained().dimensionality(density_estimator_q.trained(), seed=seed_of(key))
        return Statistic.of(estimate.value, estimate)
    difference = _difference(density_estimator_p, density_estimator_q, samples_p, key)
    return Statistic.of(float(2.0 * np.cov(difference, aweights=None if weights is None else np.asarray(weights))))


def integrate(
    density_estimator: Any,
    likelihood: Callable[[Any], float],
    prior: Any,
    batch_size: int = 1000,
    sample_size: int = 10000,
    logzero: float = -1e30,
    key: Any = 0,
) -> Dict[str, Any]:
    """Evidence by importance sampling from the density, in one go; `model.evidence` does it in rounds, with a k-hat.

    Args:
        density_estimator: trained estimator.
        likelihood: natural log of the likelihood of one point (d,).
        prior: anything with `log_prob`.
        batch_size: points of one draw.
        sample_size: points in all.
        logzero: log-likelihoods below it count as zero.
        key: seed, or a key of JAX.

    Returns:
        A dict with "x", "y", "weights", "efficiency", "trials", "log_integral" and "log_stderr".

    Example:
        >>> integrate(posterior, log_l, prior)["log_integral"]
        -8.07
    """
    first = seed_of(key) or 0
    draws = 0

    def draw(number: int) -> Any:
        nonlocal draws
        draws += 1
        return density_estimator.sample(first + draws, number)

    return _integrate.integrate(
        draw, density_estimator.log_prob, likelihood, prior.log_prob, batch_size, sample_size, logzero
    )


def _trained(p: Any, q: Any) -> bool:
    return isinstance(p, Estimator) and isinstance(q, Estimator)


def _difference(p: Any, q: Any, samples: Optional[Any], key: Any) -> Any:
    points = p.sample(key, num_samples=10000) if samples is None else samples
    return np.asarray(p.log_prob(points)) - np.asarray(q.log_prob(points))
