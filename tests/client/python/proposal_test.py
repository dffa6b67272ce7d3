"""Proposals for nested samplers and the fields of questions, against an in-process fake."""

import math

import creamery
import numpy as np
import pytest
from creamery import _arrays, _priors
from creamery.v1 import inference_service_pb2, statistics_service_pb2
from fake_models import OTHER, VERSION, get_version, version


def test_a_proposal_fetches_the_correction_with_the_point(serve):
    calls = []

    def transform(request, context):
        calls.append(("transform", request.prior_fraction))
        return inference_service_pb2.PriorTransformResponse(theta=_arrays.to_proto(_arrays.from_proto(request.u) ** 2))

    def log_prob(request, context):
        calls.append(("log_prob", request.prior_fraction))
        theta = _arrays.from_proto(request.theta)
        reply = inference_service_pb2.LogProbResponse(log_prob=_arrays.to_proto(theta.sum(axis=1)))
        reply.warnings.append(1)
        return reply

    model = serve(
        {
            **get_version(version()),
            "InferenceService/PriorTransform": ("unary_unary", inference_service_pb2.PriorTransformRequest, transform),
            "InferenceService/LogProb": ("unary_unary", inference_service_pb2.LogProbRequest, log_prob),
        }
    ).model("planck/cosmo")
    proposal = model.proposal(0.2)
    one = proposal.prior_transform(np.array([0.5, 1.0]))  # 1 is taken as the nearest number inside
    assert one.shape == (2,) and one[1] < 1.0
    assert calls == [("transform", 0.2), ("log_prob", 0.2)]
    assert proposal.log_correction(one) == pytest.approx(-one.sum(), abs=1e-12) and len(calls) == 2
    many = proposal.prior_transform(np.full((3, 2), 0.3))
    assert proposal.log_likelihood(many, np.zeros(3)).shape == (3,) and len(calls) == 4
    assert proposal.wrap(lambda theta: (1.0, [2.0]))(one) == (pytest.approx(1.0 - one.sum()), [2.0])
    assert proposal.wrap(lambda theta: -1.0)(one) == pytest.approx(-1.0 - one.sum())
    assert len(calls) == 4
    assert (
        proposal.log_correction([0.25, 0.25]) == pytest.approx(-0.5) and len(calls) == 5
    ), "a point of its own is asked for"
    assert proposal.log_correction([0.25, 1.5]) == -math.inf, "outside the prior"
    with pytest.raises(creamery.InvalidArgumentError, match="fallback is 0"):
        model.proposal(0)


def test_a_proposal_needs_a_prior_of_every_parameter(serve):
    found = version()
    found.signature.parameters.add(name="derived")
    with pytest.raises(creamery.FailedPreconditionError, match="no analytic prior of derived"):
        serve(get_version(found)).model("planck/cosmo").proposal()


def test_the_density_of_priors_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    theta = np.array([[0.5, 1.0, 0.02], [2.5, -3.0, 0.5], [0.1, 0.0, 2.0]])
    priors = [creamery.Uniform(0, 2), creamery.Normal(1, 2), creamery.LogUniform(0.01, 1)]
    expected = (
        stats.uniform(0, 2).logpdf(theta[:, 0])
        + stats.norm(1, 2).logpdf(theta[:, 1])
        + stats.loguniform(0.01, 1).logpdf(theta[:, 2])
    )
    np.testing.assert_allclose(_priors.log_density(priors, theta), expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_gradients_spreads_and_sums_reach_their_fields(serve):
    seen = []

    def log_prob(request, context):
        theta = _arrays.from_proto(request.theta)
        reply = inference_service_pb2.LogProbResponse(log_prob=_arrays.to_proto(theta.sum(axis=1)))
        if request.gradient:
            reply.gradient.CopyFrom(_arrays.to_proto(2 * theta))
        if request.spread:
            reply.spread.CopyFrom(_arrays.to_proto(0 * theta[:, 0] + 0.25))
        return reply

    def log_likelihood(request, context):
        seen.append((request.model, list(request.more_models), list(request.columns), request.without_evidence))
        theta = _arrays.from_proto(request.theta)
        return inference_service_pb2.LogLikelihoodResponse(log_likelihood=_arrays.to_proto(theta.sum(axis=1)))

    client = serve(
        {
            **get_version(version(), OTHER),
            "InferenceService/LogProb": ("unary_unary", inference_service_pb2.LogProbRequest, log_prob),
            "InferenceService/LogLikelihood": (
                "unary_unary",
                inference_service_pb2.LogLikelihoodRequest,
                log_likelihood,
            ),
        }
    )
    model = client.model("planck/cosmo")
    value, gradient = model.log_prob([1.0, 2.0], gradient=True)
    assert value == 3.0 and type(value) is float and gradient.tolist() == [2.0, 4.0]
    values, gradients = model.log_prob_gradient(np.ones((150_000, 2)))
    assert values.shape == (150_000,) and gradients.shape == (150_000, 2), "cut and joined"
    assert model.spread([[1.0, 2.0]]).tolist() == [0.25]
    table = {"c": [3.0], "a": [1.0], "b": [2.0], "other": [9.0]}
    assert model.log_likelihood(table, more=["des/cosmo"], evidence=False).tolist() == [6.0]
    assert client.log_likelihood(["planck/cosmo", OTHER.name], [1.0, 2.0, 3.0], columns=["a", "b", "c"]) == 6.0
    assert seen == [(VERSION, [OTHER.name], ["a", "b", "c"], True), (VERSION, [OTHER.name], ["a", "b", "c"], False)]
    with pytest.raises(creamery.InvalidArgumentError, match="models is empty"):
        client.log_likelihood([], [1.0])


def test_an_evidence_ratio_shows_all_estimates_side_by_side(serve):
    def ratio(request, context):
        given = request.numerator_evidences[0]
        assert (given.method, given.log_evidence.value, given.log_evidence.error) == ("nested sampling", -3.0, 0.1)
        reply = statistics_service_pb2.EvidenceRatioResponse(
            model_versions=[VERSION, OTHER.name],
            largest_disagreement=3.5,
            warnings=[12],
            remarks=["no chain of des"],
            seed=1,
        )
        for methods, value in ((("declared", "declared"), -2.1), (("harmonic mean", "declared"), -2.9)):
            each = reply.estimates.add(numerator_method=methods[0], denominator_method=methods[1])
            each.log_ratio.value, each.log_ratio.error = value, 0.2
        return reply

    handlers = {"StatisticsService/EvidenceRatio": ("unary_unary", statistics_service_pb2.EvidenceRatioRequest, ratio)}
    with pytest.warns(creamery.CreameryWarning, match="differ by more than three"):
        found = serve(handlers).evidence_ratio(
            VERSION, OTHER.name, numerator_evidences={"nested sampling": (-3.0, 0.1)}
        )
    assert found.largest_disagreement == 3.5 and found.estimates[0].log_ratio.value == -2.1
    assert repr(found).splitlines() == [
        "log(Z planck/cosmo@3 / Z des/cosmo@1)",
        "      -2.1 ± 0.2   declared",
        "      -2.9 ± 0.2   harmonic mean / declared",
        "  no chain of des",
    ]


def test_what_auto_compared_is_a_table(serve):
    found = version()
    for spec, score, error, chosen in (
        (creamery.NSF(bins=8), 5.03, 0.0, True),
        (creamery.MAF(transforms=6), 4.99, 0.01, False),
    ):
        each = found.training.compared.add(held_out_log_prob=score, difference_error=error, chosen=chosen)
        each.spec.CopyFrom(spec.proto)
    found.training.compared.add(failure="too few rows").spec.CopyFrom(creamery.PIECEWISE().proto)
    found.training.num_rows = 40
    training = serve(get_version(found)).model("planck/cosmo").training
    assert training.num_rows == 40 and len(training.compared) == 3
    assert training.compared[0].chosen and training.compared[0].spec == creamery.NSF(bins=8)
    assert repr(training.compared).splitlines() == [
        "  held-out log p   behind the best   family",
        "*         5.0300                     NSF(bins=8)",
        "          4.9900   0.040 ± 0.010     MAF(transforms=6)",
        "          failed                     PIECEWISE(): too few rows",
    ]
