"""margarine 2.x (JAX): it has no MAF, so this is its RealNVP of 6 coupling layers with networks of 50 x 50.

Its log_prob is compiled by jax.jit, once for every new number of points; "eager" is the same code without the compiler.
"""

import importlib.metadata
import os
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import problem  # noqa: E402
from flax import nnx  # noqa: E402
from margarine.estimators.realnvp import RealNVP  # noqa: E402


class Subject:
    note = "another architecture: RealNVP 6 x (50, 50), two networks a layer, ReLU"

    def __init__(self, rows, held_out):
        self._held_out = jnp.asarray(held_out)
        self._flow = RealNVP(
            jnp.asarray(rows),
            theta_ranges=jnp.asarray(problem.bounds()),
            in_size=rows.shape[1],
            hidden_size=50,
            num_layers=1,
            num_coupling_layers=6,
            nnx_rngs=nnx.Rngs(1),
        )

    def versions(self):
        return {each: importlib.metadata.version(each) for each in ("margarine", "jax")}

    def train(self, max_epochs):
        start = time.perf_counter()
        self._flow.train(jax.random.PRNGKey(1), learning_rate=1e-3, epochs=max_epochs)
        seconds = time.perf_counter() - start
        return [(seconds, float(self._flow.log_prob(self._held_out).mean()))]

    def prepare(self, theta):
        return jnp.asarray(theta)

    def log_prob(self):
        return {"jitted": lambda theta: self._flow.log_prob(theta).block_until_ready(), "eager": self._eager}

    def _eager(self, theta):
        with jax.disable_jit():
            return self._flow.log_prob(theta).block_until_ready()

    def sample(self):
        key = jax.random.PRNGKey(2)
        return {"in process": lambda n: self._flow.sample(key, n).block_until_ready()}
