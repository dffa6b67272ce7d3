"""margarine 2.x: `from creamery.margarine.estimators.nice import NICE`."""

from creamery.margarine.estimators._second import CouplingFlow


class NICE(CouplingFlow):
    """A flow; the service trains a masked autoregressive one, of which NICE is the special case without scales.

    Args as of `RealNVP`.

    Example:
        >>> from creamery.margarine.estimators.nice import NICE
        >>> estimator = NICE(theta, in_size=2)
        >>> estimator.train(jax.random.PRNGKey(0))
    """

    kind = "nice"
