"""Makes an artifact of every kind of node of format 2, and what each must answer, computed here from the definitions.

    build/python-venv/bin/python tests/golden/make_tree_artifacts.py FOLDER

Nothing of Creamery is used: the numbers are random, the log-densities and unit-cube positions follow in plain Python
from the formulas of models/plan/plan.h and models/densities/. Run once for a released format, never again.
"""

import json
import math
import pathlib
import statistics
import struct
import sys

import numpy as np

NORMAL = statistics.NormalDist()


def cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


def log_normal(x):
    return -0.5 * x * x - 0.5 * math.log(2 * math.pi)


def log_sum(terms):
    largest = max(terms)
    return largest if largest == -math.inf else largest + math.log(sum(math.exp(t - largest) for t in terms))


# Column maps: (scale of t, space, origin, lower, upper, zoom centre, zoom scale, shift, scale) as in ColumnMap.
FREE = (0, 0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.3, 1.2)
BOX = (0, 2, 0.0, 0.0, 1.0, 0.0, 0.0, -0.1, 0.8)
POSITIVE = (1, 0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.1, 0.9)
UNIT_BOX = (0, 1, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def map_column(column, theta):
    """y and log |dy/dtheta|; None outside the bounds."""
    log_scale, space, origin, lower, upper, _, _, shift, scale = column
    ladj = 0.0
    t = theta
    if log_scale == 1:
        if theta <= origin:
            return None
        t = math.log(theta - origin)
        ladj -= t
    if space == 0:
        return (t - shift) / scale, ladj - math.log(scale)
    if not lower < t < upper:
        return None
    u = (t - lower) / (upper - lower)
    ladj -= math.log(upper - lower)
    if space == 1:
        return u, ladj
    x = NORMAL.inv_cdf(u)
    return (x - shift) / scale, ladj - log_normal(x) - math.log(scale)


def map_columns(columns, theta):
    mapped = [map_column(c, t) for c, t in zip(columns, theta)]
    if None in mapped:
        return None
    return [m[0] for m in mapped], sum(m[1] for m in mapped)


def write_columns(columns, prefix, tensors):
    tensors[prefix + "columns/kinds"] = np.array([c[:2] for c in columns], np.int64)
    tensors[prefix + "columns/numbers"] = np.array([c[2:] for c in columns], np.float64)


class Kernels:
    def __init__(self, rng, columns, m):
        d = len(columns)
        self.columns = columns
        self.weight = rng.uniform(0.2, 1, m)
        self.weight /= self.weight.sum()
        self.centers = rng.normal(size=(m, d)) * 0.7 + rng.choice([-0.6, 0.6], size=(m, 1))
        self.cholesky = np.tril(rng.normal(size=(d, d)) * 0.1, -1) + np.diag(rng.uniform(0.3, 0.5, d))

    def write(self, prefix, tensors):
        tensors[prefix + "kind"] = np.array([1], np.int64)
        write_columns(self.columns, prefix, tensors)
        tensors[prefix + "kernels/weight"] = self.weight
        tensors[prefix + "kernels/centers"] = self.centers
        tensors[prefix + "kernels/cholesky"] = self.cholesky

    def log_prob(self, theta):
        mapped = map_columns(self.columns, theta)
        if mapped is None:
            return -math.inf
        y, ladj = mapped
        covariance = self.cholesky @ self.cholesky.T
        _, log_det = np.linalg.slogdet(2 * math.pi * covariance)
        apart = np.array(y) - self.centers
        squares = np.einsum("ki,ij,kj->k", apart, np.linalg.inv(covariance), apart)
        return ladj + log_sum(list(np.log(self.weight) - 0.5 * squares - 0.5 * log_det))

    def position(self, theta):
        """Conditional distribution functions from the covariance's own blocks, column by column."""
        y, _ = map_columns(self.columns, theta)
        covariance = self.cholesky @ self.cholesky.T
        u = []
        for i in range(len(y)):
            omega, mean, variance = self.weight.copy(), self.centers[:, i].copy(), covariance[i, i]
            if i > 0:
                precision = np.linalg.inv(covariance[:i, :i])
                apart = np.array(y[:i]) - self.centers[:, :i]
                omega *= np.exp(-0.5 * np.einsum("ki,ij,kj->k", apart, precision, apart))
                mean += apart @ precision @ covariance[:i, i]
                variance -= covariance[i, :i] @ precision @ covariance[:i, i]
            masses = [w * cdf((y[i] - m) / math.sqrt(variance)) for w, m in zip(omega, mean)]
            u.append(sum(masses) / omega.sum())
        return u


class AffineFlow:
    """Whitening and one affine autoregressive layer with four hidden units, its positions in reverse order."""

    def __init__(self, rng, columns):
        d = len(columns)
        self.columns = columns
        self.whitening = np.tril(rng.normal(size=(d, d)) * 0.3, -1) + np.diag(rng.uniform(0.8, 1.3, d))
        self.order = list(range(d))[::-1]
        self.degrees = np.sort(rng.integers(1, d, 4))
        see = self.degrees[:, None] >= np.arange(1, d + 1)[None, :]
        self.hidden = (rng.normal(size=(4, d)) * 0.7 * see).astype(np.float32)
        self.hidden_bias = rng.normal(size=4).astype(np.float32)
        position = np.repeat(np.arange(d), 2)
        self.out = (rng.normal(size=(2 * d, 4)) * 0.3 * (self.degrees[None, :] <= position[:, None])).astype(np.float32)
        self.out_bias = (rng.normal(size=2 * d) * 0.2).astype(np.float32)

    def write(self, prefix, tensors):
        write_columns(self.columns, prefix, tensors)
        tensors[prefix + "whitening"] = self.whitening
        tensors[prefix + "layers/kinds"] = np.array([[0, 0, 2]], np.int64)
        tensors[prefix + "layers/0/order"] = np.array(self.order, np.int64)
        tensors[prefix + "layers/0/map0/weight"] = self.hidden
        tensors[prefix + "layers/0/map0/bias"] = self.hidden_bias
        tensors[prefix + "layers/0/map0/degrees"] = self.degrees.astype(np.int64)
        tensors[prefix + "layers/0/map1/weight"] = self.out
        tensors[prefix + "layers/0/map1/bias"] = self.out_bias

    def base(self, theta):
        """z by column, and log |dz/dtheta|."""
        y, ladj = map_columns(self.columns, theta)
        y = self.whitening @ np.array(y)
        ladj += np.log(np.diag(self.whitening)).sum()
        inputs = y[self.order]
        hidden = np.tanh(self.hidden.astype(float) @ inputs + self.hidden_bias)
        mu_alpha = (self.out.astype(float) @ hidden + self.out_bias).reshape(-1, 2)
        z = np.empty_like(y)
        z[self.order] = (inputs - mu_alpha[:, 0]) * np.exp(-mu_alpha[:, 1])
        return z, ladj - mu_alpha[:, 1].sum()

    def log_prob(self, theta):
        if map_columns(self.columns, theta) is None:
            return -math.inf
        z, ladj = self.base(theta)
        return ladj + sum(log_normal(x) for x in z)

    def position(self, theta):
        return [cdf(x) for x in self.base(theta)[0]]


class BoxSpline:
    """One spline layer of one column on its box: its biases speak."""

    def __init__(self, rng, column, bins):
        self.column = column
        self.bins = bins
        self.raw = rng.normal(size=3 * bins + 1).astype(np.float32)

    def write(self, prefix, tensors):
        write_columns([self.column], prefix, tensors)
        tensors[prefix + "layers/kinds"] = np.array([[1, self.bins, 1]], np.int64)
        tensors[prefix + "layers/0/order"] = np.array([0], np.int64)
        tensors[prefix + "layers/0/map0/weight"] = np.zeros((3 * self.bins + 1, 1), np.float32)
        tensors[prefix + "layers/0/map0/bias"] = self.raw

    def spline(self, u):
        """Durkan et al. 2019, eqs. 4-5."""
        raw, bins = self.raw.astype(float), self.bins

        def knots(numbers):
            share = np.exp(numbers - numbers.max())
            return np.concatenate([[0], np.cumsum(1e-4 + (1 - bins * 1e-4) * share / share.sum())])

        x, y = knots(raw[:bins]), knots(raw[bins:2 * bins])
        slope = 1e-4 + np.log1p(np.exp(raw[2 * bins:] + math.log(math.expm1(1 - 1e-4))))
        k = min(int(np.searchsorted(x, u, side="right")) - 1, bins - 1)
        dx, dy = x[k + 1] - x[k], y[k + 1] - y[k]
        s, xi = dy / dx, (u - x[k]) / dx
        bottom = s + (slope[k] + slope[k + 1] - 2 * s) * xi * (1 - xi)
        value = y[k] + dy * (s * xi**2 + slope[k] * xi * (1 - xi)) / bottom
        gradient = s**2 * (slope[k + 1] * xi**2 + 2 * s * xi * (1 - xi) + slope[k] * (1 - xi) ** 2) / bottom**2
        return value, math.log(gradient)

    def log_prob(self, theta):
        mapped = map_column(self.column, theta[0])
        return -math.inf if mapped is None else mapped[1] + self.spline(mapped[0])[1]

    def position(self, theta):
        return [self.spline(map_column(self.column, theta[0])[0])[0]]


class Mixture:
    def __init__(self, weight, children):
        self.weight = weight
        self.children = children

    def write(self, prefix, tensors):
        tensors[prefix + "kind"] = np.array([2], np.int64)
        tensors[prefix + "mixture/weight"] = np.array(self.weight, np.float64)
        for k, child in enumerate(self.children):
            child.write(f"{prefix}{k}/", tensors)

    def terms(self, theta):
        return [math.log(w) + child.log_prob(theta) for w, child in zip(self.weight, self.children)]

    def log_prob(self, theta):
        return log_sum(self.terms(theta))

    def position(self, theta):
        k = int(np.argmax(self.terms(theta)))
        u = list(self.children[k].position(theta))
        u[0] = sum(self.weight[:k]) + self.weight[k] * u[0]
        return u


class Product:
    def __init__(self, columns, children):
        self.columns = columns
        self.children = children

    def write(self, prefix, tensors):
        tensors[prefix + "kind"] = np.array([3], np.int64)
        tensors[prefix + "product/sizes"] = np.array([len(c) for c in self.columns], np.int64)
        tensors[prefix + "product/columns"] = np.array(sum(self.columns, []), np.int64)
        for k, child in enumerate(self.children):
            child.write(f"{prefix}{k}/", tensors)

    def parts(self, theta):
        return [(c, child, [theta[j] for j in c]) for c, child in zip(self.columns, self.children)]

    def log_prob(self, theta):
        return sum(child.log_prob(part) for _, child, part in self.parts(theta))

    def position(self, theta):
        u = [0.0] * len(theta)
        for columns, child, part in self.parts(theta):
            for j, place in zip(columns, child.position(part)):
                u[j] = place
        return u


def save(path, tensors, metadata):
    names = {np.dtype(np.float64): "F64", np.dtype(np.float32): "F32", np.dtype(np.int64): "I64"}
    header, data = {"__metadata__": metadata}, b""
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        header[name] = {"dtype": names[value.dtype], "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main(folder):
    rng = np.random.default_rng(2)
    columns = [FREE, BOX, POSITIVE]
    members = {
        "kde": [Kernels(rng, columns, 12) for _ in range(2)],
        "piecewise": [Mixture([0.3, 0.7], [AffineFlow(rng, columns), AffineFlow(rng, columns)]) for _ in range(2)],
        "blocks": [Product([[1], [2, 0]], [BoxSpline(rng, UNIT_BOX, 4), AffineFlow(rng, [POSITIVE, FREE])])
                   for _ in range(2)],
    }
    members["auto"] = [members["piecewise"][0], members["blocks"][1], members["kde"][1]]
    points = [[0.5, 0.4, 1.2], [-0.7, 0.8, 0.4], [1.6, 0.1, 3.0], [0.2, 0.55, 0.9], [-1.5, 0.3, 0.2],
              [0, -1, 1], [0, 0.5, -1]]
    for name, trees in members.items():
        answer = Mixture([1 / len(trees)] * len(trees), trees) if name == "auto" else trees[1]
        description = {
            "spec": {name: {}, "training": {"members": len(trees),
                                            "answer": "MEMBER_MIXTURE" if name == "auto" else "BEST_MEMBER"}},
            "signature": {"parameters": [{"name": "a"}, {"name": "b", "prior": {"uniform": {"lower": 0, "upper": 1}}},
                                         {"name": "c", "lower": 0}], "abilities": ["DENSITY"]},
            "training": {"members": [{"epochs": 1}] * len(trees), "answeringMember": 1},
        }
        tensors = {}
        for k, tree in enumerate(trees):
            tree.write(f"member{k}/", tensors)
        stem = pathlib.Path(folder) / f"{name}.format2"
        save(stem.with_name(stem.name + ".safetensors"), tensors,
             {"format": "creamery-artifact", "format_version": "2", "description": json.dumps(description)})
        log_prob = [answer.log_prob(p) for p in points]
        answers = {"theta": points, "log_prob": [x if math.isfinite(x) else "-Infinity" for x in log_prob],
                   "u": [answer.position(p) for p, x in zip(points, log_prob) if math.isfinite(x)]}
        stem.with_name(stem.name + ".json").write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
