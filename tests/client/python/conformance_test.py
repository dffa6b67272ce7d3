"""Both clients read the same files alike: tests/conformance/README.md says what a case holds."""

import json
import math
import pathlib

import creamery
import numpy as np
import pytest

CASES = sorted((pathlib.Path(__file__).resolve().parents[2] / "conformance" / "cases").glob("*.json"))
_KINDS = {"mcmc": "mcmc", "nested": "nested_sampling", "independent": "independent"}


def _write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("latin-1"))


def _numbers(values):
    names = {"-Infinity": -math.inf, "Infinity": math.inf, "NaN": math.nan}
    return np.array([[names.get(cell, cell) for cell in row] for row in values] if _nested(values) else
                    [names.get(cell, cell) for cell in values], dtype=float)


def _nested(values):
    return bool(values) and isinstance(values[0], list)


def _same(given, expected, what):
    if expected is None:
        assert given is None, what
        return
    assert given is not None, what
    np.testing.assert_array_equal(given, _numbers(expected), what)


def _prior(given):
    kinds = {"uniform": creamery.Uniform, "loguniform": creamery.LogUniform, "normal": creamery.Normal}
    return kinds[given[0]](given[1], given[2])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_files_are_read_as_the_case_says(path, tmp_path):
    case = json.loads(path.read_text(encoding="utf-8"))
    if "error_cpp" in case and "python" not in case:
        pytest.skip("a case of the command line alone")
    _write(tmp_path, case["files"])
    arguments = {"log_likelihood": True} if case.get("keep_likelihood") else {}

    def read():
        return creamery.read_chains(tmp_path / case["read"], case.get("columns"), **arguments)

    if "error" in case:
        with pytest.raises(FileNotFoundError if case.get("missing") else creamery.InvalidArgumentError) as raised:
            read()
        for text in case["error"]:
            assert text in str(raised.value)
        return
    if any(name.endswith(".yaml") for name in case["files"]):
        pytest.importorskip("yaml")
    expected = case["python"] if "python" in case else {**case["expected"], **case.get("only_python", {})}
    chains = read()
    assert list(chains.names) == expected["names"] and chains.kind == _KINDS[expected["kind"]]
    _same(chains.theta, expected["theta"], "theta")
    _same(chains.weights, expected.get("weight"), "weight")
    _same(chains.chain, expected.get("chain"), "chain")
    _same(chains.log_likelihood, expected.get("log_likelihood"), "log_likelihood")
    _same(chains.log_likelihood_birth, expected.get("log_likelihood_birth"), "log_likelihood_birth")
    if "log_evidence" in expected:
        assert chains.log_evidence == pytest.approx(expected["log_evidence"], rel=1e-12)
    elif "python" not in case:
        assert chains.log_evidence is None
    assert chains.labels == expected.get("labels", {})
    assert list(chains.derived) == expected.get("derived", [])
    assert {name: list(pair) for name, pair in chains.bounds.items()} == expected.get("bounds", {})
    assert chains.priors == {name: _prior(each) for name, each in expected.get("priors", {}).items()}
    for text in case.get("notes", []) + case.get("notes_python", []):
        assert any(text in note for note in chains.notes), chains.notes
