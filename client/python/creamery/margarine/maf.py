"""margarine 1.x: `from creamery.margarine.maf import MAF`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Sequence, Type, TypeVar, Union

import numpy as np

from creamery import _specs
from creamery.margarine import _service
from creamery.margarine._estimator import Estimator, fresh_seed, tensor

Self = TypeVar("Self", bound="FirstGeneration")


class FirstGeneration(Estimator):
    """The methods that the estimators of margarine 1.x share."""

    def sample(self, length: int = 1000) -> Any:
        """Samples of the density; repeatable after `np.random.seed`.

        Args:
            length: number n of rows.

        Returns:
            (n, d), in the order of `parameters`.

        Example:
            >>> maf.sample(1000).shape
            (1000, 2)
        """
        return self._draw(length, fresh_seed())

    def log_like(self, params: Any, logevidence: float, prior_de: Optional[Estimator] = None) -> Any:
        """Nuisance-free log-likelihood, log P + log Z - log prior.

        Args:
            params: (n, d) or (d,).
            logevidence: natural-log evidence of the analysis.
            prior_de: an estimator trained on samples of the prior; without it the prior is uniform between the limits.

        Returns:
            (n,), or a scalar for one point; -inf where the density is zero.

        Example:
            >>> maf.log_like(samples, logevidence=-8.07)
        """
        prior = self.log_uniform() if prior_de is None else np.asarray(prior_de.log_prob(params))
        return tensor(np.asarray(self.log_prob(params)) + float(logevidence) - prior)

    def save(self, filename: Union[str, Path]) -> None:
        """Writes the trained model, without the samples, to one file.

        Example:
            >>> maf.save("cosmo.pkl")
        """
        self._write(Path(filename))

    @classmethod
    def load(cls: Type[Self], filename: Union[str, Path]) -> Self:
        """Reads what `save` wrote; the model is imported if the server does not have it.

        Raises:
            InvalidArgumentError: it was written by margarine itself, or by another class.

        Example:
            >>> maf = MAF.load("cosmo.pkl")
        """
        return cls._read(Path(filename))


class MAF(FirstGeneration):
    """Masked autoregressive flow.

    Args:
        theta: (n, d) samples; or samples of anesthetic, whose weights, chains and birth contours are used.
        weights: (n,) weights of an array.
        number_networks: autoregressive layers.
        learning_rate: step size of Adam; a schedule is not accepted.
        hidden_layers: units of every hidden layer.
        activation_func: no meaning here.
        theta_max: (d,) upper limits of the prior, which is then uniform.
        theta_min: (d,) lower limits.
        parameters: names of the columns to take of a frame; of an array, names of its columns.

    Example:
        >>> from creamery.margarine.maf import MAF
        >>> maf = MAF(theta, weights=weights, theta_min=low, theta_max=high)
        >>> maf.train(10000, early_stop=True)
        >>> maf.log_prob(maf.sample(5))
    """

    kind = "maf"

    def __init__(
        self,
        theta: Any,
        *,
        weights: Optional[Any] = None,
        number_networks: int = 6,
        learning_rate: float = 1e-3,
        hidden_layers: Sequence[int] = (50, 50),
        activation_func: Optional[str] = None,
        theta_max: Optional[Any] = None,
        theta_min: Optional[Any] = None,
        parameters: Optional[Sequence[str]] = None,
    ) -> None:
        if activation_func is not None:
            _service.no_meaning(type(self).__name__, "activation_func", "the service has one of its own")
        super().__init__(theta, weights, theta_min, theta_max, parameters)
        self.number_networks = number_networks
        self.learning_rate = learning_rate
        self.hidden_layers = list(hidden_layers)

    def train(
        self,
        epochs: int = 100,
        patience: Optional[int] = None,
        early_stop: bool = False,
        loss_type: str = "sum",
    ) -> None:
        """Trains on the server and waits.

        Args:
            epochs: most epochs; one of the service is a pass in minibatches, not a single step.
            patience: epochs without a better held-out loss before training stops; default: the server's.
            early_stop: no meaning here: training always stops early and the best epoch is served.
            loss_type: no meaning here: the weights have mean 1.

        Raises:
            JobFailedError: the training failed; the message says why.

        Example:
            >>> maf.train(10000, early_stop=True)
        """
        _check_train_options(type(self).__name__, early_stop, loss_type)
        self._fit(
            _specs.FAMILIES["MAF"],
            transforms=self.number_networks,
            hidden_units=self.hidden_layers,
            learning_rate=self.learning_rate,
            max_epochs=epochs,
            patience=patience,
        )


def _check_train_options(owner: str, early_stop: bool, loss_type: str) -> None:
    if not early_stop:
        _service.no_meaning(
            owner, "early_stop=False", "training ends when the held-out loss stops improving; the best epoch is served"
        )
    if loss_type != "sum":
        _service.no_meaning(owner, "loss_type", "the loss is a mean with weights of mean 1")
