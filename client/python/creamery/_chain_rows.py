"""The rows that a model is compared with, from whatever they are in: a dataset, chains, files, a table."""

from __future__ import annotations

import glob
import os
from typing import Any, Mapping, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery import _arrays, _chains, _datasets, _names
from creamery._arrays import FloatArray
from creamery._errors import InvalidArgumentError
from creamery._model_base import ModelBase

ChainLike = Union[_datasets.Dataset, _chains.Chains, str, Any]
_LEAST = 20  # effective rows that can be compared with anything


class Rows(NamedTuple):
    """Weighted rows of a model's parameters."""

    theta: FloatArray  # (n, d)
    weights: FloatArray  # (n,), mean 1
    chain: NDArray[np.int64]  # (n,)
    in_order: bool  # neighbouring rows of a chain depend on each other
    source: str  # for people


def of(model: ModelBase, chain: ChainLike) -> Rows:
    """The rows; of the dataset that the model was trained on, if `chain` is None.

    Raises:
        InvalidArgumentError: a parameter of the model is missing, or the rows are too few.
        NotFoundError: there is no such dataset.
    """
    chains = _chains_of(model, chain)
    missing = [name for name in model.parameters if name not in chains.names]
    if missing:
        raise InvalidArgumentError(f"chain has no {', '.join(missing)}; it has {', '.join(chains.names)}")
    weights = chains.posterior_weights
    kept = weights > 0
    theta = np.ascontiguousarray(chains.select(model.parameters).theta[kept], dtype=np.float64)
    weights = weights[kept]
    effective = float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0
    if effective < _LEAST:
        raise InvalidArgumentError(f"chain has {effective:.1f} effective rows, expected at least {_LEAST}")
    if not np.isfinite(theta).all():
        row = int(np.argmin(np.isfinite(theta).all(axis=1)))
        raise InvalidArgumentError(f"chain has NaN or infinity in row {int(np.flatnonzero(kept)[row])}")
    ids = np.zeros(len(kept), dtype=np.int64) if chains.chain is None else np.asarray(chains.chain, dtype=np.int64)
    return Rows(theta, weights, ids[kept], chains.kind == "mcmc", chains.source or "the chain")


def _chains_of(model: ModelBase, chain: ChainLike) -> _chains.Chains:
    datasets = _datasets.Datasets(model._transport)
    if chain is None:
        return _of_dataset(datasets, model.proto.training.dataset, int(model.proto.training.dataset_revision))
    if isinstance(chain, _datasets.Dataset):
        return _of_dataset(datasets, chain.name, 0)
    if isinstance(chain, str) and _is_dataset_name(chain, model._transport.project):
        return _of_dataset(datasets, _names.dataset(chain, model._transport.project), 0)
    plain = isinstance(chain, (np.ndarray, list, tuple)) or (_arrays.is_table(chain) and not _is_run(chain))
    if not plain:
        return _chains.read_chains(chain)
    theta, columns = _arrays.table(chain, model.parameters, "chain")
    names = model.parameters if columns is None else columns
    if theta.ndim != 2 or theta.shape[1] != len(names):
        raise InvalidArgumentError(f"chain has shape {theta.shape}, expected (n, {len(names)})")
    weights = _arrays.weights_of(chain)
    given = None if weights is None else _arrays.floats("weights of chain", weights)
    return _chains.Chains(theta, tuple(names), "independent", given, source="the rows given")


def _is_run(chain: Any) -> bool:
    """True for tables that say more than their columns: what a sampler returned."""
    return _datasets.is_run(chain) or (isinstance(chain, Mapping) and "weighted_samples" in chain)


def _is_dataset_name(text: str, project: Any) -> bool:
    """True for what can be the name of a dataset and is no root of files here."""
    try:
        _names.dataset(text, project)
    except InvalidArgumentError:
        return False
    return not os.path.exists(text) and not glob.glob(f"{glob.escape(text)}[._]*")


def _of_dataset(datasets: _datasets.Datasets, name: str, revision: int) -> _chains.Chains:
    described = datasets.get(name)
    rows = datasets.download(name, revision)
    return _chains.Chains(
        rows["theta"],
        tuple(described.names),
        described.kind,
        weights=rows.get("weights"),
        chain=rows.get("chain"),
        log_likelihood=rows.get("log_likelihood"),
        log_likelihood_birth=rows.get("log_likelihood_birth"),
        source=_names.short(described.name),
    )
