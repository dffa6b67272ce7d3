"""Chains of the samplers people use, as what a dataset holds: rows, kind, evidence, and the priors that files state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery import _arrays, _priors
from creamery._errors import InvalidArgumentError

Bounds = Dict[str, Tuple[Optional[float], Optional[float]]]


@dataclass(frozen=True, repr=False, eq=False)
class Chains:
    """Rows of a sampler with what its files say of them; nothing is assumed that they do not say.

    Attributes:
        theta: (n, d) parameters.
        names: d names.
        kind: "mcmc", "nested_sampling" or "independent".
        weights: (n,), or None; nested sampling has none: they follow from the birth contours.
        chain: (n,) Markov chain of each row, in the order of the chains, or None.
        log_likelihood: (n,) natural log, or None.
        log_likelihood_birth: (n,) natural log at birth, -inf for the first live points, or None.
        log_evidence: natural-log evidence and its standard error, or None.
        labels: LaTeX labels without dollar signs, by parameter.
        priors: priors that the files state, by parameter.
        bounds: hard bounds that the files state without saying what the prior is, by parameter.
        derived: parameters that the files call derived.
        source: where it comes from, for people.
        notes: what was read beside the rows, and what was left out, for people.

    Example:
        >>> chains = creamery.read_chains("runs/polychord/pc")
        >>> chains
        <Chains from runs/polychord/pc: 4000 rows of x0, x1; nested_sampling, log Z -8.1 ± 0.2>
    """

    theta: NDArray[Any]
    names: Tuple[str, ...]
    kind: str
    weights: Optional[NDArray[Any]] = None
    chain: Optional[NDArray[Any]] = None
    log_likelihood: Optional[NDArray[Any]] = None
    log_likelihood_birth: Optional[NDArray[Any]] = None
    log_evidence: Optional[Tuple[float, float]] = None
    labels: Dict[str, str] = field(default_factory=dict)
    priors: Dict[str, _priors.Prior] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=dict)
    derived: Tuple[str, ...] = ()
    source: str = ""
    notes: Tuple[str, ...] = ()

    def select(self, parameters: Sequence[str]) -> Chains:
        """The chains with these parameters alone, in this order: marginalised over the others.

        Raises:
            InvalidArgumentError: a name that is not among `names`.
        """
        wrong = [name for name in parameters if name not in self.names]
        if wrong:
            raise InvalidArgumentError(f"no parameter {', '.join(wrong)}; there are {', '.join(self.names)}")
        index = [self.names.index(name) for name in parameters]
        kept = set(parameters)
        return replace(
            self,
            theta=np.ascontiguousarray(self.theta[:, index]),
            names=tuple(parameters),
            labels={name: label for name, label in self.labels.items() if name in kept},
            priors={name: prior for name, prior in self.priors.items() if name in kept},
            bounds={name: pair for name, pair in self.bounds.items() if name in kept},
            derived=tuple(name for name in self.derived if name in kept),
        )

    def __len__(self) -> int:
        return len(self.theta)

    def __repr__(self) -> str:
        evidence = ""
        if self.log_evidence is not None:
            evidence = f", log Z {self.log_evidence[0]:.3g} ± {self.log_evidence[1]:.1g}"
        origin = f" from {self.source}" if self.source else ""
        return f"<Chains{origin}: {len(self)} rows of {', '.join(self.names)}; {self.kind}{evidence}>"


def read_chains(
    source: Any,
    names: Optional[Sequence[str]] = None,
    *,
    burn_in: Optional[Union[int, float]] = None,
    log_likelihood: Optional[bool] = None,
) -> Chains:
    """Reads the chains of a sampler, or takes what a sampler returned.

    Files: PolyChord, MultiNest, UltraNest, GetDist and CosmoMC, MontePython, Cobaya, by their root, one of their files or
    the folder of one run; emcee's HDF5; .csv, .dat, .npy and .safetensors. They are read by rules that the command line shares
    (deploy/docs/chain-files.md), and nothing in them is run: no package that trusts what stands beside a chain sees it.
    PyYAML and h5py are needed for Cobaya's priors and for HDF5 (`pip install creamery[chains]`). Objects: samples of
    anesthetic and of GetDist, results of dynesty and UltraNest, samplers and backends of emcee.

    Nested sampling keeps log-likelihoods and birth contours, and log Z with the error of its volumes. Markov chains
    keep weights, ids and order. Priors are taken where a file states them: `log.param` of MontePython, `.updated.yaml`
    of Cobaya. A `.ranges` file states bounds, not a prior.

    Args:
        source: root of the files as their sampler names it; or an object.
        names: names of the parameters, where the source has none (dynesty, emcee, files without names).
        burn_in: Markov chains: rows to drop from the start of each chain, or the share of it below 1; default: none.
        log_likelihood: Markov chains: take the log-likelihoods along. Default: where the column is certainly the
            likelihood (anesthetic, MontePython, Cobaya, PolyChord, MultiNest); in other GetDist files it is often the
            posterior.

    Raises:
        FileNotFoundError: there are no chains.
        InvalidArgumentError: a malformed file, with line and column; an object that is none of these; names are missing.
        ImportError: a package is missing; the message says what installs it.

    Example:
        >>> creamery.read_chains("chains/planck", burn_in=0.3).names
        ('omegabh2', 'omegach2', 'tau')
    """
    from creamery import _chain_files, _chain_objects

    if isinstance(source, Chains):
        return source
    if _chain_files.is_path(source):
        return _chain_files.read(source, names, burn_in, log_likelihood)
    return _chain_objects.convert(source, names, burn_in, log_likelihood)


def plain_label(label: Any) -> str:
    """A LaTeX label without dollar signs; empty for one that is no LaTeX."""
    text = str(label).strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] == "$" else ""


def need_names(names: Optional[Sequence[str]], size: int, what: str) -> Tuple[str, ...]:
    """The names of columns that came without any.

    Raises:
        InvalidArgumentError: none are given, or another number of them.
    """
    if names is None or len(names) != size:
        given = "none" if names is None else str(len(names))
        raise InvalidArgumentError(f"{what} has {size} parameters without names, {given} given: give names=[...]")
    return tuple(str(name) for name in names)


def rows_after(burn_in: Optional[Union[int, float]], length: int) -> int:
    """Rows to drop from the start of a chain of `length` rows.

    Raises:
        InvalidArgumentError: it is negative, or nothing would be left.
    """
    if burn_in is None:
        return 0
    dropped = int(burn_in * length) if isinstance(burn_in, float) and burn_in < 1 else int(burn_in)
    if not 0 <= dropped < max(1, length):
        raise InvalidArgumentError(f"burn_in is {burn_in!r} for a chain of {length} rows")
    return dropped


def whole(chain: Any) -> NDArray[np.int64]:
    """Chain ids as int64."""
    return _arrays.integers("chain", chain)
