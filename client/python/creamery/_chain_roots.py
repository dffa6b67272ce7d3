"""Which files a sampler wrote for one run, found by what their names look like; nothing but names is looked at.

The command line finds them by the same rules (client/cpp/readers/chain_root.cc).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import List, Set, Tuple

from creamery._errors import InvalidArgumentError

_NUMBERED = re.compile(r"(.*)([_.])([0-9]+)\.txt")
_BESIDE = (
    ".paramnames",
    ".ranges",
    ".updated.yaml",
    ".input.yaml",
    ".stats",
    ".inputparams",
    ".properties.ini",
    ".logZ",
    ".progress",
    ".covmat",
)
_OTHER_POINTS = (
    "phys_live-birth.txt",
    "phys_live.txt",
    "_dead.txt",
    "_prior.txt",
    "_prior_info.txt",
    "summary.txt",
)
_OF_POLYCHORD = (".stats", "_dead-birth.txt", "_dead.txt", "_phys_live.txt", "_equal_weights.txt", ".resume")
_OF_MULTINEST = ("stats.dat", "dead-birth.txt", "ev.dat", "post_equal_weights.dat", "phys_live.points")
_DEAD_BIRTH = "dead-birth.txt"


@dataclass(frozen=True)
class Run:
    """The files of one run.

    Attributes:
        sampler: "getdist" (CosmoMC too), "cobaya", "montepython", "polychord", "multinest" or "ultranest".
        root: what the names of all files begin with; the folder of UltraNest.
        dead_birth: the dead points of a nested-sampling run; empty: `chains` are to be read.
        chains: number of the chain, whether the name ends in it, and path; by number.
    """

    sampler: str
    root: str
    dead_birth: str = ""
    chains: Tuple[Tuple[int, bool, str], ...] = ()


def find(path: str) -> Run:
    """The run of a root (`chains/run`), of one of its files, or of a folder with one run.

    Given one of several numbered files, the first stands for all of them, another for itself alone.

    Raises:
        FileNotFoundError: there is none.
        InvalidArgumentError: a folder with several runs, or a file that is no chain.
    """
    if os.path.isdir(path):
        return _of_folder(path)
    if path.endswith(_DEAD_BIRTH) and os.path.isfile(path):
        return _of_dead_birth(path)
    if path.endswith(".txt") and os.path.isfile(path):
        return _of_text_file(path)
    root = path
    for beside in _BESIDE:
        root = root[: -len(beside)] if root.endswith(beside) else root
    run = _of_root(root)
    if run.dead_birth or run.chains:
        return run
    raise FileNotFoundError(
        f"there is no chain '{path}': expected a file, a folder with one run, or the root of root.txt, root_1.txt, "
        "root.1.txt, root_dead-birth.txt, …"
    )


def numbered(root: str, sign: str) -> Tuple[Tuple[int, bool, str], ...]:
    """The files root + sign + number + ".txt"."""
    folder, stem = os.path.split(root)
    chains = []
    for name in _files(folder):
        found = _NUMBERED.fullmatch(name)
        if found is not None and found.group(1) == stem and found.group(2) == sign:
            chains.append((int(found.group(3)), True, os.path.join(folder, name)))
    return tuple(sorted(chains))


def _files(folder: str) -> List[str]:
    try:
        names = sorted(os.listdir(folder or "."))
    except OSError:
        return []
    return [name for name in names if os.path.isfile(os.path.join(folder, name))]


def _sampler(root: str, sign: str) -> str:
    if any(os.path.isfile(root + beside) for beside in _OF_POLYCHORD):
        return "polychord"
    if any(os.path.isfile(root + beside) for beside in _OF_MULTINEST):
        return "multinest"
    if sign == "." or os.path.isfile(root + ".updated.yaml") or os.path.isfile(root + ".input.yaml"):
        return "cobaya"
    return "montepython" if os.path.isfile(os.path.join(os.path.dirname(root), "log.param")) else "getdist"


def _of_dead_birth(path: str) -> Run:
    """The run whose dead points are in `path`. `root_dead-birth.txt` is MultiNest's where `root_.paramnames` exists."""
    root = path[: -len(_DEAD_BIRTH)]
    if root.endswith("_") and not os.path.isfile(root + ".paramnames"):
        return Run("polychord", root[:-1], path)
    return Run("multinest", root, path)


def _of_root(root: str) -> Run:
    """The run of a root; without any file if there is none."""
    for dead_birth in (f"{root}_{_DEAD_BIRTH}", root + _DEAD_BIRTH):
        if os.path.isfile(dead_birth):
            return _of_dead_birth(dead_birth)
    if os.path.isfile(root + "ev.dat") and os.path.isfile(root + "phys_live.points"):
        return Run("multinest", root, root + "ev.dat")
    other = root[:-1] if root.endswith("_") else root + "_"
    for each, sign in ((root, "_"), (other, "_"), (root, ".")):
        chains = numbered(each, sign)
        if chains:
            return Run(_sampler(each, sign), each, "", chains)
    if os.path.isfile(root + ".txt"):
        return Run(_sampler(root, " "), root, "", ((0, False, root + ".txt"),))
    return Run("getdist", root)


def _of_text_file(path: str) -> Run:
    found = _NUMBERED.fullmatch(os.path.basename(path))
    if found is not None:
        root = os.path.join(os.path.dirname(path), found.group(1))
        chains = numbered(root, found.group(2))
        if not chains or chains[0][0] != int(found.group(3)):
            chains = ((int(found.group(3)), True, path),)
        return Run(_sampler(root, found.group(2)), root, "", chains)
    if path.endswith(_OTHER_POINTS):
        raise InvalidArgumentError(
            f"{path} holds neither weights nor likelihoods at birth, expected the root of its run, or its dead-birth "
            "file"
        )
    root = path[: -len(".txt")]
    if root.endswith("_equal_weights"):
        root = root[: -len("_equal_weights")]
    return Run(_sampler(root, " "), root, "", ((0, False, path),))


def _of_folder(folder: str) -> Run:
    if os.path.isfile(os.path.join(folder, "results", "points.hdf5")):
        return Run("ultranest", folder)
    roots: Set[str] = set()
    for name in _files(folder):
        path = os.path.join(folder, name)
        found = _NUMBERED.fullmatch(name)
        if name.endswith(_DEAD_BIRTH):
            roots.add(_of_dead_birth(path).root)
        elif found is not None:
            roots.add(os.path.join(folder, found.group(1)))
        elif name.endswith(".paramnames"):
            run = _of_root(path[: -len(".paramnames")])
            if run.chains or run.dead_birth:
                roots.add(run.root)
    if len(roots) == 1:
        return _of_root(roots.pop())
    if not roots:
        raise FileNotFoundError(f"folder '{folder}' holds no chains, expected one run of a sampler")
    raise InvalidArgumentError(
        f"folder '{folder}' holds {len(roots)} runs, expected one; give its root: {', '.join(sorted(roots))}"
    )
