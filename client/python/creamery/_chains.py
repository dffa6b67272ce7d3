"""Chains of the samplers people use, as what a dataset holds: rows, kind, evidence, and the priors that files state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery import _arguments, _arrays, _convergence, _priors
from creamery._arrays import FloatArray
from creamery._convergence import Convergence
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
        derived: parameters that the files call derived, and those of `assign`.
        source: where it comes from, for people.
        notes: what was read beside the rows, and what was left out, for people.
        marginalised: sampled parameters that `select` has left away.

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
    marginalised: Tuple[str, ...] = ()

    def __post_init__(self) -> None:
        birth = self.log_likelihood_birth
        if birth is not None and np.isnan(birth).any():  # what BlackJAX and anesthetic write for "from the prior"
            object.__setattr__(self, "log_likelihood_birth", np.where(np.isnan(birth), -np.inf, birth))

    def select(self, parameters: Sequence[str]) -> Chains:
        """The chains with these parameters alone, in this order: marginalised over the others.

        The names of the sampled parameters that are left away are kept in `marginalised`.

        Raises:
            InvalidArgumentError: a name that is not among `names`.
        """
        parameters = _arguments.names("parameters", parameters)
        wrong = [name for name in parameters if name not in self.names]
        if wrong:
            raise InvalidArgumentError(f"no parameter {', '.join(wrong)}; there are {', '.join(self.names)}")
        left_away = [name for name in self.names if name not in parameters and name not in self.derived]
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
            marginalised=tuple(dict.fromkeys([*self.marginalised, *left_away])),
        )

    @property
    def chain_ids(self) -> List[int]:
        """Ids of the Markov chains, in order of their first rows; empty without any."""
        return [] if self.chain is None else [int(each) for each in dict.fromkeys(self.chain.tolist())]

    @property
    def posterior_weights(self) -> FloatArray:
        """(n,) weights, mean 1, that make the rows posterior samples: of nested sampling, those of its contours."""
        if self.kind == "nested_sampling":
            log_l, birth = self.log_likelihood, self.log_likelihood_birth
            if log_l is None or birth is None:
                raise InvalidArgumentError("nested-sampling rows without log_likelihood and log_likelihood_birth")
            weights = _convergence.nested_weights(log_l, birth)
        else:
            weights = np.ones(len(self)) if self.weights is None else np.asarray(self.weights, dtype=np.float64)
            weights = weights / max(weights.max(initial=0.0), np.finfo(float).tiny)  # before their sum overflows
        total = weights.sum()
        return weights * (len(weights) / total) if total > 0 else weights

    def posterior(self) -> Chains:
        """The rows as weighted independent ones; of nested sampling, without the volumes, so that rows may be chosen.

        Example:
            >>> creamery.read_chains("runs/polychord/pc").posterior()[::2]
        """
        if self.kind != "nested_sampling":
            return self
        return replace(self, kind="independent", weights=self.posterior_weights, log_likelihood_birth=None)

    def __getitem__(self, key: Any) -> Any:
        """A column by name, (n,); or the chains with some rows, by mask, slice or whole numbers.

        Raises:
            InvalidArgumentError: no such column or row, or rows of nested sampling, whose volumes need all of them.

        Example:
            >>> chains["sigma8"].mean(), len(chains[chains["sigma8"] > 0.8])
        """
        if isinstance(key, str):
            if key not in self.names:
                raise InvalidArgumentError(f"no parameter {key}; there are {', '.join(self.names)}")
            return self.theta[:, self.names.index(key)]
        return self._rows(_row_numbers(key, len(self)))

    def _rows(self, index: NDArray[np.int64]) -> Chains:
        if self.kind == "nested_sampling" and not np.array_equal(index, np.arange(len(self))):
            raise InvalidArgumentError(
                "rows of a nested-sampling run cannot be left out, its volumes follow from all of them: take them of "
                "chains.posterior()"
            )

        def chosen(values: Optional[NDArray[Any]]) -> Optional[NDArray[Any]]:
            return None if values is None else values[index]

        return replace(
            self,
            theta=self.theta[index],
            weights=chosen(self.weights),
            chain=chosen(self.chain),
            log_likelihood=chosen(self.log_likelihood),
            log_likelihood_birth=chosen(self.log_likelihood_birth),
        )

    def of_chain(self, *ids: int) -> Chains:
        """The rows of Markov chains by id.

        Raises:
            InvalidArgumentError: there is no such chain.

        Example:
            >>> chains.of_chain(2)
        """
        wanted = [_arguments.whole("id of a chain", each) for each in ids]
        missing = [str(each) for each in wanted if each not in self.chain_ids]
        if missing or self.chain is None:
            known = ", ".join(map(str, self.chain_ids)) or "none"
            raise InvalidArgumentError(f"no chain {', '.join(missing)}; there are {known}")
        return self._rows(np.flatnonzero(np.isin(self.chain, wanted)))

    def thin(self, step: int) -> Chains:
        """Every `step`-th row of each Markov chain, the first included; rows keep their weights.

        Raises:
            InvalidArgumentError: `step` is below 1, or the rows are of nested sampling.

        Example:
            >>> chains.thin(10)
        """
        step = _arguments.whole("step", step, 1)
        if self.chain is None:
            return self._rows(np.arange(0, len(self), step))
        kept = [np.flatnonzero(self.chain == each)[::step] for each in self.chain_ids]
        return self._rows(np.sort(np.concatenate(kept)) if kept else np.arange(0))

    def assign(self, **columns: Any) -> Chains:
        """The chains with further, derived parameters.

        Args:
            columns: by name (n,) numbers, or a function that computes them from the chains.

        Raises:
            InvalidArgumentError: the name is taken, or these are not n numbers.

        Example:
            >>> chains.assign(S8=lambda c: c["sigma8"] * (c["omegam"] / 0.3) ** 0.5)
        """
        grown = self
        for name, given in columns.items():
            if name in grown.names:
                raise InvalidArgumentError(f"there is a parameter {name} already: give another name")
            values = _arrays.floats(name, given(grown) if callable(given) else given)
            if values.shape != (len(self),):
                raise InvalidArgumentError(f"{name} has shape {values.shape}, expected ({len(self)},)")
            grown = replace(
                grown,
                theta=np.column_stack([grown.theta, values]),
                names=(*grown.names, name),
                derived=(*grown.derived, name),
            )
        return grown

    def convergence(self) -> Convergence:
        """R-hat, effective sizes, and the first half of the rows against the second, for each parameter.

        Returns:
            A table; it prints itself.

        Raises:
            InvalidArgumentError: nested sampling, or fewer than 8 rows.

        Example:
            >>> creamery.read_chains("chains/planck", burn_in=0.3).convergence()
            parameter     R-hat   effective   halves differ by
            omegabh2     1.0021        3110   0.4 sigma
        """
        return _convergence.of(self)

    def r_hat(self) -> Dict[str, float]:
        """Split, rank-normalised R-hat by parameter (Vehtari et al. 2021, arXiv:1903.08008); converged: below 1.01.

        Raises:
            InvalidArgumentError: nested sampling, or fewer than 8 rows.

        Example:
            >>> chains.r_hat()
            {'omegam': 1.0008, 'sigma8': 1.0013}
        """
        return {each.name: each.r_hat for each in self.convergence()}

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

    names = None if names is None else _arguments.names("names", names)
    rows_after(burn_in, 1 << 62)  # a wrong type is refused before files are read
    log_likelihood = None if log_likelihood is None else _arguments.flag("log_likelihood", log_likelihood)
    if isinstance(source, Chains):
        return _burned(source, burn_in)
    if _chain_files.is_path(source):
        return _chain_files.read(_arguments.path("source", source), names, burn_in, log_likelihood)
    return _chain_objects.convert(source, names, burn_in, log_likelihood)


def _burned(chains: Chains, burn_in: Optional[Union[int, float]]) -> Chains:
    """Chains without the first rows of each."""
    if burn_in is None or chains.kind != "mcmc":
        return chains
    ids = np.zeros(len(chains), dtype=np.int64) if chains.chain is None else chains.chain
    rows = [np.flatnonzero(ids == each) for each in dict.fromkeys(ids.tolist())]
    return chains._rows(np.sort(np.concatenate([each[rows_after(burn_in, len(each)) :] for each in rows])))


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
    given = _arguments.number("burn_in", burn_in)
    if 0 < given < 1:
        # 0.29 * 100 is 28.999999999999996, and a share in single precision is off by 1e-8 of itself.
        return int(given * length * (1 + 1e-7) + 1e-9) if length else 0
    dropped = _arguments.whole("burn_in", burn_in)
    if not 0 <= dropped < max(1, length):
        raise InvalidArgumentError(f"burn_in is {burn_in!r} for a chain of {length} rows")
    return dropped


def _row_numbers(key: Any, rows: int) -> NDArray[np.int64]:
    """The rows that a mask, a slice or whole numbers choose.

    Raises:
        InvalidArgumentError: it is none of these, or a row that there is not.
    """
    if isinstance(key, slice):
        try:
            return np.arange(rows)[key]
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(f"rows are {key!r}: {error}") from None
    chosen = _arrays.plain_array("rows", key)
    if chosen.dtype == np.bool_:
        if chosen.shape != (rows,):
            raise InvalidArgumentError(f"the mask has shape {chosen.shape}, expected ({rows},)")
        return np.flatnonzero(chosen)
    index = np.atleast_1d(_arrays.integers("rows", chosen if chosen.size else np.empty(0, dtype=np.int64)))
    if index.ndim != 1 or (index >= rows).any() or (index < -rows).any():
        raise InvalidArgumentError(f"rows are {_arguments.shown(key)}, expected numbers from 0 to {rows - 1}")
    return np.where(index < 0, index + rows, index)


def whole(chain: Any) -> NDArray[np.int64]:
    """Chain ids as int64."""
    return _arrays.integers("chain", chain)
