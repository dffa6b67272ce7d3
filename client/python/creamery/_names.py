"""Names as people type them (`planck/cosmo@3`) and as they travel (`projects/planck/models/cosmo/versions/3`)."""

from __future__ import annotations

import re
from typing import NoReturn, Optional, Tuple

from creamery import _arguments

_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_TYPED = re.compile(rf"({_ID})/({_ID})(?:@({_ID}))?")


def _fail(given: object, expected: str) -> NoReturn:
    raise _arguments.wrong("name", given, expected)


def project_id(name: str) -> str:
    """`planck` or `projects/planck` to `planck`.

    Raises:
        InvalidArgumentError: it is neither.
    """
    found = re.fullmatch(rf"(?:projects/)?({_ID})", name) if isinstance(name, str) else None
    if found is None:
        _fail(name, "PROJECT or projects/PROJECT")
    return found.group(1)


def parent(project: Optional[str]) -> str:
    """`projects/planck` of a project as typed; `projects/-`, all of them, of None and of "-".

    Raises:
        InvalidArgumentError: it is no project.
    """
    if project is None or (isinstance(project, str) and project == "-"):
        return "projects/-"
    return f"projects/{project_id(project)}"


def _resource(name: str, collection: str, what: str, project: Optional[str]) -> str:
    if not isinstance(name, str):
        _fail(name, f"PROJECT/{what} or projects/PROJECT/{collection}/{what}")
    full = re.fullmatch(rf"projects/{_ID}/{collection}/{_ID}", name)
    if full is not None:
        return name
    typed = _TYPED.fullmatch(name if project is None or "/" in name else f"{project}/{name}")
    if typed is None or typed.group(3) is not None:
        _fail(name, f"PROJECT/{what} or projects/PROJECT/{collection}/{what}")
    return f"projects/{typed.group(1)}/{collection}/{typed.group(2)}"


def dataset(name: str, project: Optional[str] = None) -> str:
    """`planck/chain` to `projects/planck/datasets/chain`; a full name stays; `chain` alone is of `project`.

    Raises:
        InvalidArgumentError: it is neither.
    """
    return _resource(name, "datasets", "DATASET", project)


def job(name: str, project: Optional[str] = None) -> str:
    """`planck/4f1c` to `projects/planck/jobs/4f1c`; a full name stays; `4f1c` alone is of `project`.

    Raises:
        InvalidArgumentError: it is neither.
    """
    return _resource(name, "jobs", "JOB", project)


def model(name: str, project: Optional[str] = None) -> str:
    """`planck/cosmo` to `projects/planck/models/cosmo`; a full name stays; `cosmo` alone is of `project`.

    A version is an error.

    Raises:
        InvalidArgumentError: it is neither.
    """
    return _resource(name, "models", "MODEL", project)


def version(name: str, project: Optional[str] = None) -> str:
    """`planck/cosmo@3` to `projects/planck/models/cosmo/versions/3`; without a version, the model's name (its latest).

    `cosmo@3` alone is of `project`.

    Raises:
        InvalidArgumentError: it is neither of the two forms.
    """
    expected = "PROJECT/MODEL, PROJECT/MODEL@VERSION or projects/PROJECT/models/MODEL/versions/VERSION"
    if not isinstance(name, str):
        _fail(name, expected)
    if re.fullmatch(rf"projects/{_ID}/models/{_ID}(?:/versions/{_ID})?", name) is not None:
        return name
    typed = _TYPED.fullmatch(name if project is None or "/" in name else f"{project}/{name}")
    if typed is None:
        _fail(name, expected)
    base = f"projects/{typed.group(1)}/models/{typed.group(2)}"
    reference = typed.group(3)
    return base if reference in (None, "latest") else f"{base}/versions/{reference}"


def project_of(full: str) -> str:
    """`projects/planck/…` to `projects/planck`."""
    return "/".join(full.split("/")[:2])


def model_of(full: str) -> str:
    """`projects/p/models/m/versions/3` to `projects/p/models/m`."""
    return "/".join(full.split("/")[:4])


def short(full: str) -> str:
    """What a person would type for a full name: `planck/cosmo@3`."""
    parts = full.split("/")
    typed = f"{parts[1]}/{parts[3]}"
    return f"{typed}@{parts[5]}" if len(parts) > 5 else typed


def split(full: str) -> Tuple[str, str]:
    """`projects/p/datasets/d` to (`projects/p`, `d`)."""
    parts = full.split("/")
    return "/".join(parts[:2]), parts[3]
