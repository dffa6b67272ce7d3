"""What figures were measured on and with."""

import os
import pathlib
import platform
import re
import subprocess


def _first(pattern, path):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text(), re.MULTILINE)
    except OSError:
        return "unknown"
    return found.group(1) if found else "unknown"


def _commit(root):
    def git(*command):
        return subprocess.run(["git", "-C", str(root), *command], capture_output=True, text=True, check=True).stdout

    try:
        changed = " and what is not committed" if git("status", "--porcelain", "-uno").strip() else ""
        return git("rev-parse", "--short", "HEAD").strip() + changed
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def describe(bin_dir, root):
    """A dictionary of strings and numbers. `bin_dir`: of a CMake build, whose cache lies beside it."""
    cache = bin_dir.parent / "CMakeCache.txt"
    return {
        "processor": _first(r"^model name\s*: (.*)$", "/proc/cpuinfo"),
        "family and model": "/".join(_first(rf"^{key}\s*: (.*)$", "/proc/cpuinfo") for key in ("cpu family", "model")),
        "cores": os.cpu_count(),
        "MHz": _first(r"^cpu MHz\s*: (.*)$", "/proc/cpuinfo"),
        "load at start": os.getloadavg()[0],
        "system": _first(r'^PRETTY_NAME="(.*)"$', "/etc/os-release"),
        "kernel": platform.release(),
        "build type": _first(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", cache),
        "compiler flags": _first(r"^CMAKE_CXX_FLAGS:\w+=(.*)$", cache),
        "commit": _commit(root),
    }
