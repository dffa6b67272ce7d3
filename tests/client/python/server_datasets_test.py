"""Datasets against a real server."""

import subprocess
import sys
import time

import creamery
import numpy as np
import pytest

pytestmark = pytest.mark.server


def test_every_field_comes_back_as_it_was_sent(client):
    n = 70_000  # several chunks
    random = np.random.default_rng(2)
    sent = {
        "theta": random.normal(size=(n, 2)),
        "weights": random.uniform(size=n),
        "chain": np.repeat(np.arange(7), n // 7),
        "log_likelihood": random.normal(size=n),
        "log_likelihood_birth": np.full(n, -np.inf),
    }
    dataset = client.datasets.upload(
        "roundtrip/all",
        names=["a", "b"],
        priors={"a": "normal(0,1)"},
        labels={"a": r"\alpha"},
        units={"b": "km/s"},
        bounds={"b": (-100.0, None)},
        derived=["b"],
        log_evidence=(-12.5, 0.25),
        kind="nested_sampling",
        description="a test",
        **sent,
    )
    assert (dataset.num_rows, dataset.revision, dataset.kind) == (n, 1, "nested_sampling")
    assert dataset.names == ["a", "b"] and dataset.log_evidence == (-12.5, 0.25)
    assert dataset.priors == {"a": creamery.Normal(0.0, 1.0)}
    assert [(each.label, each.unit, each.derived) for each in dataset.proto.parameters] == [
        (r"\alpha", "", False),
        ("", "km/s", True),
    ]
    assert dataset.proto.parameters[1].lower == -100.0 and not dataset.proto.parameters[1].HasField("upper")
    received = client.datasets.download(dataset)
    assert set(received) == set(sent)
    for name, values in sent.items():
        np.testing.assert_array_equal(received[name], values, err_msg=name)


def test_append_adds_a_part_and_checks_the_rows_there_were(client):
    client.datasets.upload("append/chain", [[1.0], [2.0]], names=["a"])
    grown = client.datasets.append("append/chain", {"a": [3.0], "ignored": [0.0]}, expected_num_rows=2)
    assert (grown.num_rows, grown.revision) == (3, 2)
    with pytest.raises(creamery.AbortedError):
        client.datasets.append("append/chain", [[4.0]], expected_num_rows=2)
    np.testing.assert_array_equal(client.datasets.download("append/chain")["theta"], [[1.0], [2.0], [3.0]])
    np.testing.assert_array_equal(client.datasets.download("append/chain", revision=1)["theta"], [[1.0], [2.0]])


def test_the_same_upload_again_under_its_request_id_is_the_same_dataset(client):
    def upload(value):
        return client.datasets.upload("repeat/chain", [[value]], names=["a"], request_id="one-and-the-same")

    first = upload(1.0)
    assert upload(1.0).digest == first.digest
    with pytest.raises(creamery.AlreadyExistsError):
        upload(2.0)
    np.testing.assert_array_equal(client.datasets.download("repeat/chain")["theta"], [[1.0]])


# Says when the first rows have left, then goes on sending for as long as it lives.
_UPLOAD_FOR_EVER = """
import sys, numpy as np, creamery
with creamery.Client(sys.argv[1]) as client:
    print("begins", flush=True)
    client.datasets.upload("killed/chain", np.ones((20_000_000, 2)), names=["a", "b"])
"""


def test_an_upload_that_was_killed_midway_can_be_repeated(client, server):
    child = subprocess.Popen([sys.executable, "-c", _UPLOAD_FOR_EVER, server.address], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"begins\n"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if client.datasets.get("killed/chain").num_rows == 0:
                break
        except creamery.NotFoundError:
            time.sleep(0.01)
    child.kill()
    child.wait()
    assert client.datasets.get("killed/chain").num_rows == 0  # the name is taken, and there is nothing in it
    with pytest.raises(creamery.AlreadyExistsError, match="another schema"):
        client.datasets.upload("killed/chain", [[1.0]], names=["a"])
    assert client.datasets.upload("killed/chain", [[1.0, 2.0]], names=["a", "b"]).num_rows == 1
    with pytest.raises(creamery.AlreadyExistsError):
        client.datasets.upload("killed/chain", [[1.0, 2.0]], names=["a", "b"])


def test_list_and_delete(client):
    for name in ("b", "a"):
        client.datasets.upload(f"listed/{name}", [[1.0]], names=["x"])
    assert [each.name.split("/")[-1] for each in client.datasets.list("listed")] == ["a", "b"]
    client.datasets.delete("listed/a")
    assert [each.name.split("/")[-1] for each in client.datasets.list("listed")] == ["b"]
    with pytest.raises(creamery.NotFoundError):
        client.datasets.get("listed/a")


def test_a_taken_name_is_already_exists_and_the_old_rows_stay(client):
    client.datasets.upload("taken/chain", [[1.0]], names=["a"])
    with pytest.raises(creamery.AlreadyExistsError):
        client.datasets.upload("taken/chain", [[2.0]], names=["a"])
    np.testing.assert_array_equal(client.datasets.download("taken/chain")["theta"], [[1.0]])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"theta": [[1.0, 2.0], [np.nan, 3.0]]}, "1"),
        ({"theta": [1.0, 2.0]}, r"theta has shape \(2,\), expected \(n, d\)"),
        ({"weights": [1.0, -1.0]}, "weight"),
        ({"weights": [1.0]}, r"weight has shape \(1,\), expected \(2,\)"),
        ({"names": ["a"]}, r"theta has shape \(2, 2\), expected \(n, 1\)"),
        ({"names": ["a", "a"]}, "a"),
        ({"priors": {"c": "uniform(0,1)"}}, "priors names c; the parameters are a, b"),
        ({"priors": {"a": "uniform(1,0)"}}, "expected finite lower < upper"),
        ({"kind": "guess"}, "expected independent, mcmc or nested_sampling"),
    ],
)
def test_bad_input_is_refused_and_the_name_stays_free(client, request, change, message):
    name = f"bad/chain-{abs(hash(request.node.name))}"
    right = {"theta": [[1.0, 2.0], [3.0, 4.0]], "names": ["a", "b"]}
    with pytest.raises(creamery.InvalidArgumentError, match=message):
        client.datasets.upload(name, **{**right, **change})
    assert client.datasets.upload(name, **right).num_rows == 2


def test_columns_of_a_table_are_chosen_by_name(client):
    dataset = client.datasets.upload("table/chain", {"a": [1, 2], "b": [3, 4], "c": [5, 6]}, names=["c", "a"])
    assert dataset.names == ["c", "a"]
    np.testing.assert_array_equal(client.datasets.download(dataset)["theta"], [[5, 1], [6, 2]])


def test_a_frame_of_anesthetic_brings_its_weights(client):
    anesthetic = pytest.importorskip("anesthetic")
    frame = anesthetic.Samples(data=[[1.0, 2.0], [3.0, 4.0]], columns=["a", "b"], weights=[1.0, 0.5])
    dataset = client.datasets.upload("frame/chain", frame)
    assert dataset.names == ["a", "b"]
    np.testing.assert_array_equal(client.datasets.download(dataset)["weights"], [1.0, 0.5])


def test_rows_on_or_outside_the_bounds_are_counted_and_said(client):
    theta = [[0.5, 1.0], [0.0, 1.0], [0.2, 9.0], [1.5, 9.0]]
    priors = {"a": (0.0, 1.0)}
    with pytest.warns(creamery.CreameryWarning, match="outside/chain: 2 of 4 rows lie on or outside the declared bounds"):
        dataset = client.datasets.upload("outside/chain", theta, names=["a", "b"], priors=priors)
    assert dataset.proto.num_rows_outside == 2
    with pytest.warns(creamery.CreameryWarning, match="1 of 2 rows lie on or outside"):
        grown = client.datasets.append("outside/chain", [[0.7, 0.0], [1.0, 0.0]])
    assert grown.proto.num_rows_outside == client.datasets.get("outside/chain").proto.num_rows_outside == 3


@pytest.mark.filterwarnings("error")
def test_rows_inside_are_no_reason_to_warn(client):
    client.datasets.upload("inside/chain", [[0.5], [0.2]], names=["a"], priors={"a": (0.0, 1.0)})
