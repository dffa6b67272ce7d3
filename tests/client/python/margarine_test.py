"""Scripts written for margarine, on a real server with one import changed."""

import math
import os
import subprocess
import sys
import zipfile

import creamery
import creamery.margarine
import numpy as np
import pytest
from conftest import gaussian_rows
from creamery.margarine import _service
from creamery.margarine._estimator import _nested_weights, seed_of

LOW, HIGH = np.array([0.1, 0.6]), np.array([0.5, 1.0])
QUICK = {"members": 2, "seed": 1}


# As people write them for margarine, of either generation.
FIRST_SCRIPT = """
import numpy as np
from anesthetic import MCMCSamples
from margarine.clustered import clusterMAF
from margarine.kde import KDE
from margarine.maf import MAF
from margarine.marginal_stats import calculate

random = np.random.default_rng(1)
data = np.vstack([random.normal(0, 1, 1000), random.normal(2, 0.5, 1000)]).T
weights = np.ones(len(data))
flow = MAF(data, weights=weights)
flow.train(10000, early_stop=True)
x = flow(np.random.uniform(0, 1, size=(len(data), data.shape[-1])))
print("mean", MCMCSamples(data=x, weights=np.ones(len(x)))[0].mean())
stats = calculate(flow).statistics()
print("kl", stats["KL Divergence"], stats["KL Upper Bound"] - stats["KL Divergence"])
frame = MCMCSamples(data=data, weights=weights, logL=-0.5 * (data**2).sum(axis=1))
one = MAF(frame, parameters=[1])
one.train(100)
print("columns", one.sample(10).numpy().shape)
kde = KDE(data, weights=weights)
kde.generate_kde()
print("kde", kde.sample(5000).shape, kde(np.random.uniform(0, 1, size=(10, 2))).shape)
print("bmd", calculate(kde).statistics()["BMD"])
data = np.vstack([np.concatenate([random.normal(0, 1, 500), random.normal(7, 0.3, 500)]), random.normal(0, 3, 1000)]).T
pieces = clusterMAF(data)
pieces.train(10000, early_stop=True)
pieces.save("pieces.pkl")
print("gap", float(np.mean((lambda v: (v > 4) & (v < 5.5))(clusterMAF.load("pieces.pkl").sample(5000)[:, 0]))))
"""

SECOND_SCRIPT = """
import numpy as np
from margarine.estimators.clustered import cluster
from margarine.estimators.kde import KDE
from margarine.estimators.realnvp import RealNVP
from margarine.statistics import kldivergence, model_dimensionality
from margarine.utils.utils import approximate_bounds

key = np.array([0, 42], dtype=np.uint32)  # a key of JAX
data = np.random.default_rng(1).multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=2000)
bounds = approximate_bounds(data, np.ones(len(data)))
flow = RealNVP(data, in_size=2, hidden_size=50, num_layers=2, num_coupling_layers=3, theta_ranges=bounds)
flow.train(key, learning_rate=1e-3, epochs=200, patience=20, batch_size=500)
prior = KDE(np.random.default_rng(2).uniform(bounds[0], bounds[1], size=(2000, 2)), theta_ranges=bounds)
prior.train()
print("kl", kldivergence(flow, prior), model_dimensionality(flow, prior, samples_p=flow.sample(key, 2000)))
pieces = cluster(data, base_estimator=RealNVP, hidden_size=20, num_layers=1, num_coupling_layers=2, clusters=2)
pieces.train(key=key, epochs=50)
pieces.save("pieces")
print("same", np.array_equal(cluster.load("pieces").log_prob(data), pieces.log_prob(data)))
"""


def run_script(server, folder, text):
    """Runs a script for margarine with nothing changed but its imports; what it printed, by first word."""
    script = folder / "script.py"
    script.write_text(text.replace("from margarine.", "from creamery.margarine."))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        cwd=folder,
        env={**os.environ, "CREAMERY_SERVER": server.address, "CREAMERY_PROJECT": "scripts"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


@pytest.mark.server
def test_a_script_for_margarine_1_runs_with_its_imports_changed_and_no_more(server, tmp_path):
    pytest.importorskip("anesthetic")
    printed = run_script(server, tmp_path, FIRST_SCRIPT)
    assert abs(float(printed["mean"])) < 0.2  # 1000 rows and 1000 draws of width 1: a standard error of .045
    value, error = map(float, printed["kl"].split())
    # D_KL of two normals in a box of some 7 widths each: log of the box less the entropies.
    assert 0.5 < value < 2.5 and 0 < error < 0.5
    assert printed["columns"] == "(10, 1)" and printed["kde"] == "(5000, 2) (10, 2)"
    assert 0.5 < float(printed["bmd"]) < 3.0
    assert float(printed["gap"]) < 0.03, "nothing lies between the modes"


@pytest.mark.server
def test_a_script_for_margarine_2_runs_with_its_imports_changed_and_no_more(server, tmp_path):
    printed = run_script(server, tmp_path, SECOND_SCRIPT)
    kl, dimensionality = map(float, printed["kl"].split())
    assert 0.8 < kl < 2.5 and 1.0 < dimensionality < 3.5
    assert printed["same"] == "True"


@pytest.fixture
def connected(server):
    creamery.margarine.connect(server.address, project="margarine", progress=False, **QUICK)
    _service._warned.clear()
    yield
    creamery.margarine.disconnect()


def exact_kl():
    from server_models_test import EXACT_KL

    return EXACT_KL


@pytest.mark.server
@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_a_script_for_margarine_1_runs_on_the_service(connected, tmp_path):
    from creamery.margarine.maf import MAF
    from creamery.margarine.marginal_stats import calculate

    np.random.seed(7)
    theta = gaussian_rows(3000)
    flow = MAF(
        theta,
        weights=np.ones(len(theta)),
        number_networks=2,
        learning_rate=2e-3,
        hidden_layers=[16, 16],
        theta_min=LOW,
        theta_max=HIGH,
        parameters=["omegam", "sigma8"],
    )
    with pytest.raises(creamery.FailedPreconditionError, match="is not trained"):
        flow.sample(5)
    flow.train(30, early_stop=True)
    assert flow.model.parameters == ["omegam", "sigma8"] and flow.model.spec.to_dict()["transforms"] == 2
    assert flow.model.priors == {"omegam": creamery.Uniform(0.1, 0.5), "sigma8": creamery.Uniform(0.6, 1.0)}
    assert len(flow.test_loss_history) == len(flow.loss_history) > 0

    np.random.seed(8)
    samples = flow.sample(4000)
    assert samples.numpy().shape == (4000, 2) and type(samples.numpy()) is np.ndarray
    np.random.seed(8)
    np.testing.assert_array_equal(flow.sample(4000), samples), "np.random.seed makes it repeatable"
    # The chain has 3000 rows and the draws 4000: a standard error of .024 deviations, five of them, and the flow.
    assert np.all(np.abs(samples.mean(axis=0) - [0.3, 0.8]) < 0.22 * np.array([0.01, 0.02]))
    u = np.random.uniform(0, 1, size=(50, 2))
    u[0] = 0.0, 1.0
    inside = flow(u)
    assert np.isfinite(inside).all() and np.all((inside >= LOW) & (inside <= HIGH))

    log_prob = flow.log_prob(samples.astype(np.float32))
    assert log_prob.numpy().shape == (4000,)
    assert flow.log_prob(np.array([0.9, 0.8])) == -math.inf, "outside the limits the density is zero, not NaN"
    expected = np.asarray(log_prob) - 3.5 + math.log(0.16)
    np.testing.assert_allclose(flow.log_like(samples.astype(np.float32), -3.5), expected, atol=1e-9)

    stats = calculate(flow)
    table = stats.statistics()
    assert list(table.index) == ["KL Divergence", "BMD"] and list(table.columns) == [
        "Value",
        "Lower Bound",
        "Upper Bound",
    ]
    assert table.loc["KL Divergence", "Value"] == stats.kl.value == table["KL Divergence"]
    assert table["KL Upper Bound"] - table["KL Divergence"] == pytest.approx(stats.kl.error)
    assert abs(table["KL Divergence"] - exact_kl()) < 3 * stats.kl.error + 0.02
    assert abs(table["BMD"] - 2) < 3 * stats.dimensionality.error + 0.1

    path = tmp_path / "flow.pkl"
    flow.save(str(path))
    assert sorted(zipfile.ZipFile(path).namelist()) == ["artifact.safetensors", "creamery-margarine.json"]
    again = MAF.load(str(path))
    np.testing.assert_array_equal(again.log_prob(samples), flow.log_prob(samples))
    assert again.model.name == flow.model.name, "it is still on the server"
    np.testing.assert_array_equal(again.theta_max, HIGH)
    np.testing.assert_array_equal(again.theta, theta)
    flow.model.delete_version()
    imported = MAF.load(str(path))
    np.testing.assert_array_equal(imported.log_prob(samples), flow_log_prob := imported.log_prob(samples))
    assert imported.model.name != flow.model.name and np.isfinite(flow_log_prob).all()
    assert MAF.load(str(path)).model.name == imported.model.name, "imported once"
    with pytest.raises(creamery.InvalidArgumentError, match="holds a MAF, expected a KDE"):
        creamery.margarine.KDE.load(str(path))


@pytest.mark.server
@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_a_script_for_margarine_2_runs_on_the_service(connected, tmp_path):
    from creamery.margarine.estimators.realnvp import RealNVP
    from creamery.margarine.statistics import integrate, kldivergence, model_dimensionality
    from creamery.margarine.utils.utils import approximate_bounds

    key = np.array([0, 1], dtype=np.uint32)  # what jax.random.PRNGKey(1) is
    theta = gaussian_rows(3000)
    bounds = np.stack([LOW, HIGH])
    estimator = RealNVP(theta, in_size=2, hidden_size=16, num_layers=2, num_coupling_layers=2, theta_ranges=bounds)
    estimator.train(key, learning_rate=2e-3, epochs=30, patience=10, batch_size=256)
    assert estimator.model.spec.to_dict()["hidden_units"] == [16, 16]
    assert estimator.model.spec.to_dict()["seed"] == 1 and len(estimator.val_loss) > 0
    samples = estimator.sample(key, num_samples=1000)
    np.testing.assert_array_equal(estimator.sample(key, 1000), samples)
    assert estimator(np.random.default_rng(1).random((20, 2))).shape == (20, 2)

    box = np.random.default_rng(2).uniform(LOW, HIGH, size=(3000, 2))
    prior = RealNVP(box, in_size=2, hidden_size=16, num_coupling_layers=2, theta_ranges=bounds)
    prior.train(key, epochs=30)
    kl = kldivergence(estimator, prior)
    assert isinstance(kl, float) and 0 < kl.error < 0.3
    # The trained prior is not exactly flat: its density at the posterior is off by some per cent.
    assert abs(kl - exact_kl()) < 3 * kl.error + 0.2
    assert kldivergence(estimator, prior, samples_p=samples) == pytest.approx(kl, abs=0.3)
    assert abs(model_dimensionality(estimator, prior) - 2) < 1.0
    like = estimator.log_like(samples, -3.5, prior)
    np.testing.assert_allclose(
        like, np.asarray(estimator.log_prob(samples)) - 3.5 - np.asarray(prior.log_prob(samples))
    )

    def log_l(point):
        return float(estimator_exact(point))

    found = integrate(estimator, log_l, prior, sample_size=2000, batch_size=500, key=key)
    assert found["x"].shape == (2000, 2) and 0.5 < found["efficiency"] <= 1.0
    assert found["log_integral"] == pytest.approx(-math.log(0.16), abs=0.2), "the likelihood is a normalised density"

    estimator.save(str(tmp_path / "estimator"))
    assert (tmp_path / "estimator.marg").exists()
    np.testing.assert_array_equal(
        RealNVP.load(str(tmp_path / "estimator")).log_prob(samples), estimator.log_prob(samples)
    )
    assert approximate_bounds(theta, np.ones(3000)).shape == (2, 2)


def estimator_exact(point):
    from server_models_test import exact_log_prob

    return exact_log_prob(np.atleast_2d(point))[0]


@pytest.mark.server
@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_kernels_and_pieces_have_the_names_of_margarine(connected, tmp_path):
    from creamery.margarine.clustered import clusterMAF
    from creamery.margarine.estimators.clustered import cluster
    from creamery.margarine.estimators.kde import KDE as SecondKDE
    from creamery.margarine.estimators.nice import NICE
    from creamery.margarine.kde import KDE

    random = np.random.default_rng(1)
    theta = np.concatenate([random.normal(-2, 0.3, size=(700, 2)), random.normal(2, 0.3, size=(700, 2))])
    kernels = KDE(theta, bw_method="scott")
    kernels.generate_kde()
    # In two dimensions Scott's and Silverman's factors are the same.
    assert kernels.model.spec.family == "kde" and kernels.model.spec.to_dict()["bandwidth"] == pytest.approx(1.0)
    assert np.asarray(kernels.log_prob(theta)).shape == (1400,) and kernels.sample(10).shape == (10, 2)
    second = SecondKDE(theta, bandwidth=0.3)
    second.train()
    assert second.sample(3, 10).shape == (10, 2)

    pieces = clusterMAF(theta, number_networks=2, hidden_layers=[8], cluster_number=2)
    pieces.train(epochs=10, early_stop=True)
    assert pieces.model.spec.family == "piecewise" and pieces.cluster_number == 2
    sides = np.asarray(pieces.sample(400))[:, 0] > 0
    # Two equal clusters: a share of one half, standard error .025.
    assert abs(sides.mean() - 0.5) < 0.13
    other = cluster(theta, NICE, clusters=2, hidden_size=8, num_layers=1, num_coupling_layers=2)
    other.train(key=1, epochs=10)
    assert other.sample(1, 10).shape == (10, 2) and other(1, random.random((5, 2))).shape == (5, 2)
    other.save(str(tmp_path / "pieces"))
    assert (tmp_path / "pieces.clumarg").exists() and cluster.load(
        str(tmp_path / "pieces")
    ).model.name == other.model.name


@pytest.mark.server
@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_samples_of_anesthetic_keep_their_births_and_labels(connected):
    anesthetic = pytest.importorskip("anesthetic")
    random = np.random.default_rng(1)
    radius = np.sort(random.random(800))[::-1]
    angle = 2 * np.pi * random.random(800)
    rows = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    samples = anesthetic.NestedSamples(
        rows, columns=["a", "b"], labels=["$a$", r"$\beta$"], logL=-0.5 * (radius / 0.2) ** 2, logL_birth=100
    )
    flow = creamery.margarine.MAF(samples, number_networks=2, hidden_layers=[8], parameters=["b"])
    flow.train(epochs=5, early_stop=True)
    assert flow.parameters == ["b"] and flow.model.labels == {"b": r"\beta"}
    dataset = creamery.margarine.connect(_service.client()._transport.address, progress=False).datasets.get(
        flow.model.training.dataset
    )
    assert dataset.kind == "nested_sampling"


def test_weights_of_nested_rows_are_those_of_anesthetic():
    anesthetic = pytest.importorskip("anesthetic")
    random = np.random.default_rng(1)
    log_l = np.sort(random.random(300)) * 20 - 20
    born = np.concatenate([np.full(100, -np.inf), log_l[:200]])
    samples = anesthetic.NestedSamples(random.random((300, 2)), logL=log_l, logL_birth=born)
    ours = _nested_weights(creamery.read_chains(samples))
    theirs = samples.get_weights()
    np.testing.assert_allclose(ours / ours.sum(), theirs / theirs.sum(), atol=1e-4)


def test_without_a_server_the_error_says_how_to_name_one(monkeypatch):
    monkeypatch.delenv("CREAMERY_SERVER", raising=False)
    creamery.margarine.disconnect()
    flow = creamery.margarine.MAF(gaussian_rows(50))
    with pytest.raises(
        creamery.CreameryError, match="set CREAMERY_SERVER=host:port, or call creamery.margarine.connect"
    ):
        flow.train(early_stop=True)


def test_an_option_without_a_meaning_warns_once_and_an_unknown_one_is_an_error():
    _service._warned.clear()
    rows = gaussian_rows(50)
    with pytest.warns(creamery.CreameryWarning, match="MAF: activation_func has no meaning here") as caught:
        creamery.margarine.MAF(rows, activation_func="relu")
        creamery.margarine.MAF(rows, activation_func="relu")
    assert len(caught) == 1 and caught[0].filename == __file__
    with pytest.warns(creamery.CreameryWarning, match="cluster_labels has no meaning here"):
        creamery.margarine.clusterMAF(rows, cluster_number=2, cluster_labels=np.zeros(50))
    with pytest.warns(creamery.CreameryWarning, match="masked autoregressive flow of the same depth"):
        creamery.margarine.RealNVP(rows)
    with pytest.raises(TypeError, match="number_network"):
        creamery.margarine.MAF(rows, number_network=3)


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_limits_that_are_not_given_are_estimates_and_no_bounds():
    rows = gaussian_rows(50)
    flow = creamery.margarine.MAF(rows)
    low, high = rows.min(axis=0), rows.max(axis=0)
    np.testing.assert_allclose(flow.theta_max, (48 * high - low) / 47)
    np.testing.assert_allclose(flow.theta_min, (48 * low - high) / 47)
    assert flow.limits == {"p0": (None, None), "p1": (None, None)}
    half = creamery.margarine.MAF(rows, theta_min=[0.0, 0.0])
    assert half.limits == {"p0": (0.0, None), "p1": (0.0, None)}
    rows[3, 1] = np.nan
    with pytest.warns(creamery.CreameryWarning, match="1 samples are not finite"):
        assert len(creamery.margarine.MAF(rows).theta) == 49
    with pytest.raises(creamery.InvalidArgumentError, match="effective size of 3, expected more than 3"):
        creamery.margarine.MAF(gaussian_rows(3))


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
@pytest.mark.parametrize("given, expected", [("silverman", 1.0), ("scott", (3 / 4) ** (1 / 5)), (0.5, None)])
def test_bandwidths_are_those_of_scipy(given, expected):
    from creamery.margarine.kde import KDE, bandwidth_factor

    stats = pytest.importorskip("scipy.stats")
    rows = np.random.default_rng(1).normal(size=(200, 1))
    theirs = stats.gaussian_kde(rows.T, bw_method=given).factor
    silverman = stats.gaussian_kde(rows.T, bw_method="silverman").factor
    assert bandwidth_factor(given, KDE(rows)) == pytest.approx(theirs / silverman)
    assert expected is None or bandwidth_factor(given, KDE(rows)) == pytest.approx(expected)
    assert bandwidth_factor(lambda kde: kde.silverman_factor(), KDE(rows)) == pytest.approx(1.0)
    with pytest.raises(creamery.InvalidArgumentError, match="bandwidth is 'cubic'"):
        bandwidth_factor("cubic", KDE(rows))


def test_a_file_of_margarine_itself_is_not_opened(tmp_path):
    import pickle

    path = tmp_path / "flow.pkl"
    path.write_bytes(pickle.dumps([1, 2, 3]))
    with pytest.raises(creamery.InvalidArgumentError, match="files of margarine itself run code"):
        creamery.margarine.MAF.load(str(path))
    with zipfile.ZipFile(tmp_path / "flow.marg", "w") as archive:
        archive.writestr("metadata.yaml", "a: 1")
    with pytest.raises(creamery.InvalidArgumentError, match="was not written by creamery.margarine"):
        creamery.margarine.RealNVP.load(str(tmp_path / "flow"))


def test_keys_of_jax_are_seeds():
    assert seed_of(5) == 5 and seed_of(None) is None
    assert seed_of(np.array([0, 5], dtype=np.uint32)) == 5
    assert seed_of(np.array([1, 5], dtype=np.uint32)) == (1 << 32) + 5
    assert seed_of(-1) == 2**64 - 1
