"""Joint posteriors, statistics as jobs and arrays of jobs, against an in-process fake."""

import creamery
import numpy as np
import pytest
from creamery import _arrays
from creamery.v1 import (
    job_pb2,
    job_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)
from fake_models import OTHER, VERSION, get_version, version


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
