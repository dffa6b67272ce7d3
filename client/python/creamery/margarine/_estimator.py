"""What every estimator of margarine's has: rows, limits, a trained model on the server, a file."""

from __future__ import annotations

import json
import operator
import tempfile
import zipfile
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar

import numpy as np
from numpy.typing import NDArray

from creamery import _chain_objects, _names, _warnings, _weights
from creamery._chains import Chains
from creamery._errors import FailedPreconditionError, InvalidArgumentError, NotFoundError
from creamery._jobs import JobStatus
from creamery._model import Model
from creamery._specs import EstimatorSpec
from creamery.margarine import _service

_DESCRIPTION = "creamery-margarine.json"
_ARTIFACT = "artifact.safetensors"
_INSIDE = 2.0**-53
Self = TypeVar("Self", bound="Estimator")


class Tensor(np.ndarray):
    """A NumPy array that answers `.numpy()`, as scripts for TensorFlow ask."""

    def numpy(self) -> NDArray[Any]:
        """The plain array."""
        return np.asarray(self)


def tensor(values: Any) -> Any:
    """Values as what margarine's users expect: an array with `.numpy()`."""
    return np.asarray(values).view(Tensor)


class Estimator:
    """Rows of samples, and a density trained on them by the server.

    Attributes:
        model: the trained `creamery.Model`; None before training.
        theta_min: (d,) lower limits, as given or by margarine's estimate from the samples.
        theta_max: (d,) upper limits.
        parameters: d names.
        loss_history: mean negative log-density of the training rows, natural log: by epoch as far as they were seen,
            then of the epoch that is kept, for each member.
        test_loss_history: of the held-out rows.
    """

    kind: ClassVar[str] = ""
    extension: ClassVar[str] = ""

    def __init__(
        self,
        theta: Any,
        weights: Optional[Any] = None,
        theta_min: Optional[Any] = None,
        theta_max: Optional[Any] = None,
        parameters: Optional[Sequence[str]] = None,
    ) -> None:
        self.model: Optional[Model] = None
        self.loss_history: List[float] = []
        self.test_loss_history: List[float] = []
        self._rows: Optional[Chains] = _rows(theta, weights, parameters)
        self.parameters = list(self._rows.names)
        lower, upper = estimated_limits(self._rows.theta, self._weights_of(self._rows))
        self._given = (theta_min is not None, theta_max is not None)
        self.theta_min = _limits("theta_min", theta_min, lower)
        self.theta_max = _limits("theta_max", theta_max, upper)
        outside = ~np.all((self._rows.theta >= self.theta_min) & (self._rows.theta <= self.theta_max), axis=1)
        if outside.any():
            _warnings.warn_client(f"{int(outside.sum())} samples are outside the given limits and are left out")

    @property
    def theta(self) -> NDArray[Any]:
        """(n, d) samples it was trained on; of a loaded one, from the dataset on the server."""
        return self._known_rows().theta

    @property
    def sample_weights(self) -> NDArray[Any]:
        """(n,) weights of the samples."""
        return self._weights_of(self._known_rows())

    @property
    def weights(self) -> NDArray[Any]:
        """(n,) weights of the samples, under their name of margarine 2.x."""
        return self.sample_weights

    @property
    def theta_ranges(self) -> NDArray[Any]:
        """(2, d) limits, lower and upper, under their name of margarine 2.x."""
        return np.stack([self.theta_min, self.theta_max])

    @property
    def limits(self) -> Dict[str, Tuple[Optional[float], Optional[float]]]:
        """The limits that were given, by parameter; None for one that was not."""
        low, high = self._given
        return {
            name: (float(a) if low else None, float(b) if high else None)
            for name, a, b in zip(self.parameters, self.theta_min, self.theta_max)
        }

    def trained(self) -> Model:
        """The model on the server.

        Raises:
            FailedPreconditionError: it is not trained.
        """
        if self.model is None:
            raise FailedPreconditionError(f"this {type(self).__name__} is not trained: call train() or load() first")
        return self.model

    def _fit(self, make_spec: Type[EstimatorSpec], **options: Any) -> None:
        self.model, seen = _service.train(self.kind, self._known_rows(), self.limits, make_spec, options)
        self.loss_history, self.test_loss_history = _losses(seen)
        for member in self.model.training.members:  # the epochs that are kept close each member's history
            self.loss_history.append(member.train_loss)
            self.test_loss_history.append(member.held_out_loss)

    def __call__(self, u: Any) -> Any:
        """Samples of points of the unit hypercube.

        Args:
            u: (n, d) or (d,) in the unit hypercube; 0 and 1 are taken as the nearest number inside.

        Returns:
            (n, d) or (d,), in the order of `parameters`.
        """
        points = np.clip(np.asarray(u, dtype=np.float64), _INSIDE, 1.0 - _INSIDE)
        return tensor(self.trained().prior_transform(points))

    def log_prob(self, params: Any) -> Any:
        """Natural-log density of the samples; -inf outside the limits.

        Args:
            params: (n, d) or (d,), in the order of `parameters`.

        Returns:
            (n,), or a scalar for one point.
        """
        return tensor(self.trained().log_prob(np.asarray(params)))

    def _draw(self, num_samples: Any, seed: Optional[int]) -> Any:
        return tensor(self.trained().sample(operator.index(num_samples), seed=seed))

    def log_uniform(self) -> float:
        """Natural log of the uniform density between the limits; says once if they are only estimates."""
        if not all(self._given):
            _service.warn_once(
                "uniform", "no limits were given: a uniform prior between margarine's estimates of them is assumed"
            )
        return -float(np.log(self.theta_max - self.theta_min).sum())

    def _write(self, path: Path) -> None:
        """Writes the trained model and what describes it; no samples."""
        model = self.trained()
        described = {
            "format": 1,
            "class": type(self).__name__,
            "version": model.name,
            "digest": model.proto.artifact_digest,
            "parameters": self.parameters,
            "theta_min": self.theta_min.tolist(),
            "theta_max": self.theta_max.tolist(),
            "given": list(self._given),
            "loss_history": self.loss_history,
            "test_loss_history": self.test_loss_history,
        }
        with tempfile.TemporaryDirectory() as folder:
            artifact = model.export(Path(folder) / _ARTIFACT)
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(_DESCRIPTION, json.dumps(described, indent=1))
                archive.write(artifact, _ARTIFACT)

    @classmethod
    def _read(cls: Type[Self], path: Path) -> Self:
        """An estimator from a file: the model on the server if it is still there, else the file's, imported."""
        try:
            with zipfile.ZipFile(path) as archive:
                described = json.loads(archive.read(_DESCRIPTION))
                artifact = archive.read(_ARTIFACT)
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise InvalidArgumentError(
                f"{path} was not written by creamery.margarine; files of margarine itself run code when they are read "
                "and are not opened here: train again"
            ) from error
        if described.get("class") != cls.__name__:
            raise InvalidArgumentError(f"{path} holds a {described.get('class')}, expected a {cls.__name__}")
        self = cls.__new__(cls)
        self._rows = None
        self.parameters = list(described["parameters"])
        self.theta_min, self.theta_max = np.array(described["theta_min"]), np.array(described["theta_max"])
        self._given = (bool(described["given"][0]), bool(described["given"][1]))
        self.loss_history, self.test_loss_history = described["loss_history"], described["test_loss_history"]
        self.model = _find(described, artifact, cls.kind)
        return self

    def _known_rows(self) -> Chains:
        if self._rows is None:
            model = self.trained()
            dataset = _service.client().datasets.get(model.training.dataset)
            rows = _service.client().datasets.download(dataset, model.training.dataset_revision)
            chains = Chains(
                rows["theta"],
                tuple(dataset.names),
                dataset.kind,
                rows.get("weights"),
                rows.get("chain"),
                rows.get("log_likelihood"),
                rows.get("log_likelihood_birth"),
            )
            self._rows = chains.select(self.parameters)
        return self._rows

    @staticmethod
    def _weights_of(rows: Chains) -> NDArray[Any]:
        if rows.weights is not None:
            return rows.weights
        if rows.log_likelihood_birth is None:
            return np.ones(len(rows))
        return _nested_weights(rows)

    def __repr__(self) -> str:
        state = "not trained" if self.model is None else _names.short(self.model.name)
        return f"<{type(self).__name__} of {', '.join(self.parameters)}: {state}>"


def _find(described: Mapping[str, Any], artifact: bytes, kind: str) -> Model:
    connected = _service.client()
    try:
        model = connected.model(described["version"])
        if model.proto.artifact_digest == described["digest"]:
            return model
    except NotFoundError:
        pass
    name = f"{_service.project()}/{kind}-{described['digest'][:16]}"
    try:
        model = connected.model(name)
        if model.proto.artifact_digest == described["digest"]:
            return model
    except NotFoundError:
        pass
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _ARTIFACT
        path.write_bytes(artifact)
        return connected.models.import_(name, path)


def _rows(theta: Any, weights: Optional[Any], parameters: Optional[Sequence[str]]) -> Chains:
    """Finite rows of an array with weights, or of an anesthetic frame with its own, births and chains included."""
    if hasattr(theta, "get_weights") and hasattr(theta, "columns"):
        rows = _chain_objects.of_anesthetic(theta, None, True)
        rows = rows.select([str(name) for name in parameters]) if parameters is not None else rows
    else:
        values = np.array(theta, dtype=np.float64)
        if values.ndim != 2:
            raise InvalidArgumentError(f"theta has shape {values.shape}, expected (n, d)")
        size = values.shape[1]
        named = [f"p{i}" for i in range(size)] if parameters is None else [str(name) for name in parameters]
        if len(named) != size:
            raise InvalidArgumentError(f"parameters names {len(named)} columns, theta has {size}")
        given = None if weights is None else np.array(weights, dtype=np.float64)
        if given is not None and given.shape != (len(values),):
            raise InvalidArgumentError(f"weights has shape {given.shape}, expected ({len(values)},)")
        rows = Chains(values, tuple(named), "independent", given)
    finite = np.isfinite(rows.theta).all(axis=1)
    if finite.all():
        return rows
    _warnings.warn_client(f"{int((~finite).sum())} samples are not finite and are left out")
    columns = (rows.weights, rows.chain, rows.log_likelihood, rows.log_likelihood_birth)
    weights, chain, log_l, birth = (None if column is None else column[finite] for column in columns)
    return Chains(rows.theta[finite], rows.names, rows.kind, weights, chain, log_l, birth, labels=rows.labels)


def _limits(what: str, given: Optional[Any], estimate: NDArray[Any]) -> NDArray[np.float64]:
    if given is None:
        return estimate
    values: NDArray[np.float64] = np.array(given, dtype=np.float64).reshape(-1)
    if values.shape != estimate.shape:
        raise InvalidArgumentError(
            f"{what} has {values.size} entries, expected {estimate.size}, one for each parameter"
        )
    return values


def estimated_limits(theta: NDArray[Any], weights: NDArray[Any]) -> Tuple[NDArray[Any], NDArray[Any]]:
    """margarine's estimate of uniform limits from the extremes, by Kish's effective n: high + (high - low)/(n - 3).

    Raises:
        InvalidArgumentError: the effective size is at most 3.
    """
    n = _weights.effective_size(weights)
    if not n > 3:
        raise InvalidArgumentError(f"the samples have an effective size of {n:.2g}, expected more than 3")
    low, high = theta.min(axis=0), theta.max(axis=0)
    beyond = (high - low) / (n - 3)
    return low - beyond, high + beyond


def _nested_weights(rows: Chains) -> NDArray[Any]:
    """Posterior weights of nested-sampling rows, mean 1: w_i ~ L_i (X_{i-1} - X_{i+1}) / 2 with mean volumes X_i."""
    assert rows.log_likelihood is not None and rows.log_likelihood_birth is not None
    order = np.argsort(rows.log_likelihood, kind="stable")
    log_l = rows.log_likelihood[order]
    born = np.searchsorted(np.sort(rows.log_likelihood_birth), log_l, side="left")
    live = np.maximum(1, born - np.arange(len(log_l)))
    log_x = np.cumsum(-np.log1p(1.0 / live))
    outer, inner = np.concatenate([[0.0], log_x[:-1]]), np.concatenate([log_x[1:], [-np.inf]])
    log_w = log_l + np.log(0.5) + outer + np.log1p(-np.exp(inner - outer))
    weights = np.empty(len(log_l))
    weights[order] = np.exp(log_w - log_w.max())
    return np.asarray(weights / weights.mean())


def _losses(seen: Sequence[JobStatus]) -> Tuple[List[float], List[float]]:
    """Losses by epoch over all members, as far as they were seen."""
    by_epoch = {
        (status.progress.member, status.progress.epoch): status.progress for status in seen if status.progress.epoch > 0
    }
    ordered = [by_epoch[key] for key in sorted(by_epoch)]
    return [each.train_loss for each in ordered], [each.held_out_loss for each in ordered]


def seed_of(key: Any) -> Optional[int]:
    """A seed from what margarine 2.x calls a key: a whole number, or a key of JAX, old style or new."""
    if key is None:
        return None
    if isinstance(key, (int, np.integer)):
        return int(key) & 0xFFFFFFFFFFFFFFFF
    try:
        words = np.asarray(key).astype(np.uint64).reshape(-1)
    except (TypeError, ValueError):
        import jax

        words = np.asarray(jax.random.key_data(key)).astype(np.uint64).reshape(-1)
    seed = 0
    for word in words.tolist():
        seed = ((seed << 32) ^ int(word)) & 0xFFFFFFFFFFFFFFFF
    return seed


def fresh_seed() -> int:
    """A seed from NumPy's global state: `np.random.seed` makes samples of 1.x repeatable."""
    return int(np.random.randint(0, 2**31 - 1))
