"""Fit reports and corner plots against densities that are known to fit, and known not to."""

import sys

import creamery
import numpy as np
import pytest
from conftest import gaussian_rows
from creamery import _check, _two_sample

NAMES = ["a", "b"]


def report(rows, draws, weights=None, chain=None, in_order=False):
    weights = np.ones(len(rows)) if weights is None else weights / weights.mean()
    chain = np.zeros(len(rows), dtype=np.int64) if chain is None else chain
    described = {"model_version": "p/m@1", "source": "p/c", "share_outside": 0.0}
    return _check.report(NAMES, rows, weights, chain, in_order, draws, 1, **described)


def normal(n, seed, correlation=0.6, scale=(1.0, 1.0), shift=(0.0, 0.0)):
    covariance = [[1, correlation], [correlation, 1]]
    return np.random.default_rng(seed).multivariate_normal([0, 0], covariance, n) * scale + shift


def test_two_sets_of_one_distribution_are_not_told_apart_and_the_errors_say_so():
    pulls = []
    for seed in range(300):
        rows, draws = normal(400, seed)[:, 0], normal(4000, 999 + seed)[:, 0]
        pulls += [each.sigma for each in _check._quantiles("a", rows, np.ones(400), 400, draws)]
    # 300 checks, of some three independent pulls each: mean 0 within 3 / sqrt(900), spread 1 within 3 / sqrt(2 * 900)
    # and the error's own error at a tail that 10 rows are beyond.
    assert abs(np.mean(pulls)) < 0.1 and 0.9 < np.std(pulls) < 1.15


@pytest.mark.parametrize("n", [100, 300, 4000])
def test_a_false_alarm_is_as_rare_as_it_is_said_to_be(n, monkeypatch):
    same = _two_sample.TwoSampleTest(0.5, 0.5, 0.01, 100)
    monkeypatch.setattr(_check, "two_sample_test", lambda *args: same)
    alarms = sum(not report(normal(n, seed), normal(10 * n, 9999 + seed)).ok for seed in range(200))
    assert alarms <= 6  # 1 % of 200 is 2; 6 is exceeded once in 200 tries


def test_a_shift_is_found_where_it_is():
    found = report(normal(2000, 1), normal(8000, 2, shift=(0.0, 0.3)))
    assert not found.ok and all(line.startswith("b: ") or "classifier" in line for line in found.off)
    assert any("50 % quantile is" in line and "above" in line for line in found.off)


def test_a_density_too_wide_is_off_at_both_ends_and_not_in_the_middle():
    found = report(normal(4000, 1), normal(20000, 2, scale=(1.3, 1.0)))
    off = {(each.parameter, each.probability) for each in found.quantiles if abs(each.sigma) > found.limit}
    assert {("a", 0.025), ("a", 0.975)} <= off and ("a", 0.5) not in off
    difference = {(each.parameter, each.probability): abs(each.difference) for each in found.quantiles}
    assert difference["a", 0.975] == pytest.approx(0.3 * 1.96, abs=0.12)  # .3 standard deviations wider
    assert difference["b", 0.975] == pytest.approx(0, abs=0.12)


def test_a_wrong_correlation_is_found_though_every_marginal_fits():
    found = report(normal(2000, 1, 0.6), normal(8000, 2, 0.0))
    assert "correlation" in " ".join(found.off) and found.correlations[0].difference < -0.4
    assert found.c2st.sigma > found.limit


def test_weights_count_for_what_they_are_worth():
    wide = normal(8000, 1, 0.0, (2.0, 1.0))
    weights = np.exp(-0.5 * (1 - 1 / 4) * wide[:, 0] ** 2)
    found = report(wide, normal(8000, 2, 0.0), weights)
    assert found.ok and found.effective_size["a"] < 6000


def test_rows_that_depend_on_each_other_have_larger_errors():
    rows = np.repeat(normal(200, 1), 20, axis=0)
    assert report(rows, normal(4000, 2), in_order=True).effective_size["a"] < 500
    assert report(rows, normal(4000, 2)).effective_size["a"] == 4000


def test_the_classifier_needs_no_marginal_to_differ():
    random = np.random.default_rng(1)
    ring = random.normal(size=(3000, 2))
    signs = np.sign(ring[:, :1] * ring[:, 1:])
    told = _two_sample.two_sample_test(np.abs(ring) * [1, 1] * np.hstack([signs, np.ones_like(signs)]), ring, 1)
    assert told.sigma > 5 and told.expected == 0.5


def test_a_report_prints_itself_and_becomes_plain_data():
    rich = pytest.importorskip("rich.console")
    found = report(normal(500, 1), normal(4000, 2, shift=(0.0, 0.5)))
    assert "97.5 %" in repr(found) and "off: b: " in repr(found)
    console = rich.Console(width=120, record=True, file=open("/dev/null", "w"))
    console.print(found)
    assert "97.5 %" in console.export_text()
    plain = found.to_dict()
    assert plain["ok"] is False and len(plain["quantiles"]) == 10 and plain["c2st"]["sigma"] == found.c2st.sigma


@pytest.mark.server
def test_a_model_fits_its_own_chain(model):
    found = model.check(seed=1)
    assert found.source == "planck/chain" and found.share_outside == 0
    assert max(abs(each.difference) / 0.02 for each in found.quantiles) < 0.3  # in units of the wider parameter


@pytest.mark.server
@pytest.mark.parametrize("kind", ["dataset", "name", "array", "dict", "chains"])
def test_a_chain_comes_in_any_form(model, chain, kind):
    rows = gaussian_rows(1000, seed=5)
    forms = {
        "dataset": chain,
        "name": "planck/chain",
        "array": rows,
        "dict": {"sigma8": rows[:, 1], "omegam": rows[:, 0], "else": rows[:, 0]},
        "chains": creamery.Chains(rows, ("omegam", "sigma8"), "independent"),
    }
    found = model.check(forms[kind], num_samples=2000)
    assert found.quantiles[2].chain == pytest.approx(0.3, abs=0.002)


@pytest.mark.server
def test_a_chain_far_from_the_model_is_off_and_outside(model):
    rows = gaussian_rows(1000)
    rows[:100, 0] = 0.7
    found = model.check(rows, num_samples=2000)
    assert found.share_outside == pytest.approx(0.1) and "zero at 10.00% of the rows" in found.off[0]


@pytest.mark.server
@pytest.mark.parametrize("wrong", [np.zeros((5, 2)), np.zeros((50, 3)), {"omegam": [1.0] * 50}, 7, "no/such.thing@3"])
def test_a_chain_that_cannot_be_compared_is_refused(model, wrong):
    with pytest.raises((creamery.InvalidArgumentError, FileNotFoundError)):
        model.check(wrong)


@pytest.mark.server
@pytest.mark.parametrize("package", ["getdist", "anesthetic"])
def test_a_corner_plot_has_a_panel_for_every_pair(model, chain, package, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    pytest.importorskip(package)
    matplotlib.use("Agg")
    path = tmp_path / "corner.png"
    figure = model.corner(chain=chain, package=package, num_samples=2000, path=path)
    assert path.read_bytes().startswith(b"\x89PNG") and len(figure.axes) >= 3
    assert len(model.corner(parameters=["sigma8"], package=package, num_samples=500).axes) >= 1
    matplotlib.pyplot.close("all")


@pytest.mark.server
def test_a_missing_package_is_named_with_what_installs_it(model, monkeypatch):
    for name in ("getdist", "anesthetic"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("creamery._corner.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install creamery\[getdist\]"):
        model.corner()


@pytest.mark.server
def test_a_parameter_that_the_model_lacks_is_named(model):
    with pytest.raises(creamery.InvalidArgumentError, match="no parameter h; the model has omegam, sigma8"):
        model.corner(parameters=["h"])
