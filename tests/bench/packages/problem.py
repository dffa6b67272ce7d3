"""The problem of every package: six correlated parameters that are not Gaussian, with their exact density."""

import numpy as np

D = 6
SCALE = 0.4  # of the skewed parameter


def rows(n, seed):
    """(n, 6) draws, float64."""
    z = np.random.default_rng(seed).normal(size=(n, D))
    theta = np.empty_like(z)
    theta[:, 0] = z[:, 0]
    theta[:, 1] = 0.8 * z[:, 0] + 0.6 * z[:, 1]
    theta[:, 2] = z[:, 2] + 0.5 * (theta[:, 0] ** 2 - 1)
    theta[:, 3] = np.exp(SCALE * z[:, 3])
    theta[:, 4] = 0.7 * theta[:, 2] + 0.7 * z[:, 4]
    theta[:, 5] = z[:, 5] * np.exp(0.3 * theta[:, 1])
    return theta


def log_prob(theta):
    """The exact natural-log density, (n,)."""
    z = np.empty_like(theta)
    z[:, 0] = theta[:, 0]
    z[:, 1] = (theta[:, 1] - 0.8 * theta[:, 0]) / 0.6
    z[:, 2] = theta[:, 2] - 0.5 * (theta[:, 0] ** 2 - 1)
    z[:, 3] = np.log(theta[:, 3]) / SCALE
    z[:, 4] = (theta[:, 4] - 0.7 * theta[:, 2]) / 0.7
    z[:, 5] = theta[:, 5] * np.exp(-0.3 * theta[:, 1])
    ladj = -np.log(0.6 * 0.7 * SCALE) - SCALE * z[:, 3] - 0.3 * theta[:, 1]
    return -0.5 * (z**2).sum(axis=1) - 0.5 * D * np.log(2 * np.pi) + ladj


TRAINING = 10_000
HELD_OUT = 10_000


def training_rows():
    return rows(TRAINING, seed=1)


def held_out_rows():
    return rows(HELD_OUT, seed=2)


def bounds():
    """Smallest and greatest values, (6,) each, for packages that live in a box and have no density outside."""
    both = np.concatenate([training_rows(), held_out_rows(), rows(1_000_000, seed=3)])
    margin = 0.02 * (both.max(axis=0) - both.min(axis=0))
    return both.min(axis=0) - margin, both.max(axis=0) + margin
