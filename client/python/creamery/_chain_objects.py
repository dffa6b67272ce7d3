"""What samplers return, told apart by what it offers: their packages are not imported."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery._chains import Bounds, Chains, need_names, plain_label, rows_after, whole
from creamery._errors import InvalidArgumentError

BurnIn = Optional[Union[int, float]]
# Columns that anesthetic keeps beside the parameters.
_OF_NESTED_SAMPLES = {"logL", "logL_birth", "nlive", "insertion"}
_OF_MCMC_SAMPLES = {"logL", "chain"}
# Columns that Cobaya adds up, where all of these are there.
_OF_COBAYA = {"minuslogprior", "chi2"}
_LOG_ZERO = -1e30  # what PolyChord and MultiNest write for a likelihood of zero
_VOLUMES = 200  # realisations of the volumes behind the error of log Z


def convert(source: Any, names: Optional[Sequence[str]], burn_in: BurnIn, log_likelihood: Optional[bool]) -> Chains:
    """The chains of an object; see `read_chains`.

    Raises:
        InvalidArgumentError: it is none that is known.
    """
    if hasattr(source, "get_weights") and hasattr(source, "columns"):
        return of_anesthetic(source, burn_in, log_likelihood is not False)
    if hasattr(source, "get_chain") and hasattr(source, "get_log_prob"):
        return _of_emcee(source, names, burn_in)
    if hasattr(source, "paramNames") and hasattr(source, "weights"):
        return _of_getdist(source, burn_in, bool(log_likelihood))
    results = getattr(source, "results", source)
    if isinstance(results, Mapping) and "weighted_samples" in results:
        return _of_ultranest(results, names)
    if all(hasattr(results, each) for each in ("samples", "logl", "logz", "logzerr")):
        return _of_dynesty(results, names)
    raise InvalidArgumentError(
        f"{type(source).__name__} is neither a root of files nor samples of anesthetic, GetDist, dynesty, UltraNest or "
        "emcee"
    )


def of_anesthetic(samples: Any, burn_in: BurnIn, log_likelihood: bool, source: str = "") -> Chains:
    """NestedSamples and MCMCSamples of anesthetic; any other samples of it count as independent."""
    kinds = {cls.__name__ for cls in type(samples).__mro__}
    frame = samples.drop_labels() if hasattr(samples, "drop_labels") else samples
    if "MCMCSamples" in kinds and burn_in is not None:
        frame = _without_burn_in(frame, burn_in)
    kept_beside = _OF_NESTED_SAMPLES if "NestedSamples" in kinds else _OF_MCMC_SAMPLES
    summed = _OF_COBAYA <= {str(column) for column in frame.columns}
    columns = [
        column
        for column in frame.columns
        if str(column) not in kept_beside and not (summed and _is_sum_of_cobaya(str(column)))
    ]
    names = tuple(str(column) for column in columns)
    labels = {}
    if hasattr(samples, "get_label"):
        found = ((name, plain_label(samples.get_label(column))) for name, column in zip(names, columns))
        labels = {name: label for name, label in found if label}
    theta = np.ascontiguousarray(frame[columns].to_numpy(), dtype=np.float64)

    def column(name: str) -> Optional[NDArray[np.float64]]:
        if name not in frame.columns:
            return None
        values: NDArray[np.float64] = np.array(frame[name].to_numpy(), dtype=np.float64)
        return values

    log_l = column("logL")
    where = source or str(getattr(samples, "root", "") or "")
    if "NestedSamples" in kinds:
        birth, live = column("logL_birth"), column("nlive")
        if log_l is None or (birth is None and live is None):
            raise InvalidArgumentError("nested samples without logL, or with neither logL_birth nor nlive")
        if birth is None and live is not None:  # anesthetic was told how many points were alive
            order = np.argsort(log_l, kind="stable")
            theta, log_l = theta[order], log_l[order]
            birth = births(log_l, live[order].astype(np.int64))
        assert birth is not None
        birth[np.isnan(birth) | (birth <= _LOG_ZERO)] = -np.inf  # BlackJAX gives NaN to the first live points
        log_z = float(samples.logZ())
        error = _volume_error(samples)
        return Chains(theta, names, "nested_sampling", None, None, log_l, birth, (log_z, error), labels, source=where)
    weights = np.asarray(frame.get_weights(), dtype=np.float64)
    ids = column("chain")
    kept = log_l if log_likelihood else None
    if "MCMCSamples" not in kinds:
        return Chains(theta, names, "independent", weights, None, kept, labels=labels, source=where)
    chain = whole(ids) if ids is not None else np.zeros(len(theta), dtype=np.int64)
    return Chains(theta, names, "mcmc", weights, chain, kept, labels=labels, source=where)


def _is_sum_of_cobaya(name: str) -> bool:
    return name in _OF_COBAYA | {"minuslogpost", "logP"} or name.startswith(("chi2__", "minuslogprior__"))


def _without_burn_in(frame: Any, burn_in: Union[int, float]) -> Any:
    if "chain" not in frame.columns:
        return frame.iloc[rows_after(burn_in, len(frame)) :]
    ids = frame["chain"].to_numpy()
    kept = np.zeros(len(ids), dtype=bool)
    for each in dict.fromkeys(ids.tolist()):
        rows = np.flatnonzero(ids == each)
        kept[rows[rows_after(burn_in, len(rows)) :]] = True
    return frame[kept]


def _volume_error(samples: Any) -> float:
    """Standard error of log Z; anesthetic draws from NumPy's global state, which is left as it was."""
    state = np.random.get_state()
    try:
        np.random.seed(0)
        return float(np.std(np.asarray(samples.logZ(_VOLUMES))))
    finally:
        np.random.set_state(state)


def _of_getdist(samples: Any, burn_in: BurnIn, log_likelihood: bool) -> Chains:
    """MCSamples of GetDist. Its ranges are bounds; its -log column is often the posterior: on request."""
    described = samples.paramNames.names
    names = tuple(each.name for each in described)
    labels = {each.name: each.label for each in described if each.label and each.label != each.name}
    bounds: Bounds = {}
    ranges: Any = getattr(samples, "ranges", None)
    for name in () if ranges is None else names:
        lower, upper = ranges.getLower(name), ranges.getUpper(name)
        if lower is not None or upper is not None:
            bounds[name] = (lower, upper)
    theta = np.asarray(samples.samples, dtype=np.float64)
    weights = np.asarray(samples.weights, dtype=np.float64)
    edges = getattr(samples, "chain_offsets", None)
    if edges is None or len(edges) < 2 or edges[-1] != len(theta):
        edges = [0, len(theta)]
    kept = np.concatenate([np.arange(a + rows_after(burn_in, b - a), b) for a, b in zip(edges[:-1], edges[1:])])
    chain = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    log_l = None
    if log_likelihood and samples.loglikes is not None:
        log_l = -np.asarray(samples.loglikes, dtype=np.float64)[kept]
    return Chains(
        theta[kept],
        names,
        "mcmc",
        weights[kept],
        chain[kept],
        log_l,
        labels=labels,
        bounds=bounds,
        derived=tuple(each.name for each in described if each.isDerived),
        source=str(getattr(samples, "root", "") or "getdist"),
    )


def _of_emcee(sampler: Any, names: Optional[Sequence[str]], burn_in: BurnIn) -> Chains:
    """A sampler or backend of emcee: every walker is a chain. Its log_prob is the posterior's and is left out."""
    return of_walkers(np.asarray(sampler.get_chain(), dtype=np.float64), names, burn_in)


def of_walkers(chain: NDArray[np.float64], names: Optional[Sequence[str]], burn_in: BurnIn) -> Chains:
    """A chain of shape (steps, walkers, d)."""
    chain = chain[rows_after(burn_in, len(chain)) :]
    steps, walkers, size = chain.shape
    theta = np.ascontiguousarray(chain.transpose(1, 0, 2).reshape(walkers * steps, size))
    ids = np.repeat(np.arange(walkers, dtype=np.int64), steps)
    return Chains(theta, need_names(names, size, "emcee's chain"), "mcmc", chain=ids, source="emcee")


def _of_ultranest(results: Mapping[str, Any], names: Optional[Sequence[str]]) -> Chains:
    """The results of UltraNest in memory: weighted rows. Its birth contours are only in its files."""
    weighted = results["weighted_samples"]
    theta = np.asarray(weighted["points"], dtype=np.float64)
    named = names if names is not None else results.get("paramnames")
    evidence: Optional[Tuple[float, float]] = None
    if results.get("logz") is not None:
        evidence = (float(results["logz"]), float(results["logzerr"]))
    return Chains(
        theta,
        need_names(named, theta.shape[1], "UltraNest's result"),
        "independent",
        np.asarray(weighted["weights"], dtype=np.float64),
        log_likelihood=np.asarray(weighted["logl"], dtype=np.float64),
        log_evidence=evidence,
        source="UltraNest's result in memory, without birth contours",
    )


def _of_dynesty(results: Any, names: Optional[Sequence[str]]) -> Chains:
    """Results of dynesty, static or dynamic."""
    theta = np.asarray(results.samples, dtype=np.float64)
    log_l = np.asarray(results.logl, dtype=np.float64)
    order = np.argsort(log_l, kind="stable")
    theta, log_l = theta[order], log_l[order]
    log_z, error = float(np.asarray(results.logz)[-1]), float(np.asarray(results.logzerr)[-1])
    return Chains(
        theta,
        need_names(names, theta.shape[1], "dynesty's result"),
        "nested_sampling",
        log_likelihood=log_l,
        log_likelihood_birth=births(log_l, _live_points(results, len(log_l))),
        log_evidence=(log_z, error),
        source="dynesty",
    )


def _live_points(results: Any, rows: int) -> NDArray[np.int64]:
    """Number of live points at every death."""
    varying = getattr(results, "samples_n", None)
    if varying is not None:
        return np.asarray(varying, dtype=np.int64)
    live = int(results.nlive)
    dead = int(getattr(results, "niter", rows - live))
    last = rows - dead  # the live points at the end, which die one after the other
    return np.concatenate([np.full(rows - last, live), np.arange(last, 0, -1)]).astype(np.int64)


def births(log_l: NDArray[np.float64], live: NDArray[np.int64]) -> NDArray[np.float64]:
    """Birth contours that give the number of live points at every death.

    dynesty keeps how many points were alive, not where each was born. Volumes follow from the numbers alone, so any
    births with these numbers stand for the same run: here the points are born in the order in which they die.

    Args:
        log_l: (n,) log-likelihoods, ascending.
        live: (n,) points alive at each death, the dying one included.

    Returns:
        (n,) log-likelihoods at birth; -inf for the first live points.

    Raises:
        InvalidArgumentError: the numbers do not fit a run, such as more deaths than points.
    """
    n = len(log_l)
    born: List[NDArray[np.float64]] = [np.full(int(live[0]), -np.inf)] if n else []
    added = live[1:] - live[:-1] + 1  # after each death but the last
    if n == 0 or (added < 0).any() or live.min() < 1 or int(live[0]) + int(added.sum()) < n:
        raise InvalidArgumentError("the numbers of live points do not fit the samples of a nested-sampling run")
    born.append(np.repeat(log_l[:-1], added))
    return np.concatenate(born)[:n]
