"""Streams of log-densities and arithmetic on request, against a real server (conftest.py)."""

import creamery
import numpy as np
import pytest
from conftest import gaussian_rows

pytestmark = pytest.mark.server


def test_a_stream_has_the_bits_of_single_questions(model):
    theta = gaussian_rows(3000, seed=11)
    blocks = [theta[:1], theta[1:8], theta[8], theta[9:1009], theta[1009:], theta[:0]]
    with model.log_prob_stream(blocks) as answers:
        joined = np.concatenate([np.atleast_1d(answer) for answer in answers])
    np.testing.assert_array_equal(joined, model.log_prob(theta))
    values, gradients = next(model.log_prob_stream([theta[:5]], gradient=True))
    np.testing.assert_array_equal(gradients, model.log_prob_gradient(theta[:5])[1])


def test_a_bad_block_of_a_stream_is_refused_and_the_rest_is_answered(model):
    good = gaussian_rows(4, seed=12)
    for blocks in ([good, [[0.3, 0.8, 1.0]], good], [[[0.3, np.nan]], good, good]):
        answers = list(model.log_prob_stream(blocks, return_errors=True))
        failed = [type(each) for each in answers if isinstance(each, Exception)]
        assert failed == [creamery.InvalidArgumentError]
        for each in answers:
            if isinstance(each, np.ndarray):
                np.testing.assert_array_equal(each, model.log_prob(good))


def test_double_precision_is_within_the_stated_error_of_single(model):
    theta = model.sample(500, seed=13)
    single, double = model.log_prob(theta), model.log_prob(theta, precision="double")
    assert np.all(np.abs(single - double) <= 1e-5 * np.maximum(1, np.abs(double)))
    np.testing.assert_array_equal(model.log_prob(theta, precision="single"), single)
    np.testing.assert_array_equal(next(model.log_prob_stream([theta], precision="double")), double)
    assert model.log_prob(theta[0], precision="double") == double[0]


def test_maps_in_double_precision_invert_each_other(model):
    u = np.random.default_rng(14).uniform(0.05, 0.95, size=(50, 2))
    theta = model.prior_transform(u, precision="double")
    np.testing.assert_allclose(model.inverse_prior_transform(theta, precision="double"), u, rtol=0, atol=1e-9)
    assert model.sample(3, seed=1, precision="double").shape == (3, 2)
    likelihood = model.log_likelihood(theta[0], precision="double")
    assert likelihood == model.log_likelihood(theta, precision="double")[0]
