"""Files beside a chain that would run code in a reader that trusts them: here they run nothing."""

import os
import pickle

import creamery
import pytest

# Every package that could be handed such a file; a chain is read without any of them.
_TAGS = (
    '!!python/object/apply:os.system ["touch {ran}"]',
    '!!python/object/new:os.system ["touch {ran}"]',
    '!!python/object/apply:subprocess.check_call [["touch", "{ran}"]]',
    '!!python/object/apply:builtins.exec ["open({ran!r}, \'w\')"]',
)


class _Touches:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def ran(tmp_path):
    """The path of a file that hostile code would make."""
    return tmp_path / "ran"


def _cobaya(folder):
    (folder / "c.1.txt").write_text("# weight minuslogpost a minuslogprior chi2\n 1 2 .3 1 2\n 1 2 .4 1 2\n")


@pytest.mark.parametrize("tag", _TAGS)
@pytest.mark.parametrize("name", ["c.updated.yaml", "c.input.yaml"])
def test_a_tag_in_the_yaml_of_cobaya_makes_nothing(tmp_path, ran, tag, name):
    pytest.importorskip("yaml")
    _cobaya(tmp_path)
    hostile = tag.format(ran=str(ran))
    for text in (
        f"params:\n  a: {{prior: {{min: 0, max: 1}}}}\nextra: {hostile}\n",
        f"params:\n  a: {{prior: {{min: 0, max: 1}}}}\n? {hostile}\n: 1\n",
        f"params:\n  a: {{prior: {{min: 0, max: 1}}}}\n  b: {{prior: {hostile}}}\n",
        f"params:\n  a: {{prior: {{min: 0, max: 1, dist: uniform}}, ref: {hostile}}}\n",
    ):
        (tmp_path / name).write_text("likelihood: {one: null}\n" + text)
        chains = creamery.read_chains(tmp_path / "c")
        assert not ran.exists()
        assert chains.priors == {"a": creamery.Uniform(0, 1)} and chains.names == ("a",)


def test_scripts_and_pickles_beside_a_chain_are_not_touched(tmp_path, ran):
    line = f"__import__('os').system('touch {ran}')"
    for i in (1, 2):
        (tmp_path / f"run_{i}.txt").write_text("1 2 .3\n1 2 .4\n")
    (tmp_path / "run.paramnames").write_text("a\n")
    (tmp_path / "log.param").write_text(
        f"data.parameters['a'] = [{line}, 0, 1, 0.1, 1, 'cosmo']\n"
        f"data.parameters['a'] = [0.5, 0, 1, 0.1, 1, 'cosmo'] + [{line}]\n"
        f"data.parameters[{line}] = [0.5, 0, 1, 0.1, 1, 'cosmo']\n"
        f"data.parameters['b'] = [0.5, 9**9**9**9**9, 1, 0.1, 1, 'cosmo']\n"
        f"{line}\n"
    )
    (tmp_path / "run.inputparams").write_text(f"DEFAULT(run.yaml)\nINCLUDE(run.yaml)\nburn_removed = {line}\n")
    (tmp_path / "run.properties.ini").write_text(f"DEFAULT(run.yaml)\nsampler = {line}\n")
    for name in ("run.yaml", "run.info.yaml", "run__full.yaml"):
        (tmp_path / name).write_text("a: " + _TAGS[0].format(ran=str(ran)))
    for name in ("run.py_mcsamples", "run.pkl", "run.npz"):
        (tmp_path / name).write_bytes(pickle.dumps(_Touches(ran)))
    assert creamery.read_chains(tmp_path / "run").names == ("a",)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["c.npy", "c.pkl", "c.npz", "c.h5", "c.txt", "c.csv", "c.dat", "c_dead-birth.txt"])
def test_a_pickle_by_another_name_is_refused(tmp_path, ran, name):
    if name == "c.h5":
        pytest.importorskip("h5py")
    (tmp_path / name).write_bytes(pickle.dumps(_Touches(ran)))
    with pytest.raises((creamery.InvalidArgumentError, OSError)):
        creamery.read_chains(tmp_path / name, ["a"])
    assert not ran.exists()


def test_yaml_that_grows_or_nests_without_end_is_refused(tmp_path):
    pytest.importorskip("yaml")
    _cobaya(tmp_path)
    path = tmp_path / "c.updated.yaml"
    merges = ["a0: &a0 {x: 1}"] + [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 12)]
    path.write_text("\n".join(merges) + "\nparams: {a: {prior: {min: 0, max: 1}}}\n")
    assert creamery.read_chains(tmp_path / "c").priors == {"a": creamery.Uniform(0, 1)}
    for text, match in (
        ("[" * 100_000, "c.updated.yaml"),
        ("params: {a: [", "c.updated.yaml, line 1, column 14"),
        ("params: \x00", "c.updated.yaml"),
    ):
        path.write_text(text)
        with pytest.raises(creamery.InvalidArgumentError, match=match):
            creamery.read_chains(tmp_path / "c")
