"""A trained density as a proposal for nested samplers, with log Z unchanged (Alsing & Handley 2021, arXiv:2102.12478).

The pitfall. A sampler that draws from a trained density q instead of the prior pi must also change the likelihood, from
L to L pi / q: the prior is then *repartitioned* and the evidence, the integral of L pi, is what it was. And q has to
reach wherever L pi does: where a flow says "impossible" nothing is ever drawn, no error is raised, and log Z comes out
wrong. A published shortcut moved it from -23.33 to -25.20. So the proposal here is always a mixture with a share of the
prior, q_mix = (1 - f) q + f pi: no point of the prior is lost, and pi / q_mix is at most 1 / f.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Callable, Iterable, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery import _arguments, _arrays, _names, _priors
from creamery._arrays import FloatArray
from creamery._errors import FailedPreconditionError, InvalidArgumentError
from creamery._inference import DensityQuestions

_REMEMBERED_POINTS = 100_000
_INSIDE = 2.0**-53  # u is kept this far from 0 and 1, where a quantile is infinite


class _Quiet(DensityQuestions):
    """Points of the fallback lie outside the training region by design: nothing to warn of."""

    def _warn(self, values: Iterable[int]) -> Tuple[str, ...]:
        return ()


class Proposal:
    """A prior transform and the correction that goes with it, one or many points at a time. Thread-safe.

    Attributes:
        fallback: share f of the prior in the mixture.

    Example:
        >>> proposal = client.model("planck/cosmo").proposal(fallback=0.1)
        >>> sampler = dynesty.NestedSampler(proposal.wrap(log_l), proposal.prior_transform, ndim=2)   # dynesty
        >>> sampler = ultranest.ReactiveNestedSampler(names, proposal.wrap(log_l), proposal.prior_transform,
        ...                                           vectorized=True)                                # UltraNest
        >>> pypolychord.run(proposal.wrap(log_l), 2, prior=proposal.prior_transform)                  # PolyChord
    """

    def __init__(self, model: DensityQuestions, fallback: float = 0.1) -> None:
        share = _arguments.number("fallback", fallback)
        if not 0.0 < share < 1.0:
            raise InvalidArgumentError(
                f"fallback is {fallback!r}, expected a share of the prior between 0 and 1, both excluded: without it "
                "the evidence of a run may be wrong without a sign of it"
            )
        self._model = _Quiet(model._transport, model.proto)
        self.fallback = share
        missing = [name for name in model.parameters if name not in model.priors]
        if missing:
            raise FailedPreconditionError(
                f"{model.name} has no analytic prior of {', '.join(missing)}: a proposal needs one for every parameter"
            )
        self._priors = [model.priors[name] for name in model.parameters]
        self._lock = threading.Lock()
        self._corrections: OrderedDict[bytes, float] = OrderedDict()

    def prior_transform(self, u: Any) -> FloatArray:
        """Maps the unit hypercube to parameters: uniform u gives draws from q_mix.

        The correction of these points is fetched along with them, so that `log_correction` asks the server no more.

        Args:
            u: (n, d), or (d,) for one point; 0 and 1 are taken as the nearest number inside.

        Returns:
            (n, d) or (d,) float64, in the model's order.
        """
        inside = np.clip(
            self._model._hypercube(u).rows if _arrays.is_table(u) else _arrays.floats("u", u), _INSIDE, 1.0 - _INSIDE
        )
        theta = self._model.prior_transform(inside, prior_fraction=self.fallback)
        self._fetch(theta.reshape(-1, theta.shape[-1]))
        return theta

    def log_correction(self, theta: Any) -> Union[float, FloatArray]:
        """log pi(theta) - log q_mix(theta): what is added to the log-likelihood to leave the evidence as it is.

        Args:
            theta: (n, d), or (d,) for one point, in the model's order.

        Returns:
            (n,) float64, or a float for one point; -inf outside the prior.
        """
        points, names = _arrays.table(theta, self._model.parameters)
        if names is not None and names != self._model.parameters:
            raise InvalidArgumentError(
                f"theta has the columns {', '.join(names)}, expected {', '.join(self._model.parameters)}"
            )
        points = np.ascontiguousarray(points, dtype=np.float64)
        if points.ndim == 0 or points.ndim > 2 or points.shape[-1] != len(self._model.parameters):
            raise InvalidArgumentError(f"theta has shape {points.shape}, expected (n, {len(self._model.parameters)})")
        rows = points.reshape(-1, points.shape[-1])
        keys = [row.tobytes() for row in rows]
        with self._lock:
            known = [self._corrections.get(key) for key in keys]
        unknown = [i for i, value in enumerate(known) if value is None]
        if unknown:
            fetched = self._fetch(rows[unknown])
            for i, value in zip(unknown, fetched):
                known[i] = float(value)
        answer: FloatArray = np.array(known, dtype=np.float64)
        return float(answer[0]) if points.ndim == 1 else answer

    def log_likelihood(self, theta: Any, log_l: Any) -> Any:
        """The repartitioned log-likelihood, log L + log pi - log q_mix.

        Args:
            theta: (n, d), or (d,) for one point.
            log_l: log L at theta; or the function that computes it; or its pair with derived parameters (PolyChord).

        Returns:
            The corrected log L in the form in which log L came; with derived parameters, the pair.
        """
        value = log_l(theta) if callable(log_l) else log_l
        if isinstance(value, tuple):
            return (value[0] + self.log_correction(theta), *value[1:])
        return value + self.log_correction(theta)

    def wrap(self, log_l: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The function theta -> corrected log L, to be handed to a sampler in the place of `log_l`.

        Args:
            log_l: log-likelihood in the form the sampler asks for: of one point (dynesty), of many (UltraNest,
                vectorised), or with derived parameters (PolyChord).

        Example:
            >>> dynesty.NestedSampler(proposal.wrap(log_l), proposal.prior_transform, ndim=2)
        """

        _arguments.function("log_l", log_l)

        def corrected(theta: Any) -> Any:
            return self.log_likelihood(theta, log_l)

        return corrected

    def _fetch(self, rows: NDArray[np.float64]) -> FloatArray:
        """The corrections of points, remembered."""
        density = np.atleast_1d(self._model.log_prob(rows, prior_fraction=self.fallback))
        prior = _priors.log_density(self._priors, rows)
        # Outside the prior both may vanish; such a point counts for nothing.
        inside = np.isfinite(prior)
        corrections: FloatArray = np.full(len(rows), -np.inf)
        corrections[inside] = prior[inside] - density[inside]
        with self._lock:
            for row, value in zip(rows, corrections):
                self._corrections[row.tobytes()] = float(value)
            while len(self._corrections) > _REMEMBERED_POINTS:
                self._corrections.popitem(last=False)
        return corrections

    def __repr__(self) -> str:
        return f"<Proposal {_names.short(self._model.name)} with {self.fallback:g} of the prior>"
