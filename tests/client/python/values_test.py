"""Estimates, warnings, errors and the progress display: no server."""

import io
import warnings

import creamery
import grpc
import numpy as np
import pytest
from creamery import (
    _answers,
    _arrays,
    _errors,
    _estimate,
    _jobs,
    _progress,
    _samples,
    _transport,
    _warnings,
    _weights,
)
from creamery.v1 import dataset_pb2, job_pb2, statistics_service_pb2


@pytest.mark.parametrize(
    "value, error, expected",
    [
        (5.5912, 0.0631, "5.59 ± 0.06"),
        (0.1931, 0.0123, "0.193 ± 0.012"),
        (123.4, 12.3, "123 ± 12"),
        (1234.0, 61.0, "1230 ± 60"),
        (1.0, 0.0996, "1.00 ± 0.10"),
        (2.5, 0.0, "2.5 ± 0"),
    ],
)
def test_an_estimate_shows_as_many_digits_as_its_error_allows(value, error, expected):
    assert _estimate.format_with_error(value, error) == expected


def test_an_estimate_is_a_number_with_parts_and_a_unit():
    message = statistics_service_pb2.Estimate(value=5.5912, error=0.0631, chain_error=0.06, member_error=0.02)
    estimate = _estimate.from_proto(message, "nats", seed=3)
    assert float(estimate) == 5.5912
    assert repr(estimate) == "5.59 ± 0.06 nats" == str(estimate)
    assert estimate.parts == {"monte_carlo": 0.0, "chain": 0.06, "approximation": 0.0, "member": 0.02}
    assert estimate.seed == 3


def test_what_an_answer_leaves_out_is_printed_below_it():
    reply = statistics_service_pb2.MarginalKLResponse(remarks=["the prior's density is zero on 0.6 % of the posterior"])
    reply.kl.value, reply.kl.error = 5.5912, 0.0631
    estimate = _answers.marginal_kl(reply)
    assert estimate.remarks == ("the prior's density is zero on 0.6 % of the posterior",)
    assert repr(estimate) == "5.59 ± 0.06 nats\n  the prior's density is zero on 0.6 % of the posterior"


@pytest.mark.parametrize(
    "code, cls, builtin",
    [
        ("INVALID_ARGUMENT", creamery.InvalidArgumentError, ValueError),
        ("NOT_FOUND", creamery.NotFoundError, LookupError),
        ("ALREADY_EXISTS", creamery.AlreadyExistsError, Exception),
        ("FAILED_PRECONDITION", creamery.FailedPreconditionError, Exception),
        ("ABORTED", creamery.AbortedError, Exception),
        ("UNAUTHENTICATED", creamery.UnauthenticatedError, Exception),
        ("PERMISSION_DENIED", creamery.PermissionDeniedError, Exception),
        ("RESOURCE_EXHAUSTED", creamery.ResourceExhaustedError, Exception),
        ("UNAVAILABLE", creamery.UnavailableError, Exception),
        ("CANCELLED", creamery.CancelledError, Exception),
        ("DEADLINE_EXCEEDED", creamery.DeadlineExceededError, TimeoutError),
        ("DATA_LOSS", creamery.DataLossError, Exception),
        ("UNIMPLEMENTED", creamery.UnimplementedError, Exception),
        ("INTERNAL", creamery.InternalError, Exception),
        ("UNKNOWN", creamery.CreameryError, Exception),
    ],
)
def test_an_error_is_chosen_by_its_code(code, cls, builtin):
    class Failed(grpc.RpcError):
        def code(self):
            return grpc.StatusCode[code]

        def details(self):
            return "NOT_FOUND is only text"

    error = _errors.from_rpc_error(Failed())
    assert type(error) is cls and isinstance(error, builtin) and isinstance(error, creamery.CreameryError)
    assert error.code is grpc.StatusCode[code] and error.message == "NOT_FOUND is only text"


def test_a_warning_has_its_kind_and_points_at_the_caller():
    with pytest.warns(creamery.CreameryWarning, match="planck/cosmo@1: some rows lie outside the support") as caught:
        _warnings.warn(_warnings.names([2, 2]), "planck/cosmo@1")
    assert [each.message.kind for each in caught] == ["OUTSIDE_SUPPORT"]
    assert caught[0].filename == __file__


def test_every_warning_of_the_contract_has_a_text():
    from creamery.v1 import warning_pb2

    assert set(_warnings._TEXTS) == set(warning_pb2.Warning.keys()) - {"WARNING_UNSPECIFIED"}


def test_a_warning_from_a_newer_server_keeps_its_number():
    assert _warnings.names([99]) == ("WARNING_99",)


def test_a_token_file_is_read_past_comments(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("# ours\n\nsecret alice\nother bob\n")
    assert _transport.read_token(path) == "secret"
    path.write_text("# nothing\n")
    with pytest.raises(creamery.InvalidArgumentError, match="holds no token"):
        _transport.read_token(path)


def test_a_token_and_a_token_file_are_one_too_many(tmp_path):
    with pytest.raises(ValueError, match="both token and token_file"):
        creamery.Client("localhost:1", token="a", token_file=tmp_path / "b")


def test_a_token_in_clear_over_the_network_is_warned_of():
    with pytest.warns(creamery.CreameryWarning, match="unencrypted"):
        creamery.Client("creamery.example.org:50051", token="a").close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        creamery.Client("127.0.0.1:50051", token="a").close()


def test_nobody_listening_is_unavailable():
    with creamery.Client("127.0.0.1:1", patience=0.2) as client, pytest.raises(creamery.UnavailableError):
        client.models.list("planck")


def _running(epoch):
    progress = job_pb2.Progress(
        member=1, members=4, epoch=epoch, held_out_loss=1.25, best_held_out_loss=1.2, seconds_left=12, fraction=0.4
    )
    return _jobs._status(job_pb2.Job(state=job_pb2.RUNNING, progress=progress))


def test_progress_is_one_line_for_a_person():
    text = _progress.describe(_running(31))
    assert text == "member 2/4, epoch 31, held-out loss 1.25 (best 1.2), at most 12 s left"


def test_progress_in_a_log_is_a_line_now_and_then(capsys):
    with _progress.ProgressDisplay("planck/cosmo", True) as display:
        for epoch in range(100):
            display.update(_running(epoch))
        display.update(_jobs._status(job_pb2.Job(state=job_pb2.SUCCEEDED)))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and lines[-1] == "planck/cosmo: succeeded"


def test_progress_on_a_terminal_is_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    with _progress.ProgressDisplay("planck/cosmo", True) as display:
        display.update(_running(31))
        display.update(_jobs._status(job_pb2.Job(state=job_pb2.SUCCEEDED)))
    assert "planck/cosmo" in shown.getvalue() and "100%" in shown.getvalue()


def test_progress_is_silent_unless_asked_for(capsys):
    with _progress.ProgressDisplay("planck/cosmo", False) as display:
        display.update(_running(31))
    assert capsys.readouterr().err == ""


def test_bounds_come_from_the_prior_or_the_parameter():
    uniform = dataset_pb2.Parameter(name="a", prior={"uniform": {"lower": 0, "upper": 2}})
    assert _samples.bounds(uniform) == [0, 2]
    assert _samples.bounds(dataset_pb2.Parameter(name="a", lower=1)) == [1, None]


PARAMETERS = [
    dataset_pb2.Parameter(name="a", label=r"\alpha", prior={"uniform": {"lower": 0, "upper": 2}}),
    dataset_pb2.Parameter(name="b"),
]
THETA = np.array([[0.5, 2.0], [1.0, 3.0], [1.5, 5.0]])
LOG_PROB = np.array([-1.0, -2.0, -3.0])


def test_samples_become_a_frame_of_pandas():
    pytest.importorskip("pandas")
    frame = _samples.convert(THETA, LOG_PROB, PARAMETERS, "pandas")
    assert list(frame.columns) == ["a", "b", "log_prob"]
    np.testing.assert_array_equal(frame.to_numpy(), np.column_stack([THETA, LOG_PROB]))


def test_samples_become_a_frame_of_anesthetic_that_reads_back_as_a_table():
    anesthetic = pytest.importorskip("anesthetic")
    frame = _samples.convert(THETA, None, PARAMETERS, "anesthetic")
    assert isinstance(frame, anesthetic.Samples) and frame.get_label("a") == r"$\alpha$"
    theta, columns = _arrays.table(frame, ["b", "a"])
    assert columns == ["b", "a"]
    np.testing.assert_array_equal(theta, THETA[:, ::-1])


def test_samples_become_samples_of_getdist_with_bounds():
    pytest.importorskip("getdist")
    samples = _samples.convert(THETA, LOG_PROB, PARAMETERS, "getdist")
    assert [(each.name, each.label) for each in samples.paramNames.names] == [("a", r"\alpha"), ("b", "b")]
    assert (samples.ranges.getLower("a"), samples.ranges.getUpper("a")) == (0, 2)
    np.testing.assert_array_equal(samples.samples, THETA)
    np.testing.assert_array_equal(samples.loglikes, -LOG_PROB)


@pytest.mark.parametrize("exponent", [-1064, -600, 0, 600, 1010])
def test_effective_sizes_do_not_know_the_scale_of_the_weights(exponent):
    weights = np.array([1.0, 3.0, 0.0])
    assert _weights.effective_size(np.ldexp(weights, exponent)) == 1.6
    assert _weights.effective_size(np.zeros(3)) == 0.0
    assert _weights.effective_size(np.empty(0)) == 0.0
