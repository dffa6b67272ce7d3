"""margarine 1.x (TensorFlow): MAF, 6 networks of 50 x 50, its own loop of full batches with early stopping.

Its log_prob is compiled by XLA, once for every new number of points; "eager" is the same code without the compiler.
"""

import importlib.metadata
import os
import time

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import problem  # noqa: E402
import tensorflow as tf  # noqa: E402
from margarine.maf import MAF  # noqa: E402


class Subject:
    note = "MAF 6 x (50, 50), tanh, in a box that holds all rows"

    def __init__(self, rows, held_out):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.random.set_seed(1)
        self._held_out = held_out
        lower, upper = problem.bounds()
        self._maf = MAF(rows, number_networks=6, hidden_layers=[50, 50], theta_min=lower, theta_max=upper)

    def versions(self):
        return {each: importlib.metadata.version(each) for each in ("margarine", "tensorflow_cpu")}

    def train(self, max_epochs):
        start = time.perf_counter()
        self._maf.train(max_epochs, early_stop=True)
        seconds = time.perf_counter() - start
        return [(seconds, float(tf.reduce_mean(self._maf.log_prob(tf.constant(self._held_out, tf.float32)))))]

    def prepare(self, theta):
        return tf.constant(theta, tf.float32)

    def log_prob(self):
        return {"jitted": lambda theta: self._maf.log_prob(theta).numpy(), "eager": _eagerly(self._maf.log_prob)}

    def sample(self):
        return {"jitted": lambda n: self._maf.sample(n).numpy(), "eager": _eagerly(self._maf.sample)}


def _eagerly(function):
    def ask(argument):
        tf.config.run_functions_eagerly(True)
        try:
            return function(argument).numpy()
        finally:
            tf.config.run_functions_eagerly(False)

    return ask
