"""Rows, columns and convergence of chains."""

import creamery
import numpy as np
import pytest
from creamery import Chains, InvalidArgumentError, _convergence

RANDOM = np.random.default_rng(1)


def mcmc(theta=None, ids=None, **more):
    theta = np.arange(12.0).reshape(6, 2) if theta is None else theta
    ids = np.array([0, 0, 0, 2, 2, 2]) if ids is None else ids
    return Chains(theta, ("a", "b")[: theta.shape[1]], "mcmc", chain=ids, **more)


def nested(n=400, live=50):
    """A run over a unit-width normal likelihood in a box [-5, 5]^1, by exact shrinkage."""
    random = np.random.default_rng(2)
    x, born, points = [], [], sorted(((abs(u), u, -np.inf) for u in random.uniform(-5, 5, live)), reverse=True)
    for _ in range(n):
        radius, where, birth = points.pop(0)
        x.append(where)
        born.append(birth)
        new = random.uniform(-radius, radius)
        points = sorted([*points, (abs(new), new, -0.5 * radius**2)], reverse=True)
    for radius, where, birth in points:
        x.append(where)
        born.append(birth)
    theta = np.array(x)[:, None]
    return Chains(theta, ("a",), "nested_sampling", None, None, -0.5 * theta[:, 0] ** 2, np.array(born))


def test_rows_are_chosen_by_mask_slice_and_number_with_all_that_belongs_to_them():
    chains = mcmc(weights=np.arange(6.0), log_likelihood=-np.arange(6.0))
    kept = chains[chains["a"] > 4]
    np.testing.assert_array_equal(kept.theta[:, 0], [6, 8, 10])
    np.testing.assert_array_equal(kept.weights, [3, 4, 5])
    np.testing.assert_array_equal(kept.log_likelihood, [-3, -4, -5])
    np.testing.assert_array_equal(kept.chain, [2, 2, 2])
    np.testing.assert_array_equal(chains[1:3].theta[:, 0], [2, 4])
    np.testing.assert_array_equal(chains[[-1, 0]].theta[:, 0], [10, 0])
    assert len(chains[np.zeros(6, bool)]) == 0 and kept.names == ("a", "b")


def test_a_chain_is_taken_by_its_id_and_thinned_by_itself():
    chains = mcmc()
    assert chains.chain_ids == [0, 2]
    np.testing.assert_array_equal(chains.of_chain(2)["a"], [6, 8, 10])
    np.testing.assert_array_equal(chains.thin(2)["a"], [0, 4, 6, 10])
    with pytest.raises(InvalidArgumentError, match="no chain 1; there are 0, 2"):
        chains.of_chain(1)


@pytest.mark.parametrize("wrong", [[True, False], [6], [-7], [0.5], "c", None, 1j, [[0, 1]], slice("a")])
def test_rows_and_columns_that_there_are_not_are_refused(wrong):
    with pytest.raises(InvalidArgumentError):
        mcmc()[wrong]


def test_a_column_is_added_from_numbers_or_a_function_and_is_derived():
    chains = mcmc().assign(c=lambda each: each["a"] + each["b"], d=np.arange(6), e=lambda each: each["c"] * 2)
    assert chains.names == ("a", "b", "c", "d", "e") and chains.derived == ("c", "d", "e")
    np.testing.assert_array_equal(chains["e"], 2 * (chains["a"] + chains["b"]))
    with pytest.raises(InvalidArgumentError, match="parameter a already"):
        chains.assign(a=1)
    with pytest.raises(InvalidArgumentError, match=r"f has shape \(2,\), expected \(6,\)"):
        chains.assign(f=[1, 2])


def test_sampled_parameters_that_are_left_away_are_remembered_and_derived_ones_are_not():
    chains = mcmc().assign(S8=np.arange(6.0))
    assert chains.select(["S8", "a"]).marginalised == ("b",)
    assert chains.select(["a", "b"]).marginalised == ()
    assert chains.select(["a", "b"]).select(["b"]).marginalised == ("a",)


@pytest.mark.parametrize("share", [0.3, np.float32(0.3), np.float64(0.3), np.array(0.3), 30, np.int32(30), 30.0])
def test_burn_in_is_the_same_number_in_any_type(share):
    chains = mcmc(np.arange(200.0).reshape(100, 2), np.zeros(100, int))
    assert len(creamery.read_chains(chains, burn_in=share)) == 70


def test_burn_in_is_not_one_row_short_of_its_share():
    chains = mcmc(np.arange(200.0).reshape(100, 2), np.zeros(100, int))
    assert len(creamery.read_chains(chains, burn_in=0.29)) == 71  # 0.29 * 100 is 28.999999999999996


@pytest.mark.parametrize("wrong", ["0.3", -1, 1.5, True, [0.3], 1j, float("nan"), 100])
def test_a_burn_in_that_is_no_number_of_rows_is_refused(wrong):
    with pytest.raises(InvalidArgumentError, match="burn_in"):
        creamery.read_chains(mcmc(np.arange(200.0).reshape(100, 2), np.zeros(100, int)), burn_in=wrong)


def test_nan_births_are_births_from_the_prior():
    chains = Chains(np.zeros((2, 1)), ("a",), "nested_sampling", None, None, np.zeros(2), np.array([np.nan, -1.0]))
    np.testing.assert_array_equal(chains.log_likelihood_birth, [-np.inf, -1.0])


def test_weights_of_nested_sampling_are_those_of_the_posterior():
    run = nested()
    weights = run.posterior_weights
    assert weights.mean() == pytest.approx(1.0)
    # A unit normal: mean 0 and variance 1, each to some per cent by the effective size of about 150.
    assert np.average(run["a"] ** 2, weights=weights) == pytest.approx(1.0, abs=0.3)


def test_rows_of_nested_sampling_are_chosen_from_the_posterior_only():
    run = nested()
    with pytest.raises(InvalidArgumentError, match=r"take them of chains.posterior\(\)"):
        run[::2]
    assert len(run[:]) == len(run) and run.posterior()[::2].kind == "independent"


def test_r_hat_of_independent_chains_is_one_and_their_size_is_the_number_of_rows():
    found = mcmc(RANDOM.normal(size=(8000, 2)), np.repeat(np.arange(4), 2000)).convergence()
    assert found.ok and [each.name for each in found] == ["a", "b"]
    for each in found:
        assert each.r_hat < 1.005 and each.effective_size == pytest.approx(8000, rel=0.15)


def test_the_effective_size_of_an_autoregressive_chain_is_the_known_one():
    rho, n = 0.8, 20000
    noise = RANDOM.normal(size=(4, n)) * np.sqrt(1 - rho**2)
    values = np.zeros((4, n))
    for t in range(1, n):
        values[:, t] = rho * values[:, t - 1] + noise[:, t]
    assert _convergence.effective_size(list(values)) == pytest.approx(4 * n * (1 - rho) / (1 + rho), rel=0.1)


@pytest.mark.parametrize("change", ["shift", "scale", "drift"])
def test_chains_that_have_not_converged_are_seen(change):
    theta = RANDOM.normal(size=(4000, 1))
    ids = np.repeat(np.arange(4), 1000)
    if change == "shift":
        theta[ids == 0] += 1.0
    elif change == "scale":  # the means agree: only the folded part sees it
        theta[ids == 0] *= 3.0
    else:
        theta += np.tile(np.linspace(0, 1.5, 1000), 4)[:, None]
    found = mcmc(theta, ids).convergence()
    assert not found.ok and found[0].r_hat > 1.01
    assert (abs(found[0].half_sigma) > 4) == (change == "drift") and "not converged" in repr(found)


def test_whole_weights_are_repeated_rows():
    theta, ids = RANDOM.normal(size=(500, 1)), np.repeat([0, 1], 250)
    counts = RANDOM.integers(1, 5, 500)
    weighted = mcmc(theta, ids, weights=counts.astype(float)).convergence()
    repeated = mcmc(np.repeat(theta, counts, axis=0), np.repeat(ids, counts)).convergence()
    assert weighted[0] == repeated[0]


def test_the_half_test_has_the_spread_it_states():
    pulls = [
        mcmc(np.random.default_rng(seed).normal(size=(400, 1)), np.repeat([0, 1], 200)).convergence()[0].half_sigma
        for seed in range(200)
    ]
    assert 0.85 < np.std(pulls) < 1.15  # 1 within 3 / sqrt(2 * 200)


def test_convergence_is_not_asked_of_nested_sampling_nor_of_a_few_rows():
    with pytest.raises(InvalidArgumentError, match="nested sampling"):
        nested().convergence()
    with pytest.raises(InvalidArgumentError, match="3 rows, expected at least 8"):
        mcmc().convergence()
