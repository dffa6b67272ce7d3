"""The example script against a real server."""

import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.server

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "client" / "python" / "examples" / "quickstart.py"


def test_the_quickstart_runs_and_prints_its_answers(server):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), f"--server={server.address}"], capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    assert "D_KL" in done.stdout and "nats" in done.stdout and "dimensionality" in done.stdout
