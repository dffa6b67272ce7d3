"""Jobs against a real server."""

import creamery
import numpy as np
import pytest
from conftest import QUICK, gaussian_rows

pytestmark = pytest.mark.server

LONG = creamery.MAF(transforms=8, hidden_units=[128, 128], max_epochs=100_000, patience=100_000, batch_size=64, seed=1)


def test_a_job_reports_its_progress_and_ends_with_a_model(client, chain, capsys):
    job = client.train("jobs/cosmo", chain, QUICK, parameters=["sigma8", "omegam"])
    statuses = list(client.job(job.name).watch(timeout=300))
    assert statuses[-1].state == "SUCCEEDED"
    assert {each.state for each in statuses} <= {"QUEUED", "RUNNING", "SUCCEEDED"}
    fractions = [each.progress.fraction for each in statuses]
    assert fractions == sorted(fractions) and 0 <= fractions[0] and fractions[-1] <= 1
    model = job.result(progress=True)
    assert model.name == statuses[-1].model_version == job.status.model_version
    assert model.parameters == ["sigma8", "omegam"]
    assert job.spec.to_dict()["transforms"] == 2
    assert job.name in [each.name for each in client.jobs.list("jobs")]


def test_a_job_is_found_by_its_short_name(client, trained_name):
    job = client.jobs.list("planck")[-1]
    assert client.job("planck/" + job.name.split("/")[-1]).result().name.startswith("projects/planck/models/")


def test_a_cancelled_job_has_no_result(client, chain):
    job = client.train("jobs/cancelled", chain, LONG)
    for status in job.watch(timeout=60):
        if status.state == "RUNNING":
            break
    job.cancel()
    with pytest.raises(creamery.JobFailedError) as raised:
        job.result(timeout=60)
    assert raised.value.state == "CANCELLED" and job.state == "CANCELLED"
    with pytest.raises(creamery.NotFoundError):
        client.model("jobs/cancelled")


def test_a_job_that_cannot_succeed_says_why(client):
    theta = gaussian_rows(100)
    chain = client.datasets.upload("jobs/weightless", theta, names=["a", "b"], weights=np.zeros(100))
    with pytest.raises(creamery.CreameryError, match="(?i)weight"):
        client.train("jobs/weightless", chain, QUICK).result(timeout=60)


def test_a_result_says_what_its_training_left_out(client):
    theta = np.abs(gaussian_rows(400))
    theta[:50, 0] = 0.0
    with pytest.warns(creamery.CreameryWarning, match="50 of 400 rows"):
        chain = client.datasets.upload("jobs/edge", theta, names=["a", "b"], bounds={"a": (0.0, None)})
    with pytest.warns(creamery.CreameryWarning, match=r"jobs/edge@1: .*left out.*50 rows left out, 350 used"):
        model = client.train("jobs/edge", chain, QUICK).result(timeout=60)
    assert "ROWS_LEFT_OUT" in model.warn_of_training()
    assert model.training.num_rows_outside == 50


@pytest.mark.parametrize("family", ["MAF", "NSF", "KDE", "AUTO"])
def test_degenerate_rows_are_refused_alike_by_every_family(client, family):
    theta = gaussian_rows(300)
    theta[:, 1] = 1 + 2 * theta[:, 0]
    name = f"degenerate/{family.lower()}"
    client.datasets.upload(name, theta, names=["a", "b"])
    with pytest.raises(creamery.JobFailedError, match="'b' is a linear combination of 'a'"):
        client.train(name, name, getattr(creamery, family)()).result(timeout=60)


def test_weights_and_parameters_of_any_size_train(client):
    theta = gaussian_rows(300) * np.array([1e200, 1e-200])
    for exponent in (-300, 150, 290):
        name = f"scales/w{exponent}"
        client.datasets.upload(name, theta, names=["a", "b"], weights=np.full(300, 10.0**exponent))
        model = client.train(name, name, QUICK).result(timeout=60)
        assert np.isfinite(model.log_prob(theta)).all()
        assert model.training.held_out.kish_size == pytest.approx(300)


def test_a_wrong_training_is_refused_at_once(client, chain):
    with pytest.raises(creamery.NotFoundError):
        client.train("jobs/cosmo", "planck/nothing", QUICK)
    with pytest.raises(creamery.InvalidArgumentError, match="sigma8"):
        client.train("jobs/cosmo", chain, QUICK, parameters=["sigma_eight"])
    with pytest.raises(creamery.InvalidArgumentError, match="transforms"):
        client.train("jobs/cosmo", chain, creamery.MAF(transforms=-1))


def test_the_same_training_again_under_its_request_id_is_the_same_job(client, chain):
    first = client.train("jobs/repeat", chain, QUICK, request_id="train-once")
    assert client.train("jobs/repeat", chain, QUICK, request_id="train-once").name == first.name
    with pytest.raises(creamery.AlreadyExistsError):
        client.train("jobs/repeat", chain, creamery.MAF(seed=2), request_id="train-once")
    first.result(timeout=300)


def test_a_watch_survives_a_restart_of_the_server(own_server):
    server = own_server("--lease_seconds=2")
    with creamery.Client(server.address) as client:
        chain = client.datasets.upload("restart/chain", gaussian_rows(2000), names=["a", "b"])
        spec = creamery.MAF(transforms=4, hidden_units=[50, 50], members=2, max_epochs=30, patience=30, seed=1)
        job = client.train("restart/cosmo", chain, spec)
        restarted, model_version = False, ""
        for status in job.watch(timeout=300):
            if status.state == "RUNNING" and not restarted:
                server.kill()
                server.start()
                restarted = True
            model_version = status.model_version
        assert restarted
        model = job.result()
        assert model.name == model_version
        before = model.log_prob(gaussian_rows(100, seed=2))
        server.stop()
        server.start()
        np.testing.assert_array_equal(model.log_prob(gaussian_rows(100, seed=2)), before)


def test_tokens_are_asked_for_when_the_server_has_a_file(own_server, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("# token principal\n0123456789abcdef-secret alice\n")
    tokens.chmod(0o600)
    server = own_server(f"--token_file={tokens}")
    for wrong in (None, "guess"):
        with creamery.Client(server.address, token=wrong) as client, pytest.raises(creamery.UnauthenticatedError):
            client.datasets.list("planck")
    with creamery.Client(server.address, token_file=tokens) as client:
        assert client.datasets.upload("planck/chain", [[1.0]], names=["a"]).proto.creator == "alice"
