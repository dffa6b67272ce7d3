"""A classifier two-sample test: can a small network tell two sets of points apart? (Lopez-Paz & Oquab 2017,
arXiv:1610.06545)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Tuple

import numpy as np

from creamery._arrays import FloatArray

_MOST = 4000  # points of each set that are looked at
_RUNS = 8  # of neighbouring rows, which are learnt from and counted on by turns
_HIDDEN = 32
_EPOCHS = 60
_BATCH = 128


@dataclass(frozen=True)
class TwoSampleTest:
    """How well a classifier tells two sets of points apart.

    Attributes:
        accuracy: share of held-out points that it puts into their set, both sets weighing the same.
        expected: what it would be for two sets of the same distribution.
        error: standard error of the accuracy then.
        num_points: held-out points of each set.
    """

    accuracy: float
    expected: float
    error: float
    num_points: int

    @property
    def sigma(self) -> float:
        """The accuracy above what is expected, in its errors."""
        return (self.accuracy - self.expected) / self.error


def two_sample_test(first: FloatArray, second: FloatArray, seed: int = 0) -> TwoSampleTest:
    """Learns from one half of the points and counts on the other, which has no part in it: the null is binomial.

    The halves are runs of rows, so that neighbours of a Markov chain are not on both sides.

    Args:
        first: (n, d) points in their order.
        second: (m, d) independent points; as many are used as there are of the first.
        seed: of the network.
    """
    random = np.random.default_rng(seed)
    count = min(len(first), len(second), _MOST)
    first = first[np.linspace(0, len(first) - 1, count).astype(int)]
    second = second[:count]
    both = np.concatenate([first, second])
    standard = _whitened(both)
    labels = np.repeat([1.0, 0.0], count)
    held = np.tile(np.arange(count) * min(_RUNS, count) // count % 2 == 1, 2)
    network = _fit(standard[~held], labels[~held], random)
    right = (_forward(network, standard[held])[-1][:, 0] > 0) == (labels[held] > 0.5)
    return TwoSampleTest(float(right.mean()), 0.5, 0.5 / math.sqrt(len(right)), len(right) // 2)


def _whitened(points: FloatArray) -> FloatArray:
    """Points with mean 0 and unit covariance; directions without width stay 0."""
    centred = points - points.mean(axis=0)
    scale = centred.std(axis=0)
    centred = centred / np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(centred.T, bias=True)))
    keep = values > 1e-12 * values.max(initial=0.0)
    white: FloatArray = centred @ vectors[:, keep] / np.sqrt(values[keep])
    return white if keep.any() else centred


Network = List[Tuple[FloatArray, FloatArray]]


def _forward(network: Network, x: FloatArray) -> List[FloatArray]:
    """The values of every layer, the points first and the logits (n, 1) last."""
    layers = [x]
    for i, (weight, bias) in enumerate(network):
        x = x @ weight + bias
        if i < len(network) - 1:
            x = np.tanh(x)
        layers.append(x)
    return layers


def _fit(x: FloatArray, labels: FloatArray, random: np.random.Generator) -> Network:
    """A network of two hidden layers, by Adam with a falling step on the cross-entropy, with weight decay."""
    sizes = [x.shape[1], _HIDDEN, _HIDDEN, 1]
    network = [(random.normal(0, 1 / math.sqrt(a), (a, b)), np.zeros(b)) for a, b in zip(sizes, sizes[1:])]
    moments = [[np.zeros_like(part), np.zeros_like(part)] for layer in network for part in layer]
    steps_all = _EPOCHS * math.ceil(len(x) / _BATCH)
    step = 0
    for _ in range(_EPOCHS):
        order = random.permutation(len(x))
        for start in range(0, len(x), _BATCH):
            batch = order[start : start + _BATCH]
            layers = _forward(network, x[batch])
            delta = (1 / (1 + np.exp(-np.clip(layers[-1], -40, 40))) - labels[batch, None]) / len(batch)
            gradients: List[FloatArray] = []
            for i in reversed(range(len(network))):
                gradients[:0] = [layers[i].T @ delta, delta.sum(axis=0)]
                if i:
                    delta = (delta @ network[i][0].T) * (1 - layers[i] ** 2)
            step += 1
            rate = 0.005 * 0.5 * (1 + math.cos(math.pi * step / steps_all))
            parts = [part for layer in network for part in layer]
            for part, gradient, moment in zip(parts, gradients, moments):
                moment[0] += 0.1 * (gradient - moment[0])
                moment[1] += 0.001 * (gradient**2 - moment[1])
                first, second = moment[0] / (1 - 0.9**step), moment[1] / (1 - 0.999**step)
                part -= rate * (first / (np.sqrt(second) + 1e-8) + 1e-3 * part)
    return network
