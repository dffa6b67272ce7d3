"""What one may send to a server without a token, and with one: its memory stays bounded, and nobody waits in silence."""

import pathlib
import threading
import time

import creamery
import grpc
import numpy as np
import pytest
from creamery.v1 import job_service_pb2

pytestmark = pytest.mark.server

TOKEN = "token-of-a-person-0123456789"
MEBIBYTE = 1 << 20
EMPTY_JOBS = b"\x12\x00" * (8 * MEBIBYTE)  # 16 MB that would become eight million objects


def _memory(server, key="VmHWM"):
    status = pathlib.Path(f"/proc/{server._process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(key)) * 1024


@pytest.fixture
def guarded(own_server, tmp_path):
    """A server that asks for tokens."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{TOKEN} person\n")
    tokens.chmod(0o600)
    return own_server(f"--token_file={tokens}")


def _send(server, method, body, clients, metadata=()):
    """The codes that `clients` connections get for `body`, sent at once."""
    codes = []

    def ask():
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(server.address, options) as channel:
            try:
                channel.unary_unary(method)(body, metadata=metadata, timeout=60)
                codes.append(grpc.StatusCode.OK)
            except grpc.RpcError as error:
                codes.append(error.code())

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


@pytest.mark.parametrize("method", ["JobService/CreateJobArray", "InferenceService/LogProb", "JobService/WatchJob",
                                    "DatasetService/AppendRows", "WorkerService/PutBlob"])
def test_without_a_token_a_request_costs_no_memory(guarded, method):
    before = _memory(guarded)
    codes = _send(guarded, f"/creamery.v1.{method}", EMPTY_JOBS, 20)
    assert codes == [grpc.StatusCode.UNAUTHENTICATED] * 20
    assert _memory(guarded) - before <= 64 * MEBIBYTE


def test_a_health_check_is_answered_without_its_request_being_read(guarded):
    before = _memory(guarded)
    assert _send(guarded, "/grpc.health.v1.Health/Check", EMPTY_JOBS, 20) == [grpc.StatusCode.OK] * 20
    assert _memory(guarded) - before <= 64 * MEBIBYTE
    with grpc.insecure_channel(guarded.address) as channel:
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01"
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        assert next(watch) == b"\x08\x01"
        guarded.stop()
        assert next(watch) == b"\x08\x02"  # NOT_SERVING, before its end
        with pytest.raises(grpc.RpcError) as raised:
            next(watch)
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE


def test_with_a_token_its_memory_is_bounded_before_it_is_parsed(guarded):
    before = _memory(guarded)
    codes = _send(guarded, "/creamery.v1.JobService/CreateJobArray", EMPTY_JOBS, 20,
                  (("authorization", f"Bearer {TOKEN}"),))
    assert set(codes) <= {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
    assert _memory(guarded) - before <= 640 * MEBIBYTE  # 320 of them are what was sent
    with creamery.Client(guarded.address, token=TOKEN) as client, pytest.raises(creamery.NotFoundError):
        client.models.list("nobody")


@pytest.mark.parametrize("method", ["/creamery.v1.InferenceService/LogProb",
                                    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"])
def test_a_compressed_message_is_refused_before_it_is_inflated(guarded, method):
    before = _memory(guarded)
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(guarded.address, options, compression=grpc.Compression.Gzip) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            list(channel.stream_stream(method)(iter([bytes(200 * MEBIBYTE)]), timeout=30,
                                                    metadata=[("authorization", f"Bearer {TOKEN}")]))
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert _memory(guarded) - before < 64 * MEBIBYTE


def test_a_message_beyond_what_its_method_needs_is_refused_with_the_limit(guarded):
    body = job_service_pb2.GetJobRequest(name="x" * 100_000).SerializeToString()
    with grpc.insecure_channel(guarded.address) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/creamery.v1.JobService/GetJob")(body, metadata=(("authorization", f"Bearer {TOKEN}"),))
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "creamery.v1.GetJobRequest has 100004 bytes, expected at most 65536" in raised.value.details()


def test_a_call_without_a_request_ends_in_time(own_server):
    server = own_server("--request_seconds=0.5")
    with grpc.insecure_channel(server.address) as channel:
        begun = time.monotonic()
        hold = threading.Event()

        def nothing():
            hold.wait(20)
            yield b""

        call = channel.stream_unary("/creamery.v1.JobService/GetJob")
        with pytest.raises(grpc.RpcError) as raised:
            call(nothing(), timeout=20)
        hold.set()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert "did not arrive within" in raised.value.details()
    assert time.monotonic() - begun < 10


def test_of_five_hundred_watchers_each_is_answered_or_refused_within_a_second(client, server):
    theta = np.random.default_rng(1).normal(size=(400, 2))
    chain = client.datasets.upload("hostile/chain", theta, names=["a", "b"])
    job = client.train("hostile/long", chain, creamery.MAF(max_epochs=100_000, patience=100_000))
    request = job_service_pb2.WatchJobRequest(name=job.name).SerializeToString()
    outcomes = []
    try:
        with grpc.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            watch = channel.unary_stream("/creamery.v1.JobService/WatchJob")
            calls, threads = [], []

            def listen(call, begun):
                try:
                    next(call)
                    outcomes.append(("answered", time.monotonic() - begun))
                except grpc.RpcError as error:
                    outcomes.append((error.code().name, time.monotonic() - begun))

            for _ in range(500):
                calls.append(watch(request, timeout=60))
                threads.append(threading.Thread(target=listen, args=(calls[-1], time.monotonic())))
                threads[-1].start()
            for thread in threads:
                thread.join(30)
            for call in calls:
                call.cancel()
    finally:
        job.cancel()
    kinds = [kind for kind, _ in outcomes]
    assert kinds.count("answered") == 256 and kinds.count("RESOURCE_EXHAUSTED") == 244
    assert max(seconds for _, seconds in outcomes) < 1.0
