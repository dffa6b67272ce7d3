"""What files beside the rows of a chain state: names, bounds, priors, the evidence. They are read, never run."""

from __future__ import annotations

import ast
import math
import operator
import os
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Set, Tuple, Union

from creamery import _chain_text, _priors
from creamery._chains import Bounds
from creamery._errors import InvalidArgumentError

_MONTEPYTHON_LINE = re.compile(r"\s*data\.parameters\s*\[\s*['\"](.+?)['\"]\s*\]\s*=\s*(\[.*?\])")
_OPEN = ("N", "None", "nan")
_LONGEST_YAML = 1 << 23  # bytes
_LONGEST_LINE = 10_000
Stated = Tuple[Dict[str, _priors.Prior], Bounds, Set[str]]
_OPERATORS: Dict[type, Callable[[float, float], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


@dataclass
class Names:
    """The columns that a `.paramnames` names: name, LaTeX label, whether it is derived."""

    names: List[str] = field(default_factory=list)
    labels: Dict[str, str] = field(default_factory=dict)
    derived: Set[str] = field(default_factory=set)


def of_param_names(path: str) -> Optional[Names]:
    """The names of a `.paramnames`; None if there is no such file.

    Raises:
        InvalidArgumentError: a name that is given twice or is not UTF-8.
    """
    if not os.path.isfile(path):
        return None
    read = Names()
    lines: List[int] = []
    for line_number, line in enumerate(_chain_text.lines_of(path), 1):
        words = line.strip().split(maxsplit=1)
        if not words or words[0].startswith("#"):
            continue
        derived = len(words[0]) > 1 and words[0].endswith("*")
        name = words[0][:-1] if derived else words[0]
        where = f"{path}, line {line_number}"
        _chain_text.check_name(f"{where}, column 1", name)
        if name in read.names:
            first = lines[read.names.index(name)]
            shown = _chain_text.shown(name)
            raise InvalidArgumentError(f"{where}: {shown} is named in line {first} already, expected another name")
        if len(words) > 1:
            _chain_text.check_name(f"{where}, column 2", words[1].strip())
            read.labels[name] = words[1].strip()
        read.names.append(name)
        lines.append(line_number)
        if derived:
            read.derived.add(name)
    return read


def of_ranges(path: str) -> Bounds:
    """Bounds of a `.ranges` file of GetDist: name, lower, upper, `N` for an open side; nothing if there is none.

    Raises:
        InvalidArgumentError: a bound that is no number.
    """
    bounds: Bounds = {}
    if not os.path.isfile(path):
        return bounds
    for line_number, line in enumerate(_chain_text.lines_of(path), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        pair: List[Optional[float]] = []
        for side, word in enumerate((words[1:] + ["", ""])[:2]):
            value = None if word in _OPEN else _chain_text.number(word)
            if value is None and word not in _OPEN:
                raise InvalidArgumentError(
                    f"{path}, line {line_number}, column {side + 2}: {_chain_text.no_number(word)}; expected a name, a "
                    "lower and an upper bound, N for none"
                )
            pair.append(value if value is not None and math.isfinite(value) else None)
        lower, upper = pair
        if lower is not None and lower == upper:  # a fixed parameter
            continue
        if lower is not None or upper is not None:
            bounds[words[0]] = (lower, upper)
    return bounds


def of_evidence(sampler: str, root: str) -> Tuple[Optional[Tuple[float, float]], str]:
    """log Z with its error as PolyChord's `.stats`, MultiNest's `stats.dat` or Cobaya's `.logZ` state it, and a note."""
    path = {"polychord": f"{root}.stats", "multinest": f"{root}stats.dat", "cobaya": f"{root}.logZ"}.get(sampler, "")
    if not os.path.isfile(path):
        return None, ""
    sign, key = {
        "polychord": ("=", "log(Z)"),
        "multinest": (":", "Nested Sampling Global Log-Evidence"),
        "cobaya": (":", "logZ"),
    }[sampler]
    value = error = None
    for line in map(str.strip, _chain_text.lines_of(path)):
        name, _, rest = line.partition(sign)
        words = rest.split()
        if sampler == "cobaya":
            value = _chain_text.number(words[0]) if words and name.strip() == "logZ" else value
            error = _chain_text.number(words[0]) if words and name.strip() == "logZstd" else error
        elif name.strip() == key and len(words) > 2 and words[1] == "+/-":
            value, error = _chain_text.number(words[0]), _chain_text.number(words[2])
            break
    if value is None or error is None or not math.isfinite(value) or not 0 <= error < math.inf:
        return None, f"{path} states no log Z with an error, expected 'log(Z) = value +/- error'"
    return (value, error), f"log Z {value:g} +- {error:g} of {path}"


def of_montepython(path: str, unread: Optional[List[str]] = None) -> Stated:
    """Priors, bounds and derived parameters of a `log.param`, whose lines are read, never run.

    A parameter with both limits has a flat prior between them; `gaussian` entries have a normal one. -1, written as a
    whole number, and None mean "no limit". Limits may be sums, products, quotients and powers of numbers: `1./10`. Lines
    with more than numbers in them state nothing; notes of them are added to `unread`.
    """
    priors: Dict[str, _priors.Prior] = {}
    bounds: Bounds = {}
    derived: Set[str] = set()
    for line_number, line in enumerate(_chain_text.lines_of(path), 1):
        found = _MONTEPYTHON_LINE.match(line) if len(line) < _LONGEST_LINE else None
        if found is None:
            continue
        try:
            values = _values(found.group(2))
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
        except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError):
            if unread is not None:
                text = _chain_text.shown(found.group(2))
                unread.append(f"{path}, line {line_number}: {text} is not read, expected a list of numbers and texts")
    return priors, bounds, derived


def _is_whole_minus_one(limit: Any) -> bool:
    return isinstance(limit, int) and limit == -1


def _values(text: str) -> List[Any]:
    """The entries of a list of literals and of arithmetic between numbers."""
    parsed = ast.parse(text, mode="eval").body
    if not isinstance(parsed, ast.List):
        raise ValueError(text)
    return [_value(each) for each in parsed.elts]


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, (int, float, str))):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        value = _number(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        # Of floats: a power of whole numbers could grow beyond all memory.
        result = _OPERATORS[type(node.op)](float(_number(node.left)), float(_number(node.right)))
        return float(result)
    raise ValueError(ast.dump(node))


def _number(node: ast.expr) -> Union[int, float]:
    value = _value(node)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(repr(value))
    return value


def load_yaml(path: str) -> Any:
    """A YAML file as plain values; every tag of its own is None, so that nothing is made or run.

    Raises:
        ImportError: PyYAML is not installed.
        InvalidArgumentError: it is no YAML, or longer than 8 MiB.
    """
    import yaml

    if os.path.getsize(path) > _LONGEST_YAML:
        raise InvalidArgumentError(f"{path} has {os.path.getsize(path)} bytes, expected at most {_LONGEST_YAML}")
    loader: Any = type("Loader", (yaml.SafeLoader,), {"flatten_mapping": lambda self, node: None})
    loader.add_multi_constructor("", lambda loader, suffix, node: None)
    try:
        return yaml.load("\n".join(_chain_text.lines_of(path)), Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        what = getattr(error, "problem", None) or "is not YAML"
        raise InvalidArgumentError(f"{path}{where}: {what}, expected YAML") from None
    except (RecursionError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidArgumentError(f"{path} is not YAML that can be read: {type(error).__name__}") from None


def of_cobaya(path: str) -> Tuple[Stated, Dict[str, str], List[str]]:
    """Priors, bounds and derived parameters of a `.updated.yaml`, the LaTeX labels, and what is not understood.

    Where the file adds priors of several parameters, those of single parameters are not the whole prior: their limits
    are then bounds.
    """
    described = load_yaml(path)
    described = described if isinstance(described, dict) else {}
    alone = not described.get("prior")
    priors: Dict[str, _priors.Prior] = {}
    bounds: Bounds = {}
    derived: Set[str] = set()
    labels: Dict[str, str] = {}
    notes: List[str] = []
    if not alone:
        notes.append(f"{path} adds priors of several parameters: limits are kept as bounds, priors are left out")
    parameters = described.get("params")
    for name, given in (parameters.items() if isinstance(parameters, dict) else ()):
        name = str(name)
        prior = given.get("prior") if isinstance(given, dict) else None
        if isinstance(given, dict) and isinstance(given.get("latex"), str):
            labels[name] = given["latex"]
        if prior is None:
            if given is None or (isinstance(given, dict) and "value" not in given) or _is_function(given):
                derived.add(name)
            continue
        stated, pair = _cobaya_prior(prior)
        if stated is not None and alone:
            priors[name] = stated
        elif pair is not None:
            bounds[name] = pair
        if stated is None:
            kind = prior.get("dist") if isinstance(prior, dict) else prior
            # An alias may stand for more text than memory holds.
            text = str(kind) if isinstance(kind, (str, int, float)) else f"a {type(kind).__name__}"
            notes.append(f"{path}: the prior of {name}, {_chain_text.shown(text)}, is none of ours and left out")
    return (priors, bounds, derived), labels, notes


def _is_function(given: Any) -> bool:
    return isinstance(given, dict) and isinstance(given.get("value"), str)


def _cobaya_prior(prior: Any) -> Tuple[Optional[_priors.Prior], Optional[Tuple[Optional[float], Optional[float]]]]:
    """The prior, if it is one of ours, and the limits it implies: `min` and `max`, or scipy's `loc`, `scale`, `a`, `b`."""
    if isinstance(prior, (list, tuple)) and len(prior) == 2:
        prior = {"min": prior[0], "max": prior[1]}
    if not isinstance(prior, dict):
        return None, None
    kind = prior.get("dist", "uniform")
    if not isinstance(kind, str):
        return None, None
    try:
        at, scale = float(prior.get("loc", 0.0)), float(prior.get("scale", 1.0))
        limited = "min" in prior and "max" in prior
        lower, upper = (float(prior["min"]), float(prior["max"])) if limited else (at, at + scale)
        if kind == "uniform":
            return _priors.Uniform(lower, upper), (lower, upper)
        if kind in ("loguniform", "reciprocal"):
            if not limited:
                lower, upper = at + scale * float(prior["a"]), at + scale * float(prior["b"])
            shifted = not limited and at != 0  # is uniform in log(theta - loc), which none of ours is
            return None if shifted or lower <= 0 else _priors.LogUniform(lower, upper), (lower, upper)
        if kind in ("norm", "gaussian", "normal"):
            return _priors.Normal(at, scale), None
        if kind == "truncnorm":
            return None, (lower, upper) if limited else (at + scale * float(prior["a"]), at + scale * float(prior["b"]))
        if kind == "halfnorm":
            return None, (at, None)
        return None, (lower, upper) if limited else None
    except (KeyError, TypeError, ValueError):
        return None, None
