"""Chains in files: read by anesthetic, with the priors, bounds and derived parameters that files beside them state."""

from __future__ import annotations

import ast
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple, Union

from creamery import _chain_objects, _priors, _samples
from creamery._chains import Bounds, Chains

_MONTEPYTHON_LINE = re.compile(r"\s*data\.parameters\s*\[\s*['\"](.+?)['\"]\s*\]\s*=\s*(\[.*?\])")
_OPEN = ("N", "None", "nan")
Stated = Tuple[Dict[str, _priors.Prior], Bounds, Set[str]]


def is_path(source: Any) -> bool:
    """True for text and for paths."""
    return isinstance(source, (str, os.PathLike))


def read(
    source: Union[str, Path],
    names: Optional[Sequence[str]],
    burn_in: Optional[Union[int, float]],
    log_likelihood: Optional[bool],
) -> Chains:
    """The chains of files; see `read_chains`."""
    root = str(source)
    if root.endswith((".h5", ".hdf5")) and os.path.isfile(root):
        return replace(_chain_objects.of_emcee_file(root, names, burn_in), source=root)
    root = _root_of_folder(root)
    anesthetic = _samples.need("anesthetic")
    samples = anesthetic.read_chains(os.path.abspath(root) + ("/" if root.endswith(("/", os.sep)) else ""))
    parameter_file = os.path.join(os.path.dirname(os.path.abspath(root)), "log.param")
    cobaya_file = f"{root}.updated.yaml"
    priors: Dict[str, _priors.Prior] = {}
    bounds: Bounds = {}
    derived: Set[str] = set()
    known_likelihood = False
    if os.path.isfile(cobaya_file):
        priors, bounds, derived = of_cobaya(cobaya_file)
        known_likelihood = True
    elif os.path.isfile(parameter_file):
        priors, bounds, derived = of_montepython(parameter_file)
        known_likelihood = True
    keep = known_likelihood if log_likelihood is None else log_likelihood
    chains = _chain_objects.of_anesthetic(samples, burn_in, keep, root)
    for name, pair in of_ranges(f"{root}.ranges").items():
        bounds.setdefault(name, pair)
    derived |= _starred(f"{root}.paramnames")
    found = set(chains.names)
    return replace(
        chains,
        priors={name: prior for name, prior in priors.items() if name in found},
        bounds={name: pair for name, pair in bounds.items() if name in found and name not in priors},
        derived=tuple(name for name in chains.names if name in derived),
    )


def _root_of_folder(root: str) -> str:
    """The root inside a folder of MontePython; any other root as it is."""
    if not os.path.isfile(os.path.join(root, "log.param")):
        return root
    found = sorted(Path(root).glob("*.paramnames"))
    return str(found[-1])[: -len(".paramnames")] if found else root


def of_montepython(path: str) -> Stated:
    """Priors, bounds and derived parameters of a `log.param`, whose lines are read, never run.

    A parameter with both limits has a flat prior between them; `gaussian` entries have a normal one. -1, written as a
    whole number, and None mean "no limit".
    """
    priors: Dict[str, _priors.Prior] = {}
    bounds: Bounds = {}
    derived: Set[str] = set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            found = _MONTEPYTHON_LINE.match(line)
            if found is None:
                continue
            try:
                values: List[Any] = ast.literal_eval(found.group(2))
            except (SyntaxError, ValueError):
                continue
            name = found.group(1)
            if len(values) > 5 and values[5] == "derived":
                derived.add(name)
            if len(values) < 6 or values[5] == "derived" or not values[3]:
                continue
            lower, upper = (
                None if limit is None or _is_whole_minus_one(limit) else float(limit) for limit in values[1:3]
            )
            shape = str(values[6]).lower() if len(values) > 6 else "flat"
            if shape == "flat" and lower is not None and upper is not None:
                priors[name] = _priors.Uniform(lower, upper)
            elif shape == "gaussian" and len(values) > 8 and lower is None and upper is None:
                priors[name] = _priors.Normal(float(values[7]), float(values[8]))
            elif lower is not None or upper is not None:
                bounds[name] = (lower, upper)
    return priors, bounds, derived


def _is_whole_minus_one(limit: Any) -> bool:
    return isinstance(limit, int) and limit == -1


def of_cobaya(path: str) -> Stated:
    """Priors, bounds and derived parameters of a `.updated.yaml`; nothing where PyYAML is not installed.

    Where the file adds priors of several parameters, those of single parameters are not the whole prior: their limits
    are then bounds.
    """
    try:
        import yaml
    except ImportError:
        return {}, {}, set()
    with open(path, encoding="utf-8") as file:
        # Unknown tags of numpy and the like are no reason to run anything.
        loader: Any = type("Loader", (yaml.SafeLoader,), {})
        loader.add_multi_constructor("", lambda loader, suffix, node: None)
        described = yaml.load(file, Loader=loader) or {}
    alone = not described.get("prior")
    priors: Dict[str, _priors.Prior] = {}
    bounds: Bounds = {}
    derived: Set[str] = set()
    for name, given in (described.get("params") or {}).items():
        prior = given.get("prior") if isinstance(given, dict) else None
        if prior is None:
            if given is None or (isinstance(given, dict) and "value" not in given) or _is_function(given):
                derived.add(str(name))
            continue
        stated, pair = _cobaya_prior(prior)
        if stated is not None and alone:
            priors[str(name)] = stated
        elif pair is not None:
            bounds[str(name)] = pair
    return priors, bounds, derived


def _is_function(given: Any) -> bool:
    return isinstance(given, dict) and isinstance(given.get("value"), str)


def _cobaya_prior(prior: Any) -> Tuple[Optional[_priors.Prior], Optional[Tuple[Optional[float], Optional[float]]]]:
    """The prior, if it is one of ours, and the limits it implies."""
    if isinstance(prior, (list, tuple)) and len(prior) == 2:
        prior = {"min": prior[0], "max": prior[1]}
    if not isinstance(prior, dict):
        return None, None
    kind = str(prior.get("dist", "uniform"))
    try:
        if kind == "uniform":
            lower = float(prior["min"] if "min" in prior else prior.get("loc", 0.0))
            upper = float(prior["max"]) if "max" in prior else lower + float(prior.get("scale", 1.0))
            return _priors.Uniform(lower, upper), (lower, upper)
        if kind in ("norm", "gaussian"):
            return _priors.Normal(float(prior.get("loc", 0.0)), float(prior.get("scale", 1.0))), None
    except (KeyError, TypeError, ValueError):
        pass
    return None, None


def of_ranges(path: str) -> Bounds:
    """Bounds of a `.ranges` file of GetDist: name, lower, upper, `N` for an open side; nothing if there is none."""
    bounds: Bounds = {}
    if not os.path.isfile(path):
        return bounds
    with open(path, encoding="utf-8-sig") as lines:
        for line in lines:
            words = line.split("#", 1)[0].split()
            if len(words) < 3:
                continue
            try:
                lower, upper = (None if word in _OPEN else float(word) for word in words[1:3])
            except ValueError:
                continue
            if lower is not None and lower == upper:  # a fixed parameter
                continue
            if lower is not None or upper is not None:
                bounds[words[0]] = (lower, upper)
    return bounds


def _starred(path: str) -> Set[str]:
    """Names that a `.paramnames` marks as derived by a star."""
    if not os.path.isfile(path):
        return set()
    with open(path, encoding="utf-8-sig") as lines:
        first = (line.split(maxsplit=1)[0] for line in lines if line.strip())
        return {word.rstrip("*") for word in first if word.endswith("*")}
