"""The methods that the estimators of margarine 2.x share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Type, TypeVar

import numpy as np

from creamery import _specs
from creamery._errors import InvalidArgumentError
from creamery.margarine import _service
from creamery.margarine._estimator import Estimator, seed_of, tensor

Self = TypeVar("Self", bound="SecondGeneration")


class SecondGeneration(Estimator):
    """Samples with ranges of the parameters, (2, d): lower and upper."""

    extension = ".marg"

    def __init__(self, theta: Any, weights: Optional[Any] = None, theta_ranges: Optional[Any] = None) -> None:
        lower, upper = (None, None) if theta_ranges is None else _ranges(theta_ranges)
        super().__init__(theta, weights, lower, upper)

    @property
    def train_loss(self) -> Any:
        """Mean negative log-density of the training rows by epoch."""
        return np.array(self.loss_history)

    @property
    def val_loss(self) -> Any:
        """Mean negative log-density of the held-out rows by epoch."""
        return np.array(self.test_loss_history)

    def sample(self, key: Any, num_samples: int = 1000) -> Any:
        """Samples of the density.

        Args:
            key: seed, or a key of JAX: the same key gives the same samples.
            num_samples: number n of rows.

        Returns:
            (n, d).

        Example:
            >>> estimator.sample(jax.random.PRNGKey(0), 1000).shape
            (1000, 2)
        """
        return self._draw(num_samples, seed_of(key))

    def log_like(self, x: Any, logevidence: float, prior_density: Any) -> Any:
        """Nuisance-free log-likelihood, log P + log Z - log prior.

        Args:
            x: (n, d).
            logevidence: natural-log evidence of the analysis.
            prior_density: an estimator of the prior, or its natural-log density at x.

        Returns:
            (n,); -inf where the density is zero.

        Example:
            >>> estimator.log_like(x, -8.07, prior_estimator)
        """
        prior = prior_density.log_prob(x) if hasattr(prior_density, "log_prob") else prior_density
        return tensor(np.asarray(self.log_prob(x)) + float(logevidence) - np.asarray(prior))

    def save(self, filename: str) -> None:
        """Writes the trained model, without the samples, to `filename` with `.marg` (`.clumarg` for `cluster`).

        Example:
            >>> estimator.save("cosmo")
        """
        self._write(Path(f"{filename}{self.extension}"))

    @classmethod
    def load(cls: Type[Self], filename: str) -> Self:
        """Reads what `save` wrote; the model is imported if the server does not have it.

        Raises:
            InvalidArgumentError: it was written by margarine itself, or by another class.

        Example:
            >>> estimator = RealNVP.load("cosmo")
        """
        return cls._read(Path(f"{filename}{cls.extension}"))


class CouplingFlow(SecondGeneration):
    """A flow of coupling layers; the service trains the autoregressive one of the same depth and width."""

    def __init__(
        self,
        theta: Any,
        weights: Optional[Any] = None,
        theta_ranges: Optional[Any] = None,
        in_size: Optional[int] = None,
        hidden_size: int = 128,
        num_layers: int = 2,
        num_coupling_layers: int = 4,
        nnx_rngs: Optional[Any] = None,
        permutations_key: Optional[Any] = None,
    ) -> None:
        name = type(self).__name__
        for option, value in (("nnx_rngs", nnx_rngs), ("permutations_key", permutations_key)):
            if value is not None:
                _service.no_meaning(name, option, "the key given to train() seeds everything")
        super().__init__(theta, weights, theta_ranges)
        if in_size is not None and in_size != self.theta.shape[1]:
            raise InvalidArgumentError(f"in_size is {in_size}, theta has {self.theta.shape[1]} columns")
        _service.warn_once(name, f"{name}: the service trains a masked autoregressive flow of the same depth and width")
        self.hidden_size = hidden_size
        self.nlayers = num_layers
        self.num_coupling_layers = num_coupling_layers

    def train(
        self,
        key: Any = None,
        learning_rate: Optional[float] = None,
        epochs: Optional[int] = None,
        patience: Optional[int] = None,
        batch_size: Optional[int] = None,
    ) -> None:
        """Trains on the server and waits.

        Args:
            key: seed, or a key of JAX.
            learning_rate: step size of Adam; default: the server's.
            epochs: most epochs; default: the server's.
            patience: epochs without a better held-out loss before training stops; default: the server's.
            batch_size: rows in a minibatch; default: the server's.

        Raises:
            JobFailedError: the training failed; the message says why.

        Example:
            >>> estimator.train(jax.random.PRNGKey(0), epochs=2000, patience=50)
        """
        self._fit(
            _specs.FAMILIES["MAF"],
            transforms=self.num_coupling_layers,
            hidden_units=[self.hidden_size] * self.nlayers,
            seed=seed_of(key),
            learning_rate=learning_rate,
            max_epochs=epochs,
            patience=patience,
            batch_size=batch_size,
        )


def _ranges(given: Any) -> Any:
    """Lower and upper limits of (2, d), or of (d, 2) where that is the only reading."""
    values = np.asarray(given, dtype=np.float64)
    if values.ndim == 2 and values.shape[0] != 2 and values.shape[1] == 2:
        values = values.T
    if values.ndim != 2 or values.shape[0] != 2:
        raise InvalidArgumentError(f"theta_ranges has shape {values.shape}, expected (2, d): lower and upper limits")
    return values
