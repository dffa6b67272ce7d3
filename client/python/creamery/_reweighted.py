"""Weighted samples of another likelihood's posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, List, Optional, Tuple

import numpy as np

from creamery import _arrays, _estimate, _samples
from creamery._arrays import FloatArray
from creamery._estimate import Estimate
from creamery._rounds import Values
from creamery.v1 import dataset_pb2


@dataclass(frozen=True, repr=False, eq=False)
class Reweighted:
    """Samples with weights that make them those of the new posterior.

    Attributes:
        theta: (n, d) points, in the model's order.
        weights: (n,) their weights, mean 1.
        log_weight: (n,) natural log of the weights, largest 0.
        log_likelihood: (n,) natural log of the new likelihood.
        effective_size: Kish's effective size of the weights.
        k_hat: Pareto k-hat of the weights; above 0.7 they are not to be trusted.
        log_evidence_ratio: log(Z_new / Z) from the chain's points; None without any.
        done: True if the target was reached or the points are used up.
        seed: the seed that was used.
        model_version: the version that answered.
        warnings: reasons for care, such as "HEAVY_TAILED_WEIGHTS".

    Example:
        >>> slow = model.reweight(slow_log_likelihood, seed=1)
        >>> slow.samples(as_="anesthetic").mean()
    """

    theta: FloatArray
    weights: FloatArray
    log_weight: FloatArray
    log_likelihood: FloatArray
    effective_size: float
    k_hat: float
    log_evidence_ratio: Optional[Estimate]
    done: bool
    seed: int
    model_version: str
    warnings: Tuple[str, ...]
    _parameters: List[dataset_pb2.Parameter]

    @classmethod
    def of_reply(
        cls, reply: Any, values: Values, parameters: Iterable[dataset_pb2.Parameter], warnings: Tuple[str, ...]
    ) -> Reweighted:
        """The samples of the last round."""
        log_weight = _arrays.from_proto(reply.log_weight) if reply.log_weight.data else np.empty(0)
        weights = np.exp(log_weight)
        ratio = None
        if reply.HasField("log_evidence_ratio"):
            ratio = _estimate.from_proto(reply.log_evidence_ratio, "nats", seed=reply.seed, warnings=warnings)
        return cls(
            theta=values.theta[: len(log_weight)],
            weights=weights / weights.mean() if weights.any() else weights,
            log_weight=log_weight,
            log_likelihood=values.log_likelihood,
            effective_size=reply.effective_size,
            k_hat=reply.k_hat,
            log_evidence_ratio=ratio,
            done=reply.done,
            seed=reply.seed,
            model_version=reply.model_version,
            warnings=warnings,
            _parameters=list(parameters),
        )

    def samples(self, as_: Optional[str] = None) -> Any:
        """The weighted samples.

        Args:
            as_: "anesthetic", "getdist" or "pandas" for a frame of that package with weights and labels; None for the
                array `theta`, whose weights are `weights`.

        Raises:
            InvalidArgumentError: an unknown `as_`.
            ImportError: the package of `as_` is not installed.

        Example:
            >>> slow.samples(as_="getdist")
        """
        _samples.check(as_)
        if as_ is None:
            return self.theta
        return _samples.convert(self.theta, None, self._parameters, as_, weights=self.weights)

    def __repr__(self) -> str:
        return (
            f"<{len(self.theta)} reweighted samples: effective size {self.effective_size:.0f}, k-hat {self.k_hat:.2f}>"
        )
