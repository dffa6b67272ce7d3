"""Server, token and project from the environment and from the file that the command line reads too."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from creamery import _arguments, _names, _warnings
from creamery._errors import InvalidArgumentError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_SERVER = "localhost:50051"
_KEYS = ("server", "token_file", "project", "tls_ca")
_VARIABLES = {key: f"CREAMERY_{key.upper()}" for key in _KEYS}


@dataclass(frozen=True)
class Settings:
    """Where a client connects, with what.

    Attributes:
        server: "host:port", or "unix:/path".
        token_file: file with the token; None for none.
        tls_ca: PEM file with the certificates to trust; None for a connection without encryption.
        project: project of names without one; None for none.
    """

    server: str
    token_file: Optional[Path]
    tls_ca: Optional[Path]
    project: Optional[str]


def path() -> Path:
    """`creamery/config.toml` in $XDG_CONFIG_HOME, by default ~/.config."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    # As the XDG specification has it, a relative path is ignored.
    folder = Path(home) if os.path.isabs(home) else Path("~").expanduser() / ".config"
    return folder / "creamery" / "config.toml"


def read() -> Dict[str, str]:
    """The keys of the file; none if there is no file.

    Raises:
        InvalidArgumentError: it cannot be read, or a value is no text.
    """
    file = path()
    try:
        values: Mapping[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise InvalidArgumentError(f"{file} is not a configuration in TOML: {error}") from error
    wrong = [key for key in values if key not in _KEYS]
    if wrong:
        _warnings.warn_client(f"{file} has {', '.join(wrong)}, which is ignored; keys are {', '.join(_KEYS)}")
    return {key: _arguments.text(f"{key} in {file}", values[key]) for key in _KEYS if key in values}


def settings(
    server: Any = None, token: Any = None, token_file: Any = None, tls_ca: Any = None, project: Any = None
) -> Settings:
    """What holds: an argument, else the environment, else the file, else the default.

    Token and certificates of the file belong to the server of the file: no other server gets them.

    Raises:
        InvalidArgumentError: an argument has the wrong type, or the file cannot be read.
    """
    given = {
        "server": None if server is None else _arguments.text("address", server),
        "token_file": None if token_file is None else str(_arguments.path("token_file", token_file)),
        "tls_ca": None if tls_ca is None else str(_arguments.path("tls_ca", tls_ca)),
        "project": None if project is None else _names.project_id(project),
    }
    if token is not None:
        _arguments.text("token", token)
    surrounding = {key: os.environ[name] for key, name in _VARIABLES.items() if os.environ.get(name)}
    chosen: Dict[str, Optional[str]] = {**surrounding, **{key: each for key, each in given.items() if each is not None}}
    filed = read()
    of_file = chosen.get("server") in (None, filed.get("server"))
    for key, value in filed.items():
        if key not in ("token_file", "tls_ca") or of_file:
            chosen.setdefault(key, value)
    if chosen.get("project") is not None:
        _names.project_id(str(chosen["project"]))
    if chosen.get("server") == "":
        raise InvalidArgumentError("address is empty, expected HOST:PORT")

    def file(key: str) -> Optional[Path]:
        value = chosen.get(key)
        return None if value is None else Path(value).expanduser()

    token_path = None if token is not None else file("token_file")
    return Settings(chosen.get("server") or DEFAULT_SERVER, token_path, file("tls_ca"), chosen.get("project"))
