"""margarine 1.x: `from creamery.margarine.kde import KDE`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable, Optional, Sequence, Union

import numpy as np

from creamery import _specs, _weights
from creamery._errors import InvalidArgumentError
from creamery.margarine._estimator import Estimator, tensor
from creamery.margarine.maf import FirstGeneration

Bandwidth = Union[str, float, Callable[[Any], float]]


class KDE(FirstGeneration):
    """Gaussian kernel density estimate. The file of a saved one holds the kernels' centres.

    Args:
        theta: (n, d) samples; or samples of anesthetic.
        weights: (n,) weights of an array.
        bw_method: "silverman", "scott", scipy's factor as a number, or a function as scipy takes it.
        theta_max: (d,) upper limits of the prior, which is then uniform.
        theta_min: (d,) lower limits.
        parameters: names of the columns to take of a frame; of an array, names of its columns.

    Example:
        >>> from creamery.margarine.kde import KDE
        >>> kde = KDE(theta, weights=weights)
        >>> kde.generate_kde()
        >>> kde.log_prob(kde.sample(5))
    """

    kind = "kde"

    def __init__(
        self,
        theta: Any,
        *,
        weights: Optional[Any] = None,
        bw_method: Bandwidth = "silverman",
        theta_max: Optional[Any] = None,
        theta_min: Optional[Any] = None,
        parameters: Optional[Sequence[str]] = None,
    ) -> None:
        super().__init__(theta, weights, theta_min, theta_max, parameters)
        self.bw_method = bw_method

    def generate_kde(self) -> KDE:
        """Places the kernels on the server and waits.

        Returns:
            Itself.

        Example:
            >>> kde.generate_kde()
        """
        self._fit(_specs.FAMILIES["KDE"], bandwidth=bandwidth_factor(self.bw_method, self))
        return self

    train = generate_kde

    @property
    def kde(self) -> Any:
        """The trained model on the server."""
        return self.trained()

    def log_like(
        self, params: Any, logevidence: float, prior: Optional[Any] = None, prior_weights: Optional[Any] = None
    ) -> Any:
        """Nuisance-free log-likelihood, log P + log Z - log prior.

        Args:
            params: (n, d) or (d,).
            logevidence: natural-log evidence of the analysis.
            prior: (m, d) samples of the prior, or an estimator trained on them; without it the prior is uniform between
                the limits.
            prior_weights: (m,) weights of the prior's samples.

        Returns:
            (n,), or a scalar for one point; -inf where the density is zero.

        Example:
            >>> kde.log_like(samples, logevidence=-8.07, prior=prior_samples)
        """
        if prior is None or isinstance(prior, Estimator):
            return super().log_like(params, logevidence, prior)
        estimator = KDE(prior, weights=prior_weights)
        estimator.generate_kde()
        return tensor(super().log_like(params, logevidence, estimator))


def bandwidth_factor(given: Bandwidth, estimator: Estimator) -> float:
    """Factor on the rule of thumb (Silverman's) that gives the bandwidth that scipy would take.

    Raises:
        InvalidArgumentError: it is nothing that scipy takes.
    """
    size = estimator.theta.shape[1]
    weights = estimator.sample_weights
    n = _weights.effective_size(weights)
    silverman = (n * (size + 2) / 4.0) ** (-1.0 / (size + 4))
    scott = n ** (-1.0 / (size + 4))
    if given == "silverman":
        return 1.0
    if given == "scott":
        return float(scott / silverman)
    if callable(given):
        asked = SimpleNamespace(
            d=size,
            n=len(estimator.theta),
            neff=n,
            weights=weights / weights.sum(),
            dataset=np.asarray(estimator.theta).T,
            scotts_factor=lambda: scott,
            silverman_factor=lambda: silverman,
        )
        given = float(given(asked))
    try:
        return float(float(given) / silverman)
    except (TypeError, ValueError):
        raise InvalidArgumentError(
            f"bandwidth is {given!r}, expected 'silverman', 'scott', a number or a function"
        ) from None
