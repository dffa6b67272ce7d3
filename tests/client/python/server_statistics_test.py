"""Joint posteriors, evidence, reweighting, jobs and chains on a real server, against closed forms."""

import math
import pathlib
import time

import creamery
import numpy as np
import pytest
from conftest import BOUNDS, LOG_Z, QUICK, gaussian_rows
from server_models_test import BOX, exact_log_prob

pytestmark = pytest.mark.server

SHARED = pathlib.Path(__file__).resolve().parents[3].parent / "shared" / "data"
# The likelihood that makes the posterior of conftest.py: normalised so that its evidence is exp(LOG_Z[0]).
NORM = LOG_Z[0] + math.log(BOX)


def log_l(theta):
    return float(exact_log_prob(np.atleast_2d(theta))[0]) + NORM


@pytest.fixture(scope="session")
def sampled(server):
    """A model of all sampled parameters of a chain with log-likelihoods."""
    theta = gaussian_rows(4000, seed=11)
    with creamery.Client(server.address) as connected:
        chain = connected.datasets.upload(
            "statistics/chain",
            theta,
            names=["omegam", "sigma8"],
            priors=BOUNDS,
            log_evidence=LOG_Z,
            log_likelihood=exact_log_prob(theta) + NORM,
        )
        return connected.train("statistics/cosmo", chain, QUICK).result(timeout=300).name


@pytest.fixture
def full(client, sampled):
    return client.model(sampled)


def test_the_gradient_is_that_of_differences(model):
    theta = gaussian_rows(20, seed=3)
    value, gradient = model.log_prob(theta, gradient=True)
    np.testing.assert_array_equal(value, model.log_prob(theta))
    for j, step in enumerate((1e-5, 2e-5)):
        shift = np.zeros(2)
        shift[j] = step
        differences = (model.log_prob(theta + shift) - model.log_prob(theta - shift)) / (2 * step)
        # Central differences: rounding of float32 networks, 1e-6 of values near 10, over a step of 1e-3 widths.
        np.testing.assert_allclose(gradient[:, j], differences, atol=0.05 * np.abs(gradient[:, j]).max())
    one, slope = model.log_prob_gradient(theta[0])
    assert type(one) is float and one == value[0] and slope.shape == (2,)
    _, swapped = model.log_prob_gradient(theta[:, ::-1], columns=["sigma8", "omegam"])
    np.testing.assert_allclose(swapped, gradient[:, ::-1])


def test_members_agree_at_the_bulk_and_less_in_the_tails(model):
    bulk = model.spread(gaussian_rows(500, seed=4))
    assert bulk.shape == (500,) and np.all(bulk >= 0) and np.median(bulk) < 0.3
    assert type(model.spread([0.3, 0.8])) is float


def test_the_map_to_the_hypercube_has_an_inverse(model):
    u = np.random.default_rng(5).uniform(0.02, 0.98, size=(50, 2))
    theta = model.prior_transform(u)
    np.testing.assert_allclose(model.inverse_prior_transform(theta), u, atol=1e-3)
    assert model.inverse_prior_transform(theta[0]).shape == (2,)


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_a_share_of_the_prior_makes_a_normalised_mixture(model):
    theta = np.vstack([gaussian_rows(5, seed=6), [[0.45, 0.65]]])
    mixed = model.log_prob(theta, prior_fraction=0.25)
    with np.errstate(divide="ignore"):
        expected = np.logaddexp(np.log(0.75) + model.log_prob(theta), math.log(0.25 / BOX))
    np.testing.assert_allclose(mixed, expected, rtol=1e-9)
    draws = model.prior_transform(np.random.default_rng(1).random((4000, 2)), prior_fraction=0.25)
    far = np.abs(draws[:, 0] - 0.3) > 0.08  # beyond 8 sigma: the prior's alone, .6 of it
    assert abs(far.mean() - 0.25 * 0.6) < 5 * math.sqrt(0.15 * 0.85 / 4000)


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_summed_log_likelihoods_are_the_sum(client, model, full):
    theta = gaussian_rows(10, seed=7)
    total = model.log_likelihood(theta, more=[full])
    np.testing.assert_allclose(total, model.log_likelihood(theta) + full.log_likelihood(theta), rtol=1e-12)
    np.testing.assert_allclose(client.log_likelihood([model.name, full], theta), total, rtol=1e-12)
    without = client.log_likelihood([model, full], theta, evidence=False)
    np.testing.assert_allclose(without, total - 2 * LOG_Z[0], rtol=1e-9)


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_a_posterior_with_itself_is_a_joint_analysis_with_a_known_answer(client, model, full):
    joint = client.joint([model, full], num_samples=2000, seed=1)
    # P^2/prior of one Gaussian with itself: log R = log box - log sqrt(det(4 pi C)); both chains scatter by 4000^-1/2.
    determinant = (2 * math.pi) ** 2 * np.prod([0.01**2, 0.02**2]) * 0.75
    exact = math.log(BOX) - 0.5 * math.log(4 * determinant)
    assert abs(joint.log_r.value - exact) < 3 * joint.log_r.error + 0.02
    assert joint.log_z.value == pytest.approx(joint.log_r.value + 2 * LOG_Z[0], abs=1e-9)
    assert joint.shared == ("omegam", "sigma8") == joint.columns
    width = np.sqrt(np.average((joint.theta - [0.3, 0.8]) ** 2, weights=joint.weights, axis=0))
    np.testing.assert_allclose(width, np.array([0.01, 0.02]) / math.sqrt(2), rtol=0.1)
    assert joint.weights.mean() == pytest.approx(1.0) and len(joint.theta) == 2000
    assert abs(joint.dimensionality.value - 2) < 4 * joint.dimensionality.error + 0.2
    job = client.joint([model, full], num_samples=2000, seed=1, as_job=True)
    assert client.job(job.name).kind == "joint_posterior"
    later = client.job(job.name).result(timeout=120)
    np.testing.assert_array_equal(later.theta, joint.theta), "a job answers what its method answers"
    assert later.log_r == joint.log_r


def test_long_statistics_are_jobs(model):
    kl = model.kl(seed=1)
    job = model.kl(seed=1, as_job=True)
    assert job.result(timeout=60) == kl and job.kind == "marginal_kl"
    assert model.dimensionality(seed=1, as_job=True).result(timeout=60) == model.dimensionality(seed=1)


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_both_evidences_hold_the_truth_and_stand_side_by_side(client, full, tmp_path):
    harmonic = full.evidence("harmonic", seed=1)
    assert abs(harmonic.value - LOG_Z[0]) < 3 * harmonic.error + 0.02 and harmonic.error < 0.2
    calls = []
    sampled = full.evidence(
        lambda theta: calls.append(1) or log_l(theta), seed=1, target_effective_size=500, path=tmp_path / "values.npz"
    )
    assert abs(sampled.value - LOG_Z[0]) < 4 * sampled.error
    assert sampled.done and sampled.num_points == len(calls) and sampled.effective_size >= 500 and sampled.k_hat < 0.7
    again = full.evidence(
        lambda theta: pytest.fail("all values are kept"), target_effective_size=500, path=tmp_path / "values.npz"
    )
    assert again.value == sampled.value
    ratio = client.evidence_ratio(full, full, numerator_evidences={"importance sampling": sampled}, seed=1)
    methods = [(each.numerator_method, each.denominator_method) for each in ratio.estimates]
    assert ("declared", "declared") in methods and len(methods) >= 4
    assert ratio.largest_disagreement < 3
    assert "declared" in repr(ratio)


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_evidence_needs_all_sampled_parameters(client):
    half = client.train("statistics/half", "statistics/chain", QUICK, parameters=["sigma8"]).result(timeout=300)
    with pytest.raises(creamery.FailedPreconditionError, match="omegam"):
        half.evidence("harmonic")


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_reweighting_moves_the_posterior_to_the_slow_likelihood(full):
    shift = np.array([0.006, 0.0])
    slow = full.reweight(lambda theta: log_l(theta - shift), target_effective_size=400, seed=1)
    assert slow.effective_size >= 400 and slow.k_hat < 0.7
    mean = np.average(slow.theta, weights=slow.weights, axis=0)
    assert np.all(np.abs(mean - [0.306, 0.8]) < 4 * np.array([0.01, 0.02]) / math.sqrt(slow.effective_size))
    # Both likelihoods are normalised in the box, so the evidences are the same.
    assert abs(slow.log_evidence_ratio.value) < 4 * slow.log_evidence_ratio.error


def test_auto_says_what_it_compared(client, chain):
    spec = creamery.AUTO(candidates=["maf", "kde"], members=2, max_epochs=20, seed=1)
    compared = client.train("statistics/auto", chain, spec).result(timeout=300).training.compared
    assert {each.spec.family for each in compared} == {"maf", "kde"} and sum(each.chosen for each in compared) == 1
    assert compared[0].held_out_log_prob >= compared[1].held_out_log_prob
    assert repr(compared).count("\n") == 2


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_a_prior_model_stands_for_the_prior(client, chain):
    box = np.random.default_rng(2).uniform([0.1, 0.6], [0.5, 1.0], size=(3000, 2))
    rows = client.datasets.upload("statistics/box", box, names=["omegam", "sigma8"], bounds=BOUNDS)
    prior = client.train("statistics/prior", rows, QUICK).result(timeout=300)
    model = client.train("statistics/derived", chain, QUICK, prior=prior).result(timeout=300)
    assert model.prior_model == prior.name
    assert model.kl(seed=1).prior_model_version == prior.name


def test_an_array_of_trainings_is_cancelled_as_one(client, chain):
    slow = creamery.MAF(transforms=8, hidden_units=[256, 256], max_epochs=100_000, patience=100_000, members=8)
    array = client.train_array([(f"statistics/slow-{i}", chain) for i in range(3)], slow)
    assert len(client.job_array(array.name)) == 3
    array.cancel()
    end = time.monotonic() + 60
    while not array.status.ended and time.monotonic() < end:
        time.sleep(0.1)
    assert array.status.counts == {"CANCELLED": 3}
    assert array.results(skip_failed=True) == [None] * 3
    with pytest.raises(creamery.NotFoundError):
        client.train_array([("statistics/one", chain), ("statistics/two", "statistics/nothing")])


def test_a_run_of_polychord_is_uploaded_trained_and_known_to_be_nested(client):
    pytest.importorskip("anesthetic")
    if not SHARED.exists():
        pytest.skip("shared data are absent")
    priors = {"x0": ("normal", 0, 1)}
    with pytest.raises(creamery.InvalidArgumentError, match="no parameter x9"):
        client.datasets.upload_chains("statistics/pc", SHARED / "polychord_box" / "pc", ["x9"])
    data = client.datasets.upload_chains("statistics/pc", SHARED / "polychord_box" / "pc", ["x0", "x3"])
    assert data.kind == "nested_sampling" and data.names == ["x0", "x3"] and data.priors == {}
    assert data.log_evidence[0] == pytest.approx(-2.4965, abs=1e-3)
    rows = client.datasets.download(data)
    assert set(rows) == {"theta", "log_likelihood", "log_likelihood_birth"}
    again = client.datasets.upload_chains(
        "statistics/pc2", SHARED / "polychord_box" / "pc", ["x0"], priors, log_evidence=(-2.0794, 0.1)
    )
    assert again.priors == {"x0": creamery.Normal(0, 1)} and again.log_evidence == (-2.0794, 0.1)
    model = client.train("statistics/pc", data, QUICK).result(timeout=300)
    assert model.training.row_kind == 3 and model.labels["x0"] == "x_0"


def test_a_run_of_dynesty_is_uploaded_as_it_was_returned(client):
    dynesty = pytest.importorskip("dynesty")
    random = np.random.default_rng(1)

    def transform(u):
        return np.array([0.1, 0.6]) + u * np.array([0.4, 0.4])

    sampler = dynesty.NestedSampler(log_l, transform, 2, nlive=100, sample="unif", bootstrap=0, rstate=random)
    sampler.run_nested(print_progress=False)
    data = client.datasets.upload_chains(
        "statistics/dynesty", sampler.results, names=["omegam", "sigma8"], priors=BOUNDS, units={"omegam": "1"}
    )
    assert data.kind == "nested_sampling" and data.proto.parameters[0].unit == "1"
    assert abs(data.log_evidence[0] - LOG_Z[0]) < 4 * data.log_evidence[1]
    model = client.train("statistics/dynesty", data, QUICK).result(timeout=300)
    kl = model.kl(seed=1)
    exact = math.log(BOX) + 0.5 * math.log((2 * math.pi * math.e) ** -2 / (0.01**2 * 0.02**2 * 0.75))
    assert abs(kl.value - exact) < 3 * kl.error and 0.02 < kl.error < 0.3


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_nuisance_parameters_of_montepython_are_marginalised_and_derived_ones_are_not(client):
    pytest.importorskip("anesthetic")
    if not SHARED.exists():
        pytest.skip("shared data are absent")
    data = client.datasets.upload_chains("statistics/planck", SHARED / "planck_montepython", burn_in=0.2)
    assert data.kind == "mcmc" and data.priors["A_planck"] == creamery.Uniform(90, 110)
    model = client.train("statistics/planck", data, QUICK, ["n_s", "tau_reio"]).result(timeout=300)
    assert model.bounds == {"n_s": (None, None), "tau_reio": (0.04, None)}
    assert len(model.marginalised) == 19 and "H0" not in model.marginalised
    assert model.training.held_out.num_chains == 2
    with pytest.raises(creamery.FailedPreconditionError, match="n_s"):
        model.kl()


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_a_proposal_that_missed_a_mode_still_has_the_whole_evidence(client):
    """Two modes in a box, of which the chain saw one: log mean L pi/q, what any nested sampler integrates."""
    random = np.random.default_rng(3)
    priors = {"a": (-5.0, 5.0), "b": (-5.0, 5.0)}
    rows = client.datasets.upload(
        "statistics/one-mode", random.normal([-2, 0], 0.5, size=(4000, 2)), ["a", "b"], priors=priors
    )
    model = client.train("statistics/one-mode", rows, QUICK).result(timeout=300)

    def two_modes(theta):
        squares = [((theta - centre) ** 2).sum(axis=1) / 0.5 for centre in ([-2.0, 0.0], [2.0, 0.0])]
        return np.logaddexp(-squares[0], -squares[1])

    exact = math.log(2 * 2 * math.pi * 0.25 / 100)
    u = random.random((40_000, 2))
    proposal = model.proposal(fallback=0.2)
    theta = proposal.prior_transform(u)
    weights = np.exp(proposal.log_likelihood(theta, two_modes))
    log_z, error = math.log(weights.mean()), weights.std() / weights.mean() / math.sqrt(len(u))
    assert error < 0.05 and abs(log_z - exact) < 4 * error
    # Without the fallback half of the evidence is gone, and nothing says so.
    draws = model.prior_transform(u)
    inside = two_modes(draws) - math.log(100) - model.log_prob(draws)
    short = math.log(np.exp(inside).mean())
    assert abs(short - (exact - math.log(2))) < 0.1
    # The shortcut of drawing from the density and leaving the likelihood as it is has another evidence altogether.
    assert math.log(np.exp(two_modes(draws)).mean()) - exact > 2
