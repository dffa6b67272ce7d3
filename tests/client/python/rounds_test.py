"""Rounds of points and values, against an in-process fake."""

import math

import creamery
import numpy as np
import pytest
from creamery import _arrays
from creamery.v1 import statistics_service_pb2
from fake_models import get_version, points, version


class Evidence:
    """A server that wants 25 values in rounds of 10 and remembers nothing."""

    def __init__(self):
        self.calls = []

    def __call__(self, request, context):
        sampling = request.importance_sampling
        n = sampling.log_likelihood.shape[0] if sampling.log_likelihood.data else 0
        seed = request.seed if request.HasField("seed") else 11
        size = sampling.round_size or 10
        self.calls.append((n, seed, size))
        stop = min(25, n + size)
        reply = statistics_service_pb2.EvidenceResponse(seed=seed, model_version=request.model, done=n >= 25, k_hat=0.2)
        if n:
            reply.log_z.value = _arrays.from_proto(sampling.log_likelihood).mean()
            reply.log_z.error = 0.1
        if n < 25:
            reply.next_theta.CopyFrom(_arrays.to_proto(points(seed, 25)[n:stop]))
        return reply

    def handlers(self):
        return {"StatisticsService/Evidence": ("unary_unary", statistics_service_pb2.EvidenceRequest, self)}


def test_evidence_asks_and_answers_until_the_server_is_done(serve):
    server = Evidence()
    model = serve({**get_version(version()), **server.handlers()}).model("planck/cosmo")
    asked = []

    def log_l(theta):
        asked.append(theta.copy())
        return -theta.sum()

    evidence = model.evidence(log_l)
    assert [n for n, _, _ in server.calls] == [0, 10, 20, 25]
    assert {seed for _, seed, _ in server.calls[1:]} == {11}, "the seed of the first reply goes with every round"
    np.testing.assert_array_equal(asked, points(11, 25))
    assert float(evidence) == pytest.approx(-points(11, 25).sum(axis=1).mean(), abs=1e-12)
    assert evidence.num_points == 25 and evidence.done and evidence.seed == 11 and evidence.k_hat == 0.2
    assert isinstance(evidence, creamery.Estimate) and str(evidence).endswith("± 0.10 nats")


def test_a_killed_estimate_goes_on_from_its_file_with_what_it_has(serve, tmp_path):
    server = Evidence()
    model = serve({**get_version(version()), **server.handlers()}).model("planck/cosmo")
    path = tmp_path / "evidence.npz"
    evaluated = []

    def breaks(theta):
        if len(evaluated) == 13:
            raise KeyboardInterrupt
        evaluated.append(theta.copy())
        return -theta.sum()

    with pytest.raises(KeyboardInterrupt):
        model.evidence(breaks, path=path)
    assert [each.name for each in tmp_path.iterdir()] == ["evidence.npz"]
    again = []
    evidence = model.evidence(lambda theta: again.append(theta) or -theta.sum(), path=path)
    assert len(again) == 12, "13 values were kept, 3 of them from within a round"
    np.testing.assert_array_equal(np.concatenate([evaluated, again]), points(11, 25))
    assert evidence.value == model.evidence(lambda theta: -theta.sum(), seed=11).value
    finished = model.evidence(lambda theta: pytest.fail("nothing is left to evaluate"), path=path)
    assert finished.value == evidence.value
    with pytest.raises(creamery.InvalidArgumentError, match="holds values for seed 11, now asked with 12"):
        model.evidence(lambda theta: 0.0, seed=12, path=path)
    (tmp_path / "other.npz").write_text("nothing")
    with pytest.raises(creamery.InvalidArgumentError, match="holds no values kept by this client"):
        model.evidence(lambda theta: 0.0, path=tmp_path / "other.npz")


def test_values_so_far_may_be_given_with_their_seed(serve):
    server = Evidence()
    model = serve({**get_version(version()), **server.handlers()}).model("planck/cosmo")
    values = -points(5, 25).sum(axis=1)
    evidence = model.evidence(lambda theta: -theta.sum(), seed=5, log_likelihood=values[:7])
    assert evidence.value == pytest.approx(values.mean(), abs=1e-12)
    with pytest.raises(creamery.InvalidArgumentError, match="without the seed"):
        model.evidence(lambda theta: 0.0, log_likelihood=values[:7])


def test_functions_of_many_points_and_pools_give_the_same(serve):
    from multiprocessing.pool import ThreadPool

    server = Evidence()
    model = serve({**get_version(version()), **server.handlers()}).model("planck/cosmo")
    plain = model.evidence(lambda theta: -theta.sum(), seed=1).value
    assert model.evidence(lambda theta: -theta.sum(axis=1), seed=1, vectorized=True).value == plain
    with ThreadPool(2) as pool:
        assert model.evidence(lambda theta: -theta.sum(), seed=1, pool=pool).value == plain
    with pytest.raises(creamery.InvalidArgumentError, match=r"has shape \(10, 2\) for theta of shape \(10, 2\)"):
        model.evidence(lambda theta: theta, seed=1, vectorized=True)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_likelihood_that_is_no_number_names_the_point_and_keeps_the_rest(serve, tmp_path, value):
    model = serve({**get_version(version()), **Evidence().handlers()}).model("planck/cosmo")
    third = points(11, 25)[3, 0]
    path = tmp_path / "values.npz"
    with pytest.raises(creamery.InvalidArgumentError, match=f"is {value} at point 3, theta"):
        model.evidence(lambda theta: value if theta[0] == third else -1.0, path=path)
    assert len(np.load(path)["log_likelihood"]) == 3
    assert model.evidence(lambda theta: -math.inf if theta[0] == third else -1.0, path=path).num_points == 25


def test_options_of_the_other_method_are_refused(serve):
    model = serve({**get_version(version()), **Evidence().handlers()}).model("planck/cosmo")
    with pytest.raises(creamery.InvalidArgumentError, match="expected 'harmonic' or a function"):
        model.evidence("nested")
    with pytest.raises(creamery.InvalidArgumentError, match="max_points: of importance sampling only"):
        model.evidence("harmonic", max_points=10)
    with pytest.raises(creamery.InvalidArgumentError, match="harmonic mean only"):
        model.evidence(lambda theta: 0.0, as_job=True)


def test_reweighted_samples_have_points_weights_and_labels(serve):
    def reweight(request, context):
        n = request.log_likelihood.shape[0] if request.log_likelihood.data else 0
        reply = statistics_service_pb2.ReweightResponse(seed=4, model_version=request.model, done=n >= 20)
        if n < 20:
            reply.next_theta.CopyFrom(_arrays.to_proto(points(4, 20)[n : n + 10]))
        else:
            weight = _arrays.from_proto(request.log_likelihood)
            reply.log_weight.CopyFrom(_arrays.to_proto(weight - weight.max()))
            reply.effective_size, reply.k_hat = 17.0, 0.8
            reply.warnings.append(9)
        return reply

    handlers = {"StatisticsService/Reweight": ("unary_unary", statistics_service_pb2.ReweightRequest, reweight)}
    model = serve({**get_version(version()), **handlers}).model("planck/cosmo")
    with pytest.warns(creamery.CreameryWarning, match="heavy tail"):
        found = model.reweight(lambda theta: -theta.sum())
    np.testing.assert_array_equal(found.theta, points(4, 20))
    assert found.weights.mean() == pytest.approx(1.0) and found.warnings == ("HEAVY_TAILED_WEIGHTS",)
    expected = np.exp(-found.theta.sum(axis=1))
    np.testing.assert_allclose(found.weights / found.weights.max(), expected / expected.max(), rtol=1e-12)
    assert found.log_evidence_ratio is None and found.effective_size == 17.0
    pytest.importorskip("anesthetic")
    frame = found.samples(as_="anesthetic")
    np.testing.assert_allclose(frame.get_weights(), found.weights)
    assert frame.get_label("a") == r"$\a$"
