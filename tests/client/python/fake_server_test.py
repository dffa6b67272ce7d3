"""What no real server produces on demand: broken streams, unavailability, damaged bytes. An in-process gRPC fake."""

import threading

import creamery
import grpc
import numpy as np
import pytest
from creamery import _arrays
from creamery.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    inference_service_pb2,
    job_pb2,
    job_service_pb2,
    model_pb2,
    model_service_pb2,
    project_service_pb2,
)

VERSION = "projects/planck/models/cosmo/versions/3"


def _version():
    version = model_pb2.ModelVersion(name=VERSION, artifact_digest="0" * 64)
    version.signature.parameters.add(name="a")
    version.signature.parameters.add(name="b")
    return version


GET_VERSION = ("unary_unary", model_service_pb2.GetModelVersionRequest, lambda request, context: _version())


def test_unavailable_is_retried_and_other_codes_are_not(serve):
    seen = []

    def get(request, context):
        seen.append(request.name)
        if len(seen) < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "queue full")
        context.abort(grpc.StatusCode.NOT_FOUND, "no such model")

    client = serve({"ModelService/GetModelVersion": ("unary_unary", model_service_pb2.GetModelVersionRequest, get)})
    with pytest.raises(creamery.NotFoundError, match="no such model"):
        client.model("planck/cosmo")
    assert seen == ["projects/planck/models/cosmo"] * 3


def test_what_may_have_begun_and_changes_something_is_repeated_only_if_the_server_says_it_did_not_begin(serve):
    seen = []

    def delete(request, context):
        seen.append(request.name)
        if len(seen) == 1:
            context.set_trailing_metadata((("creamery-not-begun", "1"),))
        context.abort(grpc.StatusCode.UNAVAILABLE, "draining")

    client = serve({"ModelService/DeleteVersion": ("unary_unary", model_service_pb2.DeleteVersionRequest, delete)})
    with pytest.raises(creamery.UnavailableError):
        client.models.delete_version("planck/cosmo@3")
    assert len(seen) == 2


def test_a_sample_that_breaks_goes_on_at_the_row_where_it_broke(serve):
    rows = np.arange(20.0).reshape(10, 2)
    seen = []

    def sample(request, context):
        seen.append((request.model, request.seed, request.first_row))
        for start in range(request.first_row, 10, 4):
            if start == 4 and len(seen) == 1:
                context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")
            reply = inference_service_pb2.SampleResponse(seed=17, model_version=VERSION)
            reply.theta.CopyFrom(_arrays.to_proto(rows[start : start + 4]))
            yield reply

    client = serve({
        "ModelService/GetModelVersion": GET_VERSION,
        "InferenceService/Sample": ("unary_stream", inference_service_pb2.SampleRequest, sample),
    })
    np.testing.assert_array_equal(client.model("planck/cosmo").sample(10), rows)
    assert seen == [(VERSION, 0, 0), (VERSION, 17, 4)]


def test_an_upload_that_is_interrupted_is_sent_again_under_the_same_request_id(serve):
    seen = []

    def append(requests, context):
        requests = list(requests)
        seen.append((requests[0].request_id, sum(each.rows.theta.shape[0] for each in requests)))
        if len(seen) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "draining")
        return dataset_pb2.Dataset(name=requests[0].name, num_rows=requests[0].total_rows)

    client = serve({"DatasetService/AppendRows": ("stream_unary", dataset_service_pb2.AppendRowsRequest, append)})
    theta = np.zeros((300_000, 2))  # over 4 MB: past what gRPC itself would send again
    assert client.datasets.append("planck/chain", theta).num_rows == 300_000
    assert len(seen) == 2 and seen[0] == seen[1] and seen[0][1] == 300_000


def test_an_upload_goes_in_chunks_of_about_one_mebibyte(serve):
    sizes = []

    def append(requests, context):
        sizes.extend(len(each.rows.theta.data) + len(each.rows.weight.data) for each in requests)
        return dataset_pb2.Dataset()

    client = serve({"DatasetService/AppendRows": ("stream_unary", dataset_service_pb2.AppendRowsRequest, append)})
    client.datasets.append("planck/chain", np.zeros((200_000, 3), np.float32), weights=np.ones(200_000))
    assert sum(sizes) == 200_000 * 20 and max(sizes) <= 1 << 20 and len(sizes) == 4


def test_a_failed_upload_leaves_no_empty_dataset_behind(serve):
    deleted = []

    def append(requests, context):
        list(requests)
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "theta row 1 has NaN")

    def delete(request, context):
        deleted.append(request.name)
        return dataset_service_pb2.DeleteDatasetResponse()

    client = serve(
        {
            "ProjectService/CreateProject": (
                "unary_unary",
                project_service_pb2.CreateProjectRequest,
                lambda request, context: project_service_pb2.Project(),
            ),
            "DatasetService/CreateDataset": (
                "unary_unary",
                dataset_service_pb2.CreateDatasetRequest,
                lambda request, context: request.dataset,
            ),
            "DatasetService/AppendRows": ("stream_unary", dataset_service_pb2.AppendRowsRequest, append),
            "DatasetService/GetDataset": (
                "unary_unary",
                dataset_service_pb2.GetDatasetRequest,
                lambda request, context: dataset_pb2.Dataset(name=request.name),
            ),
            "DatasetService/DeleteDataset": ("unary_unary", dataset_service_pb2.DeleteDatasetRequest, delete),
        }
    )
    with pytest.raises(creamery.InvalidArgumentError, match="row 1 has NaN"):
        client.datasets.upload("planck/chain", [[1.0], [np.nan]], names=["a"])
    assert deleted == ["projects/planck/datasets/chain"]


def test_a_broken_watch_is_taken_up_again_until_the_job_ends(serve):
    watches = []

    def watch(request, context):
        watches.append(request.name)
        yield job_pb2.Job(name=request.name, state=job_pb2.RUNNING)
        if len(watches) < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")
        yield job_pb2.Job(name=request.name, state=job_pb2.SUCCEEDED, model_version=VERSION)

    client = serve(
        {
            "JobService/GetJob": (
                "unary_unary",
                job_service_pb2.GetJobRequest,
                lambda request, context: job_pb2.Job(name=request.name, state=job_pb2.QUEUED),
            ),
            "JobService/WatchJob": ("unary_stream", job_service_pb2.WatchJobRequest, watch),
        }
    )
    states = [status.state for status in client.job("planck/4f1c").watch()]
    assert states == ["RUNNING"] * 3 + ["SUCCEEDED"]


@pytest.mark.parametrize("state, code", [("FAILED", "FAILED_PRECONDITION"), ("CANCELLED", "CANCELLED")])
def test_a_job_without_a_result_raises_its_error(serve, state, code):
    job = job_pb2.Job(name="projects/planck/jobs/4f1c", state=state)
    job.training.model = "projects/planck/models/cosmo"
    if state == "FAILED":
        job.error.code, job.error.message = 9, "the loss diverged at epoch 12"
    get = ("unary_unary", job_service_pb2.GetJobRequest, lambda request, context: job)
    with pytest.raises(creamery.JobFailedError) as raised:
        serve({"JobService/GetJob": get}).job("planck/4f1c").result()
    assert raised.value.state == state and raised.value.code is grpc.StatusCode[code]
    assert ("diverged at epoch 12" if state == "FAILED" else "was cancelled") in str(raised.value)


def test_waiting_for_a_job_ends_with_the_time_allowed(serve):
    released = threading.Event()

    def watch(request, context):
        yield job_pb2.Job(name=request.name, state=job_pb2.RUNNING)
        released.wait(10)

    get = lambda request, context: job_pb2.Job(name=request.name, state=job_pb2.RUNNING)  # noqa: E731
    client = serve(
        {
            "JobService/GetJob": ("unary_unary", job_service_pb2.GetJobRequest, get),
            "JobService/WatchJob": ("unary_stream", job_service_pb2.WatchJobRequest, watch),
        }
    )
    job = client.job("planck/4f1c")
    job.proto.training.model = "projects/planck/models/cosmo"
    with pytest.raises(TimeoutError, match="has not ended within 0.3 s"):
        list(job.watch(timeout=0.3))
    released.set()


def _sum_rows(request, context):
    theta = _arrays.from_proto(request.theta)
    reply = inference_service_pb2.LogProbResponse(log_prob=_arrays.to_proto(theta.sum(axis=1)))
    reply.warnings.append(2)
    return reply


def test_a_big_question_is_cut_and_the_answers_joined_in_order(serve):
    sizes = []

    def log_prob(request, context):
        sizes.append(request.theta.shape[0])
        return _sum_rows(request, context)

    client = serve(
        {
            "ModelService/GetModelVersion": GET_VERSION,
            "InferenceService/LogProb": ("unary_unary", inference_service_pb2.LogProbRequest, log_prob),
        }
    )
    theta = np.arange(600_000.0).reshape(300_000, 2)
    with pytest.warns(creamery.CreameryWarning) as caught:
        answer = client.model("planck/cosmo").log_prob(theta)
    np.testing.assert_array_equal(answer, theta.sum(axis=1))
    assert len(sizes) > 1 and max(sizes) * 16 <= 2 << 20
    assert len(caught) == 1, "one warning for the whole question"
    theta[250_001, 1] = np.nan
    with pytest.raises(creamery.InvalidArgumentError, match="theta row 250001"):
        client.model("planck/cosmo").log_prob(theta)


@pytest.mark.filterwarnings("ignore::creamery.CreameryWarning")
def test_points_come_as_arrays_tables_and_single_rows(serve):
    columns = []

    def log_prob(request, context):
        columns.append(list(request.columns))
        return _sum_rows(request, context)

    client = serve(
        {
            "ModelService/GetModelVersion": GET_VERSION,
            "InferenceService/LogProb": ("unary_unary", inference_service_pb2.LogProbRequest, log_prob),
        }
    )
    model = client.model("planck/cosmo")
    one = model.log_prob([1.0, 2.0])
    assert type(one) is float and one == 3.0
    assert type(model.log_prob({"b": 2.0, "a": 1.0})) is float
    assert model.log_prob([[1.0, 2.0]]).shape == (1,)
    model.log_prob({"other": [9.0], "b": [2.0], "a": [1.0]})
    model.log_prob([[1.0, 2.0]], columns=["b", "a"])
    assert model.log_prob(np.empty((0, 2))).shape == (0,)
    assert columns == [[], ["a", "b"], [], ["a", "b"], ["b", "a"], []]


def test_an_export_with_the_wrong_digest_is_data_loss_and_leaves_no_file(serve, tmp_path):
    export = lambda request, context: iter([model_service_pb2.ExportVersionResponse(chunk=b"damaged")])  # noqa: E731
    client = serve(
        {
            "ModelService/GetModelVersion": GET_VERSION,
            "ModelService/ExportVersion": ("unary_stream", model_service_pb2.ExportVersionRequest, export),
        }
    )
    with pytest.raises(creamery.DataLossError, match="another digest"):
        client.model("planck/cosmo").export(tmp_path / "cosmo.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_token_goes_with_every_call(serve):
    seen = []

    def get(request, context):
        seen.append(dict(context.invocation_metadata()).get("authorization"))
        return _version()

    client = serve({"ModelService/GetModelVersion": ("unary_unary", model_service_pb2.GetModelVersionRequest, get)})
    client.model("planck/cosmo")
    with creamery.Client(client._transport.address, token="secret") as authorized:
        authorized.model("planck/cosmo")
    assert seen == [None, "Bearer secret"]
