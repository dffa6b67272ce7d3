"""margarine 1.x: `from creamery.margarine.clustered import clusterMAF`."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from creamery import _specs
from creamery.margarine import _service
from creamery.margarine.maf import FirstGeneration, _check_train_options


class clusterMAF(FirstGeneration):
    """Mixture of masked autoregressive flows, one for each cluster (Bevins & Handley 2023, arXiv:2305.02930).

    The number of pieces is chosen by the held-out log-likelihood, not by silhouettes, unless given; weights count.

    Args:
        theta: (n, d) samples; or samples of anesthetic.
        weights: (n,) weights of an array.
        number_networks: autoregressive layers of a piece.
        learning_rate: step size of Adam.
        hidden_layers: units of every hidden layer of a piece.
        activation_func: no meaning here.
        cluster_labels: no meaning here: the server clusters the samples itself.
        cluster_number: number of pieces.
        theta_max: (d,) upper limits of the prior, which is then uniform.
        theta_min: (d,) lower limits.
        parameters: names of the columns to take of a frame; of an array, names of its columns.

    Example:
        >>> from creamery.margarine.clustered import clusterMAF
        >>> pieces = clusterMAF(theta, weights=weights)
        >>> pieces.train(10000, early_stop=True)
    """

    kind = "clustermaf"

    def __init__(
        self,
        theta: Any,
        *,
        weights: Optional[Any] = None,
        number_networks: int = 6,
        learning_rate: float = 1e-3,
        hidden_layers: Sequence[int] = (50, 50),
        activation_func: Optional[str] = None,
        cluster_labels: Optional[Any] = None,
        cluster_number: Optional[int] = None,
        theta_max: Optional[Any] = None,
        theta_min: Optional[Any] = None,
        parameters: Optional[Sequence[str]] = None,
    ) -> None:
        if activation_func is not None:
            _service.no_meaning("clusterMAF", "activation_func", "the service has one of its own")
        if cluster_labels is not None:
            _service.no_meaning("clusterMAF", "cluster_labels", "the server clusters the samples itself")
        super().__init__(theta, weights, theta_min, theta_max, parameters)
        self.number_networks = number_networks
        self.learning_rate = learning_rate
        self.hidden_layers = list(hidden_layers)
        self._asked_clusters = cluster_number

    @property
    def cluster_number(self) -> Optional[int]:
        """Number of pieces: of the trained model, or as asked; None where the server is to choose."""
        if self.model is not None and self.model.proto.spec.piecewise.HasField("pieces"):
            return int(self.model.proto.spec.piecewise.pieces)
        return self._asked_clusters if hasattr(self, "_asked_clusters") else None

    def train(
        self,
        epochs: int = 100,
        patience: Optional[int] = None,
        early_stop: bool = False,
        loss_type: str = "sum",
    ) -> None:
        """Trains on the server and waits; options as of `MAF.train`.

        Raises:
            JobFailedError: the training failed; the message says why.

        Example:
            >>> pieces.train(10000, early_stop=True)
        """
        _check_train_options("clusterMAF", early_stop, loss_type)
        self._fit(
            _specs.FAMILIES["PIECEWISE"],
            pieces=None if self._asked_clusters is None else int(self._asked_clusters),
            transforms=self.number_networks,
            hidden_units=self.hidden_layers,
            learning_rate=self.learning_rate,
            max_epochs=epochs,
            patience=patience,
        )
