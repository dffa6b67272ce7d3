"""Rounds of points and values, joint posteriors, job arrays and proposals against an in-process fake."""

import math

import creamery
import numpy as np
import pytest
from creamery import _arrays, _priors
from creamery.v1 import (
    inference_service_pb2,
    job_pb2,
    job_service_pb2,
    model_pb2,
    model_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)

VERSION = "projects/planck/models/cosmo/versions/3"


def version(name=VERSION, names=("a", "b")):
    found = model_pb2.ModelVersion(name=name)
    for each in names:
        parameter = found.signature.parameters.add(name=each, label=f"\\{each}")
        parameter.prior.uniform.lower, parameter.prior.uniform.upper = 0.0, 1.0
    return found


def get_version(*versions):
    known = {each.name: each for each in versions}

    def get(request, context):
        return known.get(request.name) or next(v for n, v in known.items() if n.startswith(request.name + "/"))

    return {"ModelService/GetModelVersion": ("unary_unary", model_service_pb2.GetModelVersionRequest, get)}


def points(seed, n):
    return np.random.default_rng(seed).random((n, 2))


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


def joint_replies(request):
    first = statistics_service_pb2.JointPosteriorResponse(
        columns=["a", "b", "c"],
        shared=["b"],
        effective_size=9.0,
        k_hat=0.3,
        evaluations=77,
        seed=request.seed,
        model_versions=[VERSION, "projects/des/models/cosmo/versions/1"],
        warnings=[13],
        remarks=["c has no prior"],
    )
    first.statistics.log_r.value, first.statistics.log_r.error = 3.2, 0.08
    first.statistics.dimensionality.value, first.statistics.dimensionality.error = 1.1, 0.1
    chunks = [
        statistics_service_pb2.WeightedSamples(
            theta=_arrays.to_proto(np.full((5, 3), i)),
            weight=_arrays.to_proto(np.full(5, 0.5 + i)),
            log_density=_arrays.to_proto(np.zeros(5)),
        )
        for i in (0.0, 1.0)
    ]
    return first, [] if request.without_samples else chunks


def stream_joint(request, context):
    first, chunks = joint_replies(request)
    yield first
    for chunk in chunks:
        yield statistics_service_pb2.JointPosteriorResponse(samples=chunk)


OTHER = version("projects/des/models/cosmo/versions/1", ("b", "c"))


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_a_joint_posterior_has_statistics_and_weighted_samples(serve):
    handlers = {
        **get_version(version(), OTHER),
        "StatisticsService/JointPosterior": (
            "unary_stream",
            statistics_service_pb2.JointPosteriorRequest,
            stream_joint,
        ),
    }
    client = serve(handlers)
    joint = client.joint([client.model("planck/cosmo"), "des/cosmo"], seed=3)
    assert (
        joint.log_r.value == 3.2 and joint.log_z is None and joint.sigma is None and joint.dimensionality.value == 1.1
    )
    assert joint.columns == ("a", "b", "c") and joint.shared == ("b",) and joint.remarks == ("c has no prior",)
    assert joint.warnings == ("NO_LOG_EVIDENCE",) and joint.seed == 3 and joint.evaluations == 77
    np.testing.assert_array_equal(joint.theta, np.repeat([0.0, 1.0], 5)[:, None] * np.ones(3))
    np.testing.assert_array_equal(joint.weights, np.repeat([0.5, 1.5], 5))
    np.testing.assert_array_equal(joint.samples(), joint.theta)
    assert "log R         3.20 ± 0.08 nats" in repr(joint) and "undefined" in repr(joint)
    assert client.joint([VERSION, "des/cosmo"], seed=3, samples=False).theta.shape == (0, 3)
    pytest.importorskip("getdist")
    samples = joint.samples(as_="getdist")
    assert [each.label for each in samples.paramNames.names] == [r"\a", r"\b", r"\c"]
    np.testing.assert_array_equal(samples.weights, joint.weights)
    assert (samples.ranges.getLower("c"), samples.ranges.getUpper("c")) == (0, 1)
    pytest.importorskip("pandas")
    assert list(joint.samples(as_="pandas").columns) == ["a", "b", "c", "weight"]


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_a_statistics_job_has_the_result_of_its_method(serve):
    jobs = {}

    def create(request, context):
        job = job_pb2.Job(name=f"{request.parent}/jobs/{len(jobs)}", state=job_pb2.QUEUED)
        job.statistics.CopyFrom(request.job.statistics)
        jobs[job.name] = job
        return job

    def watch(request, context):
        job = jobs[request.name]
        job.state = job_pb2.SUCCEEDED
        if job.statistics.WhichOneof("request") == "marginal_kl":
            job.statistics_result.marginal_kl.kl.value = 5.5
            job.statistics_result.marginal_kl.kl.error = 0.1
        else:
            job.statistics_result.joint_posterior.CopyFrom(joint_replies(job.statistics.joint_posterior)[0])
        yield job

    def read(request, context):
        yield from joint_replies(jobs[request.name].statistics.joint_posterior)[1]

    client = serve(
        {
            **get_version(version(), OTHER),
            "JobService/CreateJob": ("unary_unary", job_service_pb2.CreateJobRequest, create),
            "JobService/WatchJob": ("unary_stream", job_service_pb2.WatchJobRequest, watch),
            "JobService/ReadSamples": ("unary_stream", job_service_pb2.ReadSamplesRequest, read),
        }
    )
    job = client.model("planck/cosmo").kl(prior={"a": (0, 1), "b": (0, 1)}, seed=1, as_job=True)
    assert job.kind == "marginal_kl" and repr(job) == "<Job planck/0: QUEUED, marginal kl>"
    assert job.result().value == 5.5 and job.result().unit == "nats"
    joint = client.joint([VERSION, "des/cosmo"], seed=2, as_job=True).result()
    assert isinstance(joint, creamery.JointResult) and joint.theta.shape == (10, 3) and joint.seed == 2


def test_an_array_of_jobs_is_watched_cancelled_and_read(serve):
    created, cancelled, looks = [], [], []

    def create(request, context):
        created.append(request)
        array = job_service_pb2.JobArray(array="5d0a")
        for i, each in enumerate(request.jobs):
            array.jobs.add(name=f"{request.parent}/jobs/{i}", state=job_pb2.QUEUED, training=each.training)
        return array

    def listed(request, context):
        looks.append(request.array)
        reply = job_service_pb2.ListJobsResponse()
        for i in range(3):
            done = i < len(looks)
            job = reply.jobs.add(
                name=f"{request.parent}/jobs/{i}", state=job_pb2.SUCCEEDED if done else job_pb2.RUNNING
            )
            job.training.model = f"projects/stars/models/s{i}"
            if i == 2 and done:
                job.state = job_pb2.FAILED
                job.error.code, job.error.message = 9, "the rows are too few"
            job.model_version = f"projects/stars/models/s{i}/versions/1" if done else ""
        return reply

    def cancel(request, context):
        cancelled.append((request.parent, request.array))
        return job_service_pb2.JobArray(array=request.array)

    client = serve(
        {
            **get_version(*(version(f"projects/stars/models/s{i}/versions/1") for i in range(3))),
            "ProjectService/CreateProject": (
                "unary_unary",
                project_service_pb2.CreateProjectRequest,
                lambda request, context: project_service_pb2.Project(),
            ),
            "JobService/CreateJobArray": ("unary_unary", job_service_pb2.CreateJobArrayRequest, create),
            "JobService/ListJobs": ("unary_unary", job_service_pb2.ListJobsRequest, listed),
            "JobService/CancelJobArray": ("unary_unary", job_service_pb2.CancelJobArrayRequest, cancel),
        }
    )
    trainings = [
        ("stars/s0", "stars/c0"),
        ("stars/s1", "stars/c1", creamery.NSF()),
        {"model": "stars/s2", "dataset": "stars/c2", "parameters": ["a"]},
    ]
    array = client.train_array(trainings, creamery.MAF(members=2), prior="stars/prior")
    sent = [job.training for job in created[0].jobs]
    assert [each.spec.WhichOneof("family") for each in sent] == ["maf", "nsf", "maf"]
    assert [each.dataset for each in sent] == [f"projects/stars/datasets/c{i}" for i in range(3)]
    assert list(sent[2].parameters) == ["a"] and sent[0].prior_model == "projects/stars/models/prior"
    assert array.name == "stars/5d0a" and len(array) == 3 and repr(array) == "<JobArray stars/5d0a: 3 queued>"
    seen = [status.counts for status in array.watch(interval=0.01)]
    assert seen == [{"SUCCEEDED": 1, "RUNNING": 2}, {"SUCCEEDED": 2, "RUNNING": 1}, {"SUCCEEDED": 2, "FAILED": 1}]
    with pytest.raises(creamery.JobFailedError, match="the rows are too few"):
        array.results()
    models = client.job_array(array.name).results(skip_failed=True)
    assert [model and model.name for model in models] == [f"projects/stars/models/s{i}/versions/1" for i in (0, 1)] + [
        None
    ]
    array.cancel()
    assert cancelled == [("projects/stars", "5d0a")]
    with pytest.raises(creamery.InvalidArgumentError, match="expected model, dataset"):
        client.train_array([{"model": "stars/s0", "data": "stars/c0"}])


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
