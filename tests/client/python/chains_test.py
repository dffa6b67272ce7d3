"""Chains of samplers, from files and objects: no server."""

import json
import math
import pathlib
import sys
import warnings

import creamery
import numpy as np
import pytest
from creamery import _chain_files, _chain_objects

SHARED = pathlib.Path(__file__).resolve().parents[3].parent / "shared" / "data"


def test_nested_sampling_of_polychord_keeps_contours_and_evidence():
    if not SHARED.exists():
        pytest.skip("shared data are absent")
    chains = creamery.read_chains(SHARED / "polychord_box" / "pc")
    assert chains.kind == "nested_sampling" and chains.names == ("x0", "x1", "x2", "x3", "x4")
    assert chains.theta.shape == (1500, 5) and chains.weights is None
    assert np.isneginf(chains.log_likelihood_birth).sum() == 125, "the live points of the start"
    assert np.all(chains.log_likelihood_birth < chains.log_likelihood)
    log_z, error = chains.log_evidence
    # With mean volumes exactly -2.4965; the error of 125 live points at D_KL 5.9 is sqrt(5.9/125) = .22.
    assert log_z == pytest.approx(-2.4965, abs=1e-3) and 0.15 < error < 0.3
    assert chains.labels["x0"] == "x_0"
    assert chains.priors == {} and chains.bounds == {}, "PolyChord states no prior"


def test_the_error_of_log_z_leaves_the_global_random_state_alone():
    anesthetic = pytest.importorskip("anesthetic")
    np.random.seed(3)
    expected = np.random.random()
    random = np.random.default_rng(0)
    samples = anesthetic.NestedSamples(
        random.random((200, 2)), columns=["a", "b"], logL=random.random(200), logL_birth=50
    )
    np.random.seed(3)
    first = creamery.read_chains(samples).log_evidence
    assert np.random.random() == expected
    assert creamery.read_chains(samples).log_evidence == first


def test_montepython_states_flat_priors_limits_and_derived_parameters():
    if not SHARED.exists():
        pytest.skip("shared data are absent")
    chains = creamery.read_chains(SHARED / "planck_montepython", burn_in=0.25)
    assert chains.kind == "mcmc" and set(chains.chain) == {1, 2} and len(chains.names) == 26
    assert 0.74 < len(chains) / 3998 < 0.76
    assert np.all(np.diff(chains.chain) >= 0), "rows keep the order of their chains"
    assert chains.weights.min() >= 1 and np.all(chains.weights == np.rint(chains.weights))
    assert chains.log_likelihood is not None, "MontePython's column is the likelihood"
    assert chains.priors["A_cib_217"] == creamery.Uniform(0, 200)
    assert "n_s" not in chains.priors and "n_s" not in chains.bounds, "None states nothing"
    assert chains.bounds == {"tau_reio": (0.04, None)}
    assert chains.derived == ("z_reio", "Omega_Lambda", "YHe", "H0", "A_s")
    assert chains.labels["tau_reio"] == r"\tau_{reio }"
    two = chains.select(["tau_reio", "n_s"])
    assert two.theta.shape[1] == 2 and two.bounds == {"tau_reio": (0.04, None)} and two.priors == {}
    np.testing.assert_array_equal(two.theta[:, 1], chains.theta[:, 4])
    with pytest.raises(creamery.InvalidArgumentError, match="no parameter tau"):
        chains.select(["tau"])


def test_a_line_of_log_param_is_read_and_never_run(tmp_path):
    (tmp_path / "log.param").write_text(
        "data.parameters['a'] = [0.5, 0, 1, 0.1, 1, 'cosmo']  # flat\n"
        "data.parameters['b'] = [0.5, -1, 2, 0.1, 1, 'cosmo']\n"
        "data.parameters['c'] = [0.5, -1.0, 2, 0.1, 1, 'cosmo']\n"
        "data.parameters['fixed'] = [0.5, 0, 1, 0, 1, 'cosmo']\n"
        "data.parameters['g'] = [0.5, None, None, 0.1, 1, 'nuisance', 'gaussian', 0.4, 0.2]\n"
        "data.parameters['bad'] = [__import__('os').remove('x'), 0, 1, 0.1, 1, 'cosmo']\n"
        "#data.parameters['comment'] = [0.5, 0, 1, 0.1, 1, 'cosmo']\n"
        "data.parameters['d'] = [0, None, None, 0, 1, 'derived']\n"
    )
    unread = []
    priors, bounds, derived = _chain_files.of_montepython(str(tmp_path / "log.param"), unread)
    assert len(unread) == 1 and "log.param, line 6: '[__import__" in unread[0]
    assert priors == {"a": creamery.Uniform(0, 1), "c": creamery.Uniform(-1, 2), "g": creamery.Normal(0.4, 0.2)}
    assert bounds == {"b": (None, 2.0)} and derived == {"d"}


def _getdist_files(folder):
    random = np.random.default_rng(1)
    for i in (1, 2):
        rows = np.column_stack([np.ones(50), random.random(50), random.random((50, 3))])
        np.savetxt(folder / f"run_{i}.txt", rows)
    (folder / "run.paramnames").write_text("omegam \\Omega_m\nH0\nage* {\\rm Age}\n")
    (folder / "run.ranges").write_text("omegam 0.1 N\nH0 40 100\nfixed 1 1\nother N N\n")


def test_ranges_of_getdist_are_bounds_and_no_prior(tmp_path):
    _getdist_files(tmp_path)
    chains = creamery.read_chains(tmp_path / "run")
    assert chains.names == ("omegam", "H0", "age") and len(chains) == 100 and set(chains.chain) == {1, 2}
    assert chains.priors == {} and chains.bounds == {"omegam": (0.1, None), "H0": (40.0, 100.0)}
    assert chains.derived == ("age",) and chains.labels["omegam"] == r"\Omega_m"
    assert chains.log_likelihood is None, "in such files the column is often the posterior"
    kept = creamery.read_chains(tmp_path / "run", log_likelihood=True, burn_in=10)
    assert kept.log_likelihood is not None and len(kept) == 80


def test_samples_of_getdist_keep_their_chains(tmp_path):
    getdist = pytest.importorskip("getdist")
    _getdist_files(tmp_path)
    samples = getdist.loadMCSamples(str(tmp_path / "run"), settings={"ignore_rows": 0})
    chains = creamery.read_chains(samples)
    assert len(chains) == 100 and len(set(chains.chain)) == 2
    assert chains.bounds["H0"] == (40.0, 100.0) and chains.derived == ("age",)


def test_cobaya_states_priors_unless_more_priors_are_added(tmp_path):
    pytest.importorskip("yaml")
    header = "# weight minuslogpost a b c minuslogprior minuslogprior__0 chi2 chi2__like\n"
    random = np.random.default_rng(1)
    with open(tmp_path / "run.1.txt", "w") as file:
        file.write(header)
        for row in random.random((40, 9)):
            file.write(" ".join(f"{value:.6e}" for value in np.concatenate([[1], row[1:]])) + "\n")
    described = (
        "likelihood: {like: null}\nparams:\n  a: {prior: {min: 0, max: 1}, latex: \\alpha}\n"
        "  b: {prior: {dist: norm, loc: 0.5, scale: 0.1}}\n  c: {latex: c}\n  f: {value: 3}\n"
    )
    (tmp_path / "run.updated.yaml").write_text(described)
    (tmp_path / "run.input.yaml").write_text(described)
    chains = creamery.read_chains(tmp_path / "run")
    assert chains.names == ("a", "b", "c"), "what Cobaya adds up beside the parameters is left out"
    assert chains.priors == {"a": creamery.Uniform(0, 1), "b": creamery.Normal(0.5, 0.1)} and chains.derived == ("c",)
    assert chains.log_likelihood is not None and chains.kind == "mcmc"
    (tmp_path / "run.updated.yaml").write_text(described + "prior: {joint: 'lambda a, b: -a*b'}\n")
    with pytest.warns(creamery.CreameryWarning, match="adds priors of several parameters"):
        more = creamery.read_chains(tmp_path / "run")
    assert more.priors == {} and more.bounds == {"a": (0.0, 1.0)}


@pytest.mark.parametrize(
    "given, prior, bounds",
    [
        ("[0, 2]", creamery.Uniform(0, 2), None),
        ("{min: 0, max: 2}", creamery.Uniform(0, 2), None),
        ("{dist: uniform, loc: 1, scale: 2}", creamery.Uniform(1, 3), None),
        ("{dist: loguniform, a: 1e-3, b: 2}", creamery.LogUniform(1e-3, 2), None),
        ("{dist: loguniform, a: .1, b: 2, scale: 10}", creamery.LogUniform(1, 20), None),
        ("{dist: reciprocal, min: .1, max: 2}", creamery.LogUniform(0.1, 2), None),
        ("{dist: norm, loc: 1, scale: .5}", creamery.Normal(1, 0.5), None),
        ("{dist: truncnorm, a: -2, b: 2, loc: 1, scale: .5}", None, (0.0, 2.0)),
        ("{dist: halfnorm, loc: 1}", None, (1.0, None)),
        ("{dist: beta, a: 2, b: 2}", None, None),
        ("{dist: norm, loc: high}", None, None),
    ],
)
def test_priors_of_cobaya_are_ours_or_their_limits_with_a_warning(tmp_path, given, prior, bounds):
    pytest.importorskip("yaml")
    (tmp_path / "run.1.txt").write_text("# weight minuslogpost a minuslogprior chi2\n1 2 .3 1 2\n1 2 .4 1 2\n")
    (tmp_path / "run.updated.yaml").write_text(f"params: {{a: {{prior: {given}}}}}\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chains = creamery.read_chains(tmp_path / "run")
    assert chains.priors.get("a") == prior and chains.bounds.get("a") == bounds
    assert [str(each.message) for each in caught] == [note for note in chains.notes if "is none of ours" in note]
    assert (len(caught) == 1) == (prior is None)


def test_multinest_is_read_from_its_files(tmp_path):
    random = np.random.default_rng(2)
    log_l = np.sort(random.random(300)) * 10 - 10
    born = np.concatenate([np.full(100, -1e30), log_l[:200]])
    rows = random.random((300, 2))
    dead = np.column_stack([rows, log_l, born, np.zeros(300), np.zeros(300)])[:200]
    live = np.column_stack([rows, log_l, born, np.zeros(300)])[200:]
    np.savetxt(tmp_path / "mn-dead-birth.txt", dead)
    np.savetxt(tmp_path / "mn-phys_live-birth.txt", live)
    (tmp_path / "mn-.paramnames").write_text("a a\nb b\n")
    chains = creamery.read_chains(tmp_path / "mn-")
    assert chains.kind == "nested_sampling" and len(chains) == 300
    assert np.isneginf(chains.log_likelihood_birth).sum() == 100


def test_ultranest_is_read_from_its_files_and_from_its_result(tmp_path):
    h5py = pytest.importorskip("h5py")
    random = np.random.default_rng(2)
    log_l = np.sort(random.random(300)) * 10 - 10
    born = np.concatenate([np.full(100, -1e300), log_l[:200]])
    u, theta = random.random((300, 2)), random.random((300, 2))
    for name in ("info", "results"):
        (tmp_path / name).mkdir()
    (tmp_path / "info" / "results.json").write_text(json.dumps({"paramnames": ["a", "b"]}))
    with h5py.File(tmp_path / "results" / "points.hdf5", "w") as file:
        file["points"] = np.column_stack([born, log_l, np.zeros(300), u, theta])
    chains = creamery.read_chains(tmp_path)
    assert chains.kind == "nested_sampling" and chains.names == ("a", "b") and len(chains) == 300
    np.testing.assert_array_equal(np.sort(chains.theta[:, 0]), np.sort(theta[:, 0]))
    weighted = {"points": theta, "weights": np.ones(300) / 300, "logl": log_l}
    result = {"weighted_samples": weighted, "logz": -3.0, "logzerr": 0.1, "paramnames": ["a", "b"]}
    chains = creamery.read_chains(result)
    assert chains.kind == "independent" and chains.log_evidence == (-3.0, 0.1) and chains.names == ("a", "b")


def _log_l(theta):
    return -0.5 * float(np.sum((theta / 0.5) ** 2))


@pytest.mark.parametrize("dynamic", [False, True])
def test_results_of_dynesty_give_the_evidence_that_dynesty_gives(dynamic):
    dynesty = pytest.importorskip("dynesty")
    anesthetic = pytest.importorskip("anesthetic")
    random = np.random.default_rng(1)
    if dynamic:
        sampler = dynesty.DynamicNestedSampler(_log_l, lambda u: 6 * u - 3, 2, nlive=60, rstate=random)
        sampler.run_nested(nlive_init=60, nlive_batch=30, maxbatch=2, print_progress=False)
    else:
        sampler = dynesty.NestedSampler(_log_l, lambda u: 6 * u - 3, 2, nlive=60, rstate=random)
        sampler.run_nested(print_progress=False)
    with pytest.raises(creamery.InvalidArgumentError, match="2 parameters without names"):
        creamery.read_chains(sampler)
    chains = creamery.read_chains(sampler, ["a", "b"])
    assert chains.kind == "nested_sampling" and chains.names == ("a", "b")
    log_z, error = chains.log_evidence
    assert abs(log_z - math.log(2 * math.pi * 0.25 / 36)) < 4 * error
    # The births stand for the same volumes: anesthetic's mean-volume log Z from them is dynesty's.
    again = anesthetic.NestedSamples(chains.theta, logL=chains.log_likelihood, logL_birth=chains.log_likelihood_birth)
    assert float(again.logZ()) == pytest.approx(log_z, abs=0.05)
    assert np.all(chains.log_likelihood_birth < chains.log_likelihood)


def test_births_give_back_the_numbers_of_live_points():
    log_l = np.arange(8.0)
    live = np.array([3, 3, 5, 4, 4, 3, 2, 1])
    born = _chain_objects.births(log_l, live)
    counted = [int(((born < level) & (log_l >= level)).sum()) for level in log_l]
    assert counted == live.tolist()
    with pytest.raises(creamery.InvalidArgumentError, match="do not fit"):
        _chain_objects.births(log_l, live[::-1].copy())


def test_walkers_of_emcee_are_chains_and_its_posterior_is_no_likelihood(tmp_path):
    emcee = pytest.importorskip("emcee")
    random = np.random.default_rng(1)
    sampler = emcee.EnsembleSampler(8, 2, _log_l)
    sampler.run_mcmc(random.normal(size=(8, 2)), 50)
    chains = creamery.read_chains(sampler, ["a", "b"], burn_in=10)
    assert chains.kind == "mcmc" and chains.theta.shape == (320, 2) and chains.log_likelihood is None
    np.testing.assert_array_equal(chains.chain, np.repeat(np.arange(8), 40))
    np.testing.assert_array_equal(chains.theta[40:80], sampler.get_chain()[10:, 1])
    with pytest.raises(creamery.InvalidArgumentError, match="burn_in is 50"):
        creamery.read_chains(sampler, ["a", "b"], burn_in=50)
    pytest.importorskip("h5py")
    backend = emcee.backends.HDFBackend(str(tmp_path / "run.h5"))
    kept = emcee.EnsembleSampler(8, 2, _log_l, backend=backend)
    kept.run_mcmc(random.normal(size=(8, 2)), 20)
    assert creamery.read_chains(tmp_path / "run.h5", ["a", "b"]).theta.shape == (160, 2)


def test_what_is_no_chain_is_refused():
    with pytest.raises(creamery.InvalidArgumentError, match="dict is neither a root of files nor samples"):
        creamery.read_chains({"a": 1})
    with pytest.raises(FileNotFoundError):
        creamery.read_chains("/nowhere/chain")


def test_files_are_read_without_the_packages_that_would_read_them_by_themselves(tmp_path, monkeypatch):
    for package in ("anesthetic", "getdist", "cobaya"):
        monkeypatch.setitem(sys.modules, package, None)
    _getdist_files(tmp_path)
    assert len(creamery.read_chains(tmp_path / "run")) == 100


def test_births_that_are_not_a_number_are_those_of_the_first_live_points():
    anesthetic = pytest.importorskip("anesthetic")
    log_l = np.arange(20.0)
    birth = np.concatenate([np.full(10, np.nan), log_l[:10]])
    samples = anesthetic.NestedSamples(np.random.default_rng(1).random((20, 2)), logL=log_l, logL_birth=birth)
    assert np.isneginf(creamery.read_chains(samples).log_likelihood_birth).sum() == 10


def test_parameters_with_the_names_of_bookkeeping_are_kept():
    anesthetic = pytest.importorskip("anesthetic")
    samples = anesthetic.MCMCSamples(np.random.default_rng(1).random((9, 4)), columns=["chi2", "weight", "logP", "x"])
    assert creamery.read_chains(samples).names == ("chi2", "weight", "logP", "x")
