"""margarine 2.x: `from creamery.margarine.estimators.realnvp import RealNVP`."""

from creamery.margarine.estimators._second import CouplingFlow


class RealNVP(CouplingFlow):
    """A flow; the service trains a masked autoregressive one, of which RealNVP is the special case of two blocks.

    Args:
        theta: (n, d) samples; or samples of anesthetic.
        weights: (n,) weights of an array.
        theta_ranges: (2, d) lower and upper limits of the prior, which is then uniform.
        in_size: d, checked.
        hidden_size: units of a hidden layer.
        num_layers: hidden layers.
        num_coupling_layers: autoregressive layers.
        nnx_rngs: no meaning here.
        permutations_key: no meaning here.

    Example:
        >>> from creamery.margarine.estimators.realnvp import RealNVP
        >>> estimator = RealNVP(theta, weights=weights, in_size=2, hidden_size=50, num_layers=2)
        >>> estimator.train(jax.random.PRNGKey(0), epochs=2000, patience=50)
        >>> estimator.sample(jax.random.PRNGKey(1), 1000)
    """

    kind = "realnvp"
