"""margarine 2.x: `from creamery.margarine.estimators.clustered import cluster`."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from creamery import _specs
from creamery.margarine import _service
from creamery.margarine._estimator import seed_of
from creamery.margarine.estimators._second import SecondGeneration

_MOST_PIECES = 16  # that the service tries


class cluster(SecondGeneration):
    """Mixture of flows, one for each cluster (Bevins & Handley 2023, arXiv:2305.02930).

    Args:
        theta: (n, d) samples; or samples of anesthetic.
        base_estimator: no meaning here beyond RealNVP and NICE: every piece is a masked autoregressive flow.
        weights: (n,) weights of an array.
        theta_ranges: (2, d) lower and upper limits of the prior, which is then uniform.
        clusters: number of pieces; of labels of one's own only their number counts. Default: chosen by the held-out
            log-likelihood.
        max_cluster_number: most pieces tried; at most 16.
        kwargs: options of the base estimator.

    Example:
        >>> from creamery.margarine.estimators.clustered import cluster
        >>> pieces = cluster(theta, RealNVP, in_size=2, hidden_size=50, clusters=2)
        >>> pieces.train(key=jax.random.PRNGKey(0), epochs=2000)
    """

    kind = "cluster"
    extension = ".clumarg"

    def __init__(
        self,
        theta: Any,
        base_estimator: Any = None,
        weights: Optional[Any] = None,
        theta_ranges: Optional[Any] = None,
        clusters: Optional[Any] = None,
        max_cluster_number: Optional[int] = None,
        **kwargs: Any,
    ) -> None:
        name = getattr(base_estimator, "__name__", "RealNVP")
        if name not in ("RealNVP", "NICE"):
            _service.no_meaning("cluster", f"base_estimator={name}", "every piece is a masked autoregressive flow")
        if clusters is not None and np.ndim(clusters) > 0:
            _service.no_meaning(
                "cluster", "labels in clusters", "the server clusters the samples itself; only their number counts"
            )
            clusters = len(np.unique(np.asarray(clusters)))
        known = {"in_size", "hidden_size", "num_layers", "num_coupling_layers"}
        for option in kwargs:
            if option not in known:
                _service.no_meaning("cluster", option, "it is no option of a piece")
        super().__init__(theta, weights, theta_ranges)
        _service.warn_once("cluster", "cluster: the service trains masked autoregressive flows as pieces")
        self.clusters = None if clusters is None else int(clusters)
        self.max_cluster_number = None if max_cluster_number is None else min(_MOST_PIECES, int(max_cluster_number))
        self.kwargs = {option: value for option, value in kwargs.items() if option in known}

    def train(
        self,
        key: Any = None,
        learning_rate: Optional[float] = None,
        epochs: Optional[int] = None,
        patience: Optional[int] = None,
        batch_size: Optional[int] = None,
    ) -> None:
        """Trains on the server and waits; options as of `RealNVP.train`.

        Raises:
            JobFailedError: the training failed; the message says why.

        Example:
            >>> pieces.train(key=jax.random.PRNGKey(0), epochs=2000)
        """
        units = self.kwargs.get("hidden_size")
        self._fit(
            _specs.FAMILIES["PIECEWISE"],
            pieces=self.clusters,
            max_pieces=self.max_cluster_number if self.clusters is None else None,
            transforms=self.kwargs.get("num_coupling_layers"),
            hidden_units=None if units is None else [units] * int(self.kwargs.get("num_layers", 2)),
            seed=seed_of(key),
            learning_rate=learning_rate,
            max_epochs=epochs,
            patience=patience,
            batch_size=batch_size,
        )

    def __call__(self, key: Any, u: Optional[Any] = None) -> Any:  # type: ignore[override]
        """Samples of points of the unit hypercube, exact and deterministic: the first coordinate chooses the piece.

        Args:
            key: taken for margarine's sake; it may be left away.
            u: (n, d) in the unit hypercube.

        Returns:
            (n, d), rows in the order of u.
        """
        return super().__call__(key if u is None else u)
