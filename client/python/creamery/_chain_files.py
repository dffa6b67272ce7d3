"""Chains in files, by rules that both clients share: deploy/docs/chain-files.md says for every format what is read.

No package that reads files by itself sees one: a YAML, a pickle or a script beside a chain may run what it likes in a
reader that trusts it. Text is read here; HDF5 by h5py, which runs nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery import (
    _chain_nested,
    _chain_objects,
    _chain_roots,
    _chain_safetensors,
    _chain_stated,
    _chain_text,
    _priors,
    _samples,
    _warnings,
)
from creamery._chain_stated import of_cobaya, of_montepython, of_ranges
from creamery._chains import Bounds, Chains, need_names, rows_after
from creamery._errors import InvalidArgumentError

__all__ = ["is_path", "of_cobaya", "of_montepython", "of_ranges", "read"]

BurnIn = Optional[Union[int, float]]
_UNREADABLE = (".bz2", ".gz", ".xz", ".zip", ".npz", ".parquet", ".pkl", ".pickle", ".fits", ".feather")
_TABLES = ("ev.dat", "stats.dat", "post_equal_weights.dat", "post_separate.dat")
_FIELDS = ("weight", "weights", "chain", "log_likelihood", "log_likelihood_birth")


def is_path(source: Any) -> bool:
    """True for text and for paths."""
    return isinstance(source, (str, os.PathLike))


def read(
    source: Union[str, Path],
    names: Optional[Sequence[str]],
    burn_in: BurnIn,
    log_likelihood: Optional[bool],
) -> Chains:
    """The chains of files; see `read_chains`."""
    path = os.fspath(source)
    ending = os.path.splitext(path)[1].lower()
    if ending in (".h5", ".hdf5") and os.path.isfile(path):
        return replace(_of_emcee(path, names, burn_in), source=path)
    if ending in _UNREADABLE:
        raise InvalidArgumentError(
            f"{path}: files ending in {ending} are not read; expected .npy, .csv, .dat, .safetensors, or the chains of "
            "a sampler"
        )
    if ending in (".csv", ".dat", ".npy", ".safetensors"):
        return _of_table(path, ending, names)
    run = _chain_roots.find(path)
    if run.sampler == "ultranest":
        return _of_ultranest(run)
    if run.dead_birth:
        return _of_nested_sampling(run, names)
    return _of_chains(run, names, burn_in, log_likelihood)


def _of_table(path: str, ending: str, names: Optional[Sequence[str]]) -> Chains:
    """A table whose columns are all parameters, or a file of Creamery."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"file '{path}' does not exist")
    if path.endswith(_TABLES):
        root = next(path[: -len(each)] for each in _TABLES if path.endswith(each))
        raise InvalidArgumentError(f"{path} is a table of MultiNest's own, expected its root: '{root}'")
    if ending == ".safetensors":
        return _chain_safetensors.read(path, names)
    if ending == ".npy":
        found, values = _chain_text.Rows((), _of_npy(path))
    else:
        found, values = _chain_text.read_rows(path, "," if ending == ".csv" else " ")
    named = found if found else need_names(names, values.shape[1], path)
    notes = tuple(
        f"column '{each}' is read as a parameter unless an option says what it is" for each in named if each in _FIELDS
    )
    return Chains(np.ascontiguousarray(values), named, "independent", source=path, notes=notes)


def _of_npy(path: str) -> NDArray[np.float64]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InvalidArgumentError(f"{path} is not a .npy file of numbers: {error}") from None
    if array.ndim not in (1, 2) or array.dtype.kind not in "iuf":
        raise InvalidArgumentError(f"{path} has shape {array.shape} of {array.dtype}, expected (n, d) or (n,) numbers")
    if array.size == 0:
        raise InvalidArgumentError(f"{path} is empty: shape {array.shape}")
    return np.asarray(array.reshape(len(array), -1), dtype=np.float64)


def _of_chains(
    run: _chain_roots.Run, names: Optional[Sequence[str]], burn_in: BurnIn, log_likelihood: Optional[bool]
) -> Chains:
    """Weighted rows of text, or a table of parameters under a header without weights."""
    described = _chain_stated.of_param_names(f"{run.root}.paramnames")
    layout: Optional[_Layout] = None
    thetas, weights, likelihoods, ids = [], [], [], []
    for chain, is_numbered, path in run.chains:
        rows = _chain_text.read_rows(path, " ")
        own = _Layout(run.sampler, rows.names, rows.values.shape[1], described is not None)
        if not own.places:
            raise InvalidArgumentError(
                f"{path} has {rows.values.shape[1]} columns, expected weight, -log L and parameters"
            )
        if layout is not None and len(own.places) != len(layout.places):
            raise InvalidArgumentError(
                f"{path} has {len(own.places)} parameters, the chains before have {len(layout.places)}"
            )
        if layout is not None and (own.logarithm, own.names) != (layout.logarithm, layout.names):
            raise InvalidArgumentError(
                f"{path}: the header differs from that of {run.chains[0][2]}, expected the same columns"
            )
        layout = own
        if layout.weighted and not np.all(rows.values[:, 0] >= 0):
            row = int(np.argmin(rows.values[:, 0] >= 0))
            raise InvalidArgumentError(
                f"{path}, row {row + 1}, column 1: {rows.values[row, 0]:g} is no weight; expected weight, -log L and "
                "parameters (a table without weights needs a header of names)"
            )
        ordered = run.sampler not in ("polychord", "multinest")
        values = rows.values[rows_after(burn_in if ordered else None, len(rows.values)) :]
        thetas.append(values[:, layout.places])
        weights.append(values[:, 0])
        likelihoods.append(layout.log_likelihood(values))
        ids.append(np.full(len(values) if is_numbered else 0, chain, dtype=np.int64))
    assert layout is not None  # find() raises where there are no files
    theta = np.ascontiguousarray(np.concatenate(thetas))
    if layout.names:
        named: Tuple[str, ...] = layout.names
    elif described is not None:
        named = _of_described(described, run, theta.shape[1])
    else:
        named = need_names(names, theta.shape[1], f"{run.root} (there is no {run.root}.paramnames)")
    uncorrelated = _is_uncorrelated(run)
    kind = "independent" if uncorrelated or (not layout.weighted and not run.chains[0][1]) else "mcmc"
    chains = Chains(
        theta,
        named,
        kind,
        weights=np.concatenate(weights) if layout.weighted else None,
        chain=np.concatenate(ids) if run.chains[0][1] and not uncorrelated else None,
        source=run.root,
    )
    notes = []
    certain = layout.logarithm in ("-log L", "-2 log L", "cobaya")
    if layout.weighted and (log_likelihood if log_likelihood is not None else certain):
        chains = replace(chains, log_likelihood=np.concatenate(likelihoods))
    elif layout.logarithm == "unsaid" and log_likelihood is None:
        notes.append(
            "the second column is -log L or -log posterior, these files do not say which: it is left out; if it is "
            "-log L, log_likelihood=True takes it along"
        )
    dead_birth = [f"{run.root}{each}" for each in ("_dead-birth.txt", "dead-birth.txt")]
    for each in filter(os.path.isfile, dead_birth):
        notes.append(f"likelihoods at birth are in {each}: give that file, or {run.root}, to keep them")
    return _with_stated(replace(chains, notes=tuple(notes)), run, described)


class _Layout:
    """What the columns of a chain are, by its header and its sampler.

    Attributes:
        logarithm: what the second column is: "-log L", "-2 log L", "cobaya" (-log posterior beside chi2 = -2 log L),
            "unsaid", or "" where neither it nor weights are there.
        places: of the parameters among the columns.
        names: of the parameters; empty: the file does not name them.
    """

    def __init__(self, sampler: str, header: Sequence[str], columns: int, described: bool) -> None:
        self.weighted = True
        self._sums: Dict[str, int] = {}
        named = len(header) > 1 and header[0].lower() == "weight"
        if named:
            self.logarithm = _meaning(header[1])
        elif sampler in ("polychord", "multinest"):
            self.logarithm = "-2 log L"
        elif sampler == "montepython":
            self.logarithm = "-log L"
        elif header and not described:
            self.logarithm, self.weighted = "", False
        else:
            self.logarithm = "unsaid"
        first = 2 if self.weighted else 0
        self.places = list(range(first, columns))
        if self.logarithm == "cobaya":
            self._sums = {name: place for place, name in enumerate(header) if place > 1 and _is_sum(name)}
            self.places = [place for place in self.places if place not in self._sums.values()]
            if "chi2" not in self._sums and "minuslogprior" not in self._sums:
                self.logarithm = "posterior"
        self.names = tuple(header[place] for place in self.places) if named or not self.weighted else ()

    def log_likelihood(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the columns say of it; of "unsaid" ones, if they are the likelihood."""
        if "chi2" in self._sums:
            return -values[:, self._sums["chi2"]] / 2
        second = values[:, min(1, values.shape[1] - 1)]
        if "minuslogprior" in self._sums:
            return -(second - values[:, self._sums["minuslogprior"]])
        return -second / 2 if self.logarithm == "-2 log L" else -second


def _meaning(name: str) -> str:
    """What a column is by the name in a header."""
    letters = "".join(each for each in name.lower() if each.isalnum())
    if letters == "minuslogpost":
        return "cobaya"
    if letters.startswith("minus") or name.startswith("-"):
        bare = letters[5:] if letters.startswith("minus") else letters
        if bare in ("loglike", "logl", "loglikelihood"):
            return "-log L"
        if bare in ("2loglike", "2logl"):
            return "-2 log L"
    return "-2 log L" if letters == "chi2" else "unsaid"


def _is_sum(name: str) -> bool:
    """What Cobaya adds up beside the parameters."""
    return name in ("minuslogprior", "chi2") or name.startswith(("minuslogprior__", "chi2__"))


def _of_described(described: _chain_stated.Names, run: _chain_roots.Run, columns: int) -> Tuple[str, ...]:
    if len(described.names) != columns:
        raise InvalidArgumentError(
            f"{run.root}.paramnames names {len(described.names)} parameters, expected {columns}: the parameter columns "
            "beside it"
        )
    return tuple(described.names)


def _is_uncorrelated(run: _chain_roots.Run) -> bool:
    """Nested sampling, by who wrote it or by `sampler = nested` in GetDist's `.properties.ini`: rows without order."""
    if run.sampler in ("polychord", "multinest"):
        return True
    if run.sampler == "cobaya":
        return os.path.isfile(f"{run.root}.logZ")
    path = f"{run.root}.properties.ini"
    for line in _chain_text.lines_of(path) if os.path.isfile(path) else ():
        words = line.replace("=", " ").split()
        if len(words) == 2 and words[0] == "sampler":
            return words[1] in ("nested", "uncorrelated")
    return False


def _with_stated(chains: Chains, run: _chain_roots.Run, described: Optional[_chain_stated.Names]) -> Chains:
    """The chains with what stands in files beside them."""
    priors: Dict[str, _priors.Prior] = {}
    bounds: Bounds = {}
    derived: Set[str] = set(described.derived) if described is not None else set()
    labels: Dict[str, str] = dict(described.labels) if described is not None else {}
    notes: List[str] = list(chains.notes)
    left_out: List[str] = []
    described_in = [f"{run.root}{each}" for each in (".updated.yaml", ".input.yaml")]
    parameter_file = os.path.join(os.path.dirname(os.path.abspath(run.root)), "log.param")
    if run.sampler == "cobaya":
        for path in [each for each in described_in if os.path.isfile(each)][:1]:
            try:
                (priors, bounds, more), more_labels, more_notes = of_cobaya(path)
            except ImportError:
                left_out.append(f"priors in {path} are not read: pip install pyyaml")
                continue
            derived |= more
            labels = {**more_labels, **labels}
            left_out += more_notes
    elif run.sampler == "montepython":
        priors, bounds, more = of_montepython(parameter_file, left_out)
        derived |= more
    for each in left_out:
        _warnings.warn_client(each)
    for name, pair in of_ranges(f"{run.root}.ranges").items():
        bounds.setdefault(name, pair)
    evidence, note = _chain_stated.of_evidence(run.sampler, run.root)
    if note:
        notes.append(note)
    found = set(chains.names)
    return replace(
        chains,
        log_evidence=evidence if evidence is not None else chains.log_evidence,
        labels={name: label for name, label in labels.items() if name in found},
        priors={name: prior for name, prior in priors.items() if name in found},
        bounds={name: pair for name, pair in bounds.items() if name in found and name not in priors},
        derived=tuple(name for name in chains.names if name in derived),
        notes=tuple(notes + left_out),
    )


def _of_nested_sampling(run: _chain_roots.Run, names: Optional[Sequence[str]]) -> Chains:
    """Dead points of PolyChord or MultiNest, and the live points of the end that are not among them."""
    described = _chain_stated.of_param_names(f"{run.root}.paramnames")
    size = len(described.names) if described is not None else 0
    theta, log_l, birth, note = _chain_nested.read(run, size)
    if described is not None:
        named = _of_described(described, run, theta.shape[1])
    else:
        named = need_names(names, theta.shape[1], f"{run.root} (there is no {run.root}.paramnames)")
    chains = Chains(
        theta,
        named,
        "nested_sampling",
        log_likelihood=log_l,
        log_likelihood_birth=birth,
        log_evidence=_chain_nested.evidence(log_l, birth),
        source=run.root,
        notes=(note,),
    )
    return _with_stated(chains, run, described)


def _of_ultranest(run: _chain_roots.Run) -> Chains:
    """The points of UltraNest with their birth contours."""
    points_file = os.path.join(run.root, "results", "points.hdf5")
    description = os.path.join(run.root, "info", "results.json")
    try:
        with open(description, encoding="utf-8-sig") as file:
            described = json.load(file)
        names = [str(name) for name in described["paramnames"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidArgumentError(f"{description} names no parameters ('paramnames'): {error}") from None
    h5py = _samples.need("h5py")
    with h5py.File(points_file, "r") as file:
        points = np.asarray(_own(h5py, file, "points"), dtype=np.float64)
    if points.ndim != 2 or points.shape[1] < 3 + 2 * len(names):
        raise InvalidArgumentError(
            f"{points_file} has shape {points.shape}, expected at least {3 + 2 * len(names)} columns for {len(names)} "
            "parameters"
        )
    begin = points.shape[1] - len(names)
    log_l, birth = _chain_nested.logarithms(points[:, 1]), _chain_nested.logarithms(points[:, 0])
    evidence: Optional[Tuple[float, float]] = _chain_nested.evidence(log_l, birth)
    if isinstance(described.get("logz"), float) and isinstance(described.get("logzerr"), float):
        evidence = (described["logz"], described["logzerr"])
    return Chains(
        np.ascontiguousarray(points[:, begin:]),
        tuple(names),
        "nested_sampling",
        log_likelihood=log_l,
        log_likelihood_birth=birth,
        log_evidence=evidence,
        source=run.root,
    )


def _own(h5py: Any, group: Any, name: str) -> Any:
    """A member of an HDF5 group that lies in the file itself: links and external storage could name any file."""
    try:
        found = group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
    except (KeyError, OSError):
        found = None
    if found is None or getattr(found, "external", None) or getattr(found, "is_virtual", False):
        raise InvalidArgumentError(f"{group.file.filename} has no '{name}' of its own, expected it in this file")
    return found


def _of_emcee(path: str, names: Optional[Sequence[str]], burn_in: BurnIn) -> Chains:
    """The chain that emcee kept in an HDF5 file."""
    h5py = _samples.need("h5py")
    with h5py.File(path, "r") as file:
        if "mcmc" not in file or "chain" not in file["mcmc"]:
            raise InvalidArgumentError(f"{path} holds no chain of emcee, expected mcmc/chain")
        group = _own(h5py, file, "mcmc")
        stored = _own(h5py, group, "chain")
        kept = int(group.attrs.get("iteration", len(stored)))
        chain = np.asarray(stored[:kept], dtype=np.float64)  # (steps, walkers, d)
    if chain.ndim != 3 or len(chain) == 0:
        raise InvalidArgumentError(f"{path} holds a chain of shape {chain.shape}, expected (steps, walkers, d)")
    return _chain_objects.of_walkers(chain, names, burn_in)
