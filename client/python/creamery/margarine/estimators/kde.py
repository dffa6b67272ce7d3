"""margarine 2.x: `from creamery.margarine.estimators.kde import KDE`."""

from __future__ import annotations

from typing import Any, Optional

from creamery import _specs
from creamery.margarine.estimators._second import SecondGeneration
from creamery.margarine.kde import Bandwidth, bandwidth_factor


class KDE(SecondGeneration):
    """Gaussian kernel density estimate. The file of a saved one holds the kernels' centres.

    Args:
        theta: (n, d) samples; or samples of anesthetic.
        weights: (n,) weights of an array.
        theta_ranges: (2, d) lower and upper limits of the prior, which is then uniform.
        bandwidth: "silverman", "scott", scipy's factor as a number, or a function as scipy takes it.

    Example:
        >>> from creamery.margarine.estimators.kde import KDE
        >>> kde = KDE(theta, weights=weights)
        >>> kde.train()
    """

    kind = "kde"

    def __init__(
        self,
        theta: Any,
        weights: Optional[Any] = None,
        theta_ranges: Optional[Any] = None,
        bandwidth: Bandwidth = "silverman",
    ) -> None:
        super().__init__(theta, weights, theta_ranges)
        self.bandwidth = bandwidth

    def train(self) -> KDE:
        """Places the kernels on the server and waits.

        Returns:
            Itself.

        Example:
            >>> kde.train()
        """
        self._fit(_specs.FAMILIES["KDE"], bandwidth=bandwidth_factor(self.bandwidth, self))
        return self
