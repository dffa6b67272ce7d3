"""The example scripts against a real server, in small versions."""

import pathlib
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.server

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "client" / "python" / "examples"
NUMBER = r"(-?\d+\.\d+)"


def run(server, script, *flags):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), f"--server={server.address}", *flags],
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_quickstart_runs_and_prints_its_answers(server):
    shown = run(server, "quickstart.py")
    assert "D_KL" in shown and "nats" in shown and "dimensionality" in shown


def test_two_experiments_have_the_exact_log_r(server):
    shown = run(server, "joint.py", "--rows=3000")
    value, error, exact = map(
        float, re.search(rf"\nlog R +{NUMBER} ± {NUMBER} nats +\(exact {NUMBER}\)", shown).groups()
    )
    assert abs(value - exact) < 3 * error + 0.01
    assert error < 0.15
    assert "tension" in shown and "joint mean" in shown


def test_a_population_is_trained_as_one_array_and_multiplied(server):
    shown = run(server, "population.py", "--objects=5", "--rows=1000")
    assert "training 5 objects" in shown
    for name in ("omegam", "w"):
        line = re.search(rf"\n{name} +{NUMBER} ± {NUMBER} +\(exact +{NUMBER} ± {NUMBER}\)", shown).groups()
        mean, deviation, exact, error = map(float, line)
        # Each of 5 chains of 1000 rows moves its own mean by a 32nd of its width; so does the product.
        assert abs(mean - exact) < 0.3 * error
        assert 0.8 * error < deviation < 1.25 * error


def test_a_proposal_saves_calls_and_leaves_log_z(server):
    pytest.importorskip("dynesty")
    shown = run(server, "dynesty_proposal.py", "--live=80", "--rows=2000")
    found = re.findall(rf"log Z +{NUMBER} ± {NUMBER} +(\d+) likelihood calls", shown)
    plain, trained = [tuple(map(float, each)) for each in found]
    exact = float(re.search(rf"exact +log Z +{NUMBER}", shown).group(1))
    assert trained[2] < plain[2] / 3, "fewer likelihood calls"
    assert abs(plain[0] - trained[0]) < 2 * (plain[1] ** 2 + trained[1] ** 2) ** 0.5, "the same evidence"
    assert abs(trained[0] - exact) < 3 * trained[1], "the right one"


def test_a_check_says_whether_the_density_fits_and_draws_it(server, trained_name, tmp_path):
    pytest.importorskip("getdist")
    path = tmp_path / "corner.png"
    shown = run(server, "check.py", trained_name, f"--out={path}")
    assert "classifier accuracy" in shown and f"written to {path}" in shown and path.stat().st_size > 1000
