"""Trained models against a real server: a 2-d Gaussian posterior in a uniform box (conftest.py)."""

import math

import creamery
import numpy as np
import pytest
from conftest import BOUNDS, CORRELATION, LOG_Z, MEAN, QUICK, STDDEV, gaussian_rows

pytestmark = pytest.mark.server

BOX = math.prod(upper - lower for lower, upper in BOUNDS.values())


def exact_log_prob(theta):
    a, b = ((theta - MEAN) / STDDEV).T
    rest = 1 - CORRELATION**2
    norm = math.log(2 * math.pi * STDDEV.prod() * math.sqrt(rest))
    return -0.5 * (a * a - 2 * CORRELATION * a * b + b * b) / rest - norm


EXACT_KL = math.log(BOX) - math.log(2 * math.pi * math.e * STDDEV.prod() * math.sqrt(1 - CORRELATION**2))


def test_log_prob_is_the_density_that_was_trained(model):
    theta = gaussian_rows(1000, seed=2)
    # E_p[log q - log p] is about -(fitted parameters)/(2 rows): under 1000 weights and 4000 rows, at worst -.12; early
    # stopping keeps it well below.
    assert abs(np.mean(model.log_prob(theta) - exact_log_prob(theta))) < 0.12


def test_log_prob_takes_columns_in_any_order_and_single_points(model):
    theta = gaussian_rows(5, seed=3)
    plain = model.log_prob(theta)
    assert plain.shape == (5,) and plain.dtype == np.float64
    np.testing.assert_array_equal(model.log_prob(theta[:, ::-1], columns=["sigma8", "omegam"]), plain)
    np.testing.assert_array_equal(model.log_prob({"sigma8": theta[:, 1], "omegam": theta[:, 0]}), plain)
    one = model.log_prob(theta[0])
    assert type(one) is float and one == plain[0]


def test_a_big_question_has_the_answers_of_its_pieces(model):
    theta = gaussian_rows(200_000, seed=4)
    whole = model.log_prob(theta)
    assert whole.shape == (200_000,)
    np.testing.assert_array_equal(whole[-7:], model.log_prob(theta[-7:]))


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_outside_the_box_the_density_is_zero_and_there_is_a_warning(model):
    assert model.log_prob([0.7, 0.8]) == -math.inf
    with pytest.warns(creamery.CreameryWarning, match="outside the support"):
        model.log_prob([0.7, 0.8])


def test_bad_points_are_refused_with_what_was_expected(model):
    with pytest.raises(creamery.InvalidArgumentError, match="sigma8"):
        model.log_prob([[0.3, 0.8]], columns=["omegam", "sigma_eight"])
    with pytest.raises(creamery.InvalidArgumentError, match=r"\(1, 3\)"):
        model.log_prob([[0.3, 0.8, 1.0]])
    with pytest.raises(creamery.InvalidArgumentError, match="1"):
        model.log_prob([[0.3, 0.8], [0.3, math.nan]])
    with pytest.raises(creamery.InvalidArgumentError):
        model.log_prob([[0.3, 0.8]], x=[[1.0]])


def test_samples_depend_on_the_seed_and_the_row_alone(model):
    short, long = model.sample(100, seed=1), model.sample(1000, seed=1)
    assert long.shape == (1000, 2)
    np.testing.assert_array_equal(short, long[:100])
    assert not np.array_equal(short, model.sample(100, seed=2))
    theta, log_prob = model.sample(100, seed=1, log_prob=True)
    np.testing.assert_allclose(log_prob, model.log_prob(theta), rtol=0, atol=1e-4 * np.abs(log_prob).max())


def test_samples_have_the_mean_of_the_posterior(model):
    theta = model.sample(10_000, seed=5)
    # Standard error of the chain's mean is STDDEV/sqrt(4000), of the draws' STDDEV/100; the flow's bias < .1 STDDEV.
    assert np.all(np.abs(theta.mean(axis=0) - MEAN) < STDDEV * (0.1 + 5 * math.hypot(1 / math.sqrt(4000), 1 / 100)))


def test_a_stream_of_samples_longer_than_one_message(model):
    assert model.sample(150_000, seed=1).shape == (150_000, 2)


def test_samples_as_frames(model):
    plain = model.sample(50, seed=1)
    with pytest.raises(creamery.InvalidArgumentError, match="expected one of anesthetic, getdist, pandas"):
        model.sample(50, as_="polars")
    pytest.importorskip("pandas")
    frame = model.sample(50, seed=1, as_="pandas", log_prob=True)
    assert list(frame.columns) == ["omegam", "sigma8", "log_prob"]
    np.testing.assert_array_equal(frame[["omegam", "sigma8"]], plain)


def test_samples_as_anesthetic(model):
    anesthetic = pytest.importorskip("anesthetic")
    samples = model.sample(50, seed=1, as_="anesthetic")
    assert isinstance(samples, anesthetic.Samples)
    assert samples.get_label("omegam") == r"$\Omega_m$"
    np.testing.assert_array_equal(samples[["omegam", "sigma8"]].to_numpy(), model.sample(50, seed=1))
    np.testing.assert_array_equal(model.log_prob(samples), model.log_prob(samples.to_numpy()))


def test_samples_as_getdist(model):
    pytest.importorskip("getdist")
    samples = model.sample(50, seed=1, as_="getdist")
    assert [name.name for name in samples.paramNames.names] == ["omegam", "sigma8"]
    np.testing.assert_array_equal(samples.samples, model.sample(50, seed=1))


def test_prior_transform_maps_the_hypercube_to_the_density(model):
    u = np.random.default_rng(6).uniform(size=(4000, 2))
    theta = model.prior_transform(u)
    assert np.all(np.abs(theta.mean(axis=0) - MEAN) < STDDEV * (0.1 + 5 * math.sqrt(2 / 4000)))
    np.testing.assert_array_equal(model.prior_transform(u[0]), theta[0])
    assert model.prior_transform(u[0]).shape == (2,)
    with pytest.raises(creamery.InvalidArgumentError):
        model.prior_transform([0.5, 1.5])


def test_log_likelihood_is_posterior_times_evidence_over_prior(model):
    theta = gaussian_rows(10, seed=7)
    expected = model.log_prob(theta) + LOG_Z[0] + math.log(BOX)
    np.testing.assert_allclose(model.log_likelihood(theta), expected, rtol=0, atol=1e-9)
    assert type(model.log_likelihood(theta[0])) is float


def test_kl_agrees_with_the_closed_form_within_its_error(model):
    kl = model.kl(seed=1)
    assert abs(float(kl) - EXACT_KL) < 3 * kl.error + 0.02
    assert 0 < kl.error < 0.2
    assert kl.error == pytest.approx(math.sqrt(sum(part**2 for part in kl.parts.values())))
    assert str(kl).endswith(" nats") and kl.seed == 1 and kl.model_version == model.name
    assert float(model.kl(seed=1)) == float(kl)


def test_kl_against_priors_of_ones_own(model):
    wider = model.kl(prior={"omegam": "uniform(0.1,0.9)", "sigma8": (0.6, 1.4)}, seed=1)
    assert float(wider) - float(model.kl(seed=1)) == pytest.approx(2 * math.log(2), abs=1e-9)
    with pytest.raises(creamery.FailedPreconditionError, match="sigma8"):
        model.kl(prior={"omegam": "uniform(0.1,0.9)"})


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_kl_of_a_model_against_itself_is_zero_within_its_error(model):
    own = model.kl(prior=model, seed=1)
    assert abs(own.value) < 3 * own.error + 0.02
    assert own.prior_model_version == model.name


def test_dimensionality_of_a_gaussian_is_its_number_of_parameters(model):
    dimensionality = model.dimensionality(seed=1)
    assert abs(dimensionality.value - 2) < 3 * dimensionality.error + 0.1
    assert 0 < dimensionality.error < 0.5


def test_a_model_says_what_it_is(model, chain):
    assert model.parameters == ["omegam", "sigma8"]
    assert model.labels == {"omegam": r"\Omega_m", "sigma8": r"\sigma_8"}
    assert model.bounds == BOUNDS and model.log_evidence == LOG_Z
    assert model.priors == {"omegam": creamery.Uniform(0.1, 0.5), "sigma8": creamery.Uniform(0.6, 1.0)}
    assert model.training.dataset_digest == chain.digest and len(model.training.members) == 2
    assert model.spec.to_dict()["transforms"] == 2 and model.spec.to_dict()["patience"] == 20


def test_versions_aliases_and_deletion(client, chain):
    first = client.train("registry/cosmo", chain, QUICK).result(timeout=300)
    second = client.train("registry/cosmo", chain, QUICK, parameters=["sigma8"]).result(timeout=300)
    assert [each.version for each in second.versions()] == [2, 1]
    assert second.parameters == ["sigma8"]
    first.set_alias("production")
    held = client.model("registry/cosmo@production")
    assert held.version == 1 and held.aliases == ["production"]
    with pytest.raises(creamery.AbortedError):
        second.set_alias("production", expected_version=0)
    second.set_alias("production", expected_version=1)
    assert held.version == 1, "a handle stays with its version"
    assert client.model("registry/cosmo@production").version == client.model("registry/cosmo").version == 2
    with pytest.raises(creamery.FailedPreconditionError):
        second.delete_version()
    first.delete_version()
    with pytest.raises(creamery.NotFoundError):
        client.model("registry/cosmo@1")
    summary = client.models.list("registry")[0]
    assert (summary.name, summary.latest_version) == ("projects/registry/models/cosmo", 2)
    assert summary.aliases == {"production": 2}
    assert client.models.remove_alias("registry/cosmo", "production").aliases == {}
    assert client.models.update_labels("registry/cosmo", {"paper": "x"}).labels == {"paper": "x"}


def test_an_exported_model_answers_the_same_once_imported(client, model, tmp_path):
    path = model.export(tmp_path / "cosmo.safetensors")
    assert [each.name for each in tmp_path.iterdir()] == ["cosmo.safetensors"]
    imported = client.models.import_("planck/copy", path)
    theta = gaussian_rows(100, seed=8)
    np.testing.assert_array_equal(imported.log_prob(theta), model.log_prob(theta))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(creamery.CreameryError) as raised:
        client.models.import_("planck/copy", path)
    assert not isinstance(raised.value, creamery.InternalError)
    assert len(client.models.versions("planck/copy")) == 1


def test_a_model_that_does_not_exist_is_not_found(client):
    for name in ("planck/nothing", "nowhere/cosmo", "planck/cosmo@999", "planck/cosmo@nobody"):
        with pytest.raises(creamery.NotFoundError):
            client.model(name)
