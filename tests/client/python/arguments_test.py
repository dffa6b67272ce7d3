"""What a method is given is taken for exactly what it is, or refused by an error that names the argument."""

import datetime

import creamery
import numpy as np
import pytest

ROWS = np.arange(6.0).reshape(3, 2)


class Rude:
    """Raises wherever it is looked at."""

    def __repr__(self):
        raise RuntimeError("no repr")

    def __array__(self, *args, **kwargs):
        raise RuntimeError("no array")


WRONG = {
    "none": None,
    "a number": 3.5,
    "an integer": 7,
    "a negative integer": -1,
    "a huge integer": 2**70,
    "nan": float("nan"),
    "a bool": True,
    "a text": "abc",
    "an empty text": "",
    "bytes": b"abc",
    "half a surrogate": "\ud800",
    "a complex number": 1j,
    "an object": object(),
    "a rude object": Rude(),
    "a list of texts": ["a", "b"],
    "a list of nothing": [None, None],
    "an empty list": [],
    "a ragged list": [[1, 2], [3]],
    "a dict": {"a": 1},
    "a dict by number": {1: 2},
    "a dict of objects": {"omegam": object(), "sigma8": object()},
    "a set": {"a", "b"},
    "a generator": (i for i in range(3)),
    "a function": lambda *args: 1.0,
    "a class": dict,
    "a date": datetime.date(2020, 1, 1),
    "an array of dates": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "an array of texts": np.array(["x", "y"]),
    "an array of complex numbers": np.array([[1j, 2]]),
    "a masked array": np.ma.array([0.3, 0.8], mask=[True, False]),
    "an array of three axes": np.zeros((2, 2, 2)),
    "an array of no rows": np.zeros((0, 2)),
    "an array of records": np.array([(1, 2.0)], dtype=[("x", "i4"), ("y", "f8")]),
}


@pytest.fixture(scope="module")
def things(server):
    """A client, a model, a job and the like, once: a server is asked only by what gets through."""
    with creamery.Client(server.address, timeout=20) as client:
        rows = np.random.default_rng(1).normal([0.3, 0.8], [0.01, 0.02], (200, 2))
        dataset = client.datasets.upload(
            "wrong/chain", rows, ["omegam", "sigma8"], priors={"omegam": (0, 1), "sigma8": (0, 2)}
        )
        job = client.train("wrong/cosmo", dataset, creamery.KDE(seed=1))
        yield {"client": client, "dataset": dataset, "job": job, "model": job.result(timeout=120), "rows": rows}


def calls(things):
    """Each public method with each of its arguments given wrongly: name -> function of the argument."""
    client, model, job, rows = (things[key] for key in ("client", "model", "job", "rows"))
    upload, chains = (
        client.datasets.upload,
        creamery.Chains(rows, ("omegam", "sigma8"), "mcmc", chain=np.zeros(200, int)),
    )
    names, point, log_l = ["omegam", "sigma8"], np.array([0.3, 0.8]), lambda theta: 0.0
    found = {
        "Client.address": lambda v: creamery.Client(v).close() if v is not None else None,
        "Client.timeout": lambda v: creamery.Client("localhost:1", timeout=v).close(),
        "Client.token": lambda v: creamery.Client("localhost:1", token=v).close(),
        "Client.token_file": lambda v: creamery.Client("localhost:1", token_file=v).close(),
        "Client.tls_ca": lambda v: creamery.Client("localhost:1", tls_ca=v).close(),
        "Client.project": lambda v: creamery.Client("localhost:1", project=v).close(),
        "upload.name": lambda v: upload(v, rows, names),
        "upload.theta": lambda v: upload("wrong/x", v, names),
        "append.theta": lambda v: client.datasets.append("wrong/chain", v, expected_num_rows=5),
        "append.dataset": lambda v: client.datasets.append(v, rows),
        "append.expected_num_rows": lambda v: (
            client.datasets.append("wrong/chain", rows, expected_num_rows=v) if v is not None else None
        ),
        "download.revision": lambda v: client.datasets.download("wrong/chain", v),
        "download.dataset": client.datasets.download,
        "datasets.get": client.datasets.get,
        "datasets.list": client.datasets.list,
        "datasets.list.parameter": lambda v: client.datasets.list("wrong", parameter=v),
        "datasets.delete": client.datasets.delete,
        "upload_chains.source": lambda v: client.datasets.upload_chains("wrong/x", v),
        "upload_chains.parameters": lambda v: (
            client.datasets.upload_chains("wrong/x", chains, v) if v is not None else None
        ),
        "upload_chains.burn_in": lambda v: client.datasets.upload_chains("wrong/x y", chains, burn_in=v),
        "upload_chains.stated_priors": lambda v: client.datasets.upload_chains("wrong/x y", chains, stated_priors=v),
        "upload_chains.priors": lambda v: client.datasets.upload_chains("wrong/x y", chains, priors=v),
        "train.model": lambda v: client.train(v, "wrong/chain"),
        "train.dataset": lambda v: client.train("wrong/other", v),
        "train.spec": lambda v: client.train("wrong/other y", "wrong/chain", v),
        "train.parameters": lambda v: client.train("wrong/other y", "wrong/chain", parameters=v),
        "train.prior": lambda v: client.train("wrong/other y", "wrong/chain", prior=v),
        "train_array.trainings": client.train_array,
        "train_array.training": lambda v: client.train_array([v]),
        "client.log_likelihood.models": lambda v: client.log_likelihood(v, point),
        "joint.models": client.joint,
        "joint.model": lambda v: client.joint([model, v]),
        "evidence_ratio.numerator": lambda v: client.evidence_ratio(v, model),
        "evidence_ratio.evidences": lambda v: client.evidence_ratio(model, model, numerator_evidences=v),
        "evidence_ratio.evidence": lambda v: client.evidence_ratio(model, model, numerator_evidences={"m": v}),
        "client.model": client.model,
        "client.job": client.job,
        "client.job_array": client.job_array,
        "projects.get": client.projects.get,
        "projects.create": lambda v: client.projects.create(v),
        "models.get": client.models.get,
        "models.list": client.models.list,
        "models.list.parameter": lambda v: client.models.list("wrong", parameter=v),
        "models.list.family": lambda v: client.models.list("wrong", family=v),
        "models.list.labels": lambda v: client.models.list("wrong", labels=v),
        "models.versions": client.models.versions,
        "models.set_alias.alias": lambda v: client.models.set_alias("wrong/none", v, 1),
        "models.set_alias.version": lambda v: client.models.set_alias("wrong/none", "a", v),
        "models.remove_alias": lambda v: client.models.remove_alias(v, "a"),
        "models.update_labels": lambda v: client.models.update_labels("wrong/none", v),
        "models.delete_version": client.models.delete_version,
        "models.export.path": lambda v: client.models.export("wrong/none", v),
        "models.import_.path": lambda v: client.models.import_("wrong/cosmo", v),
        "jobs.list": client.jobs.list,
        "job.watch": lambda v: next(job.watch(v), None),
        "job.result": lambda v: job.result(v),
        "log_prob_stream.blocks": lambda v: list(model.log_prob_stream(v)),
        "log_prob_stream.block": lambda v: list(model.log_prob_stream([v])),
        "log_prob_stream.in_flight": lambda v: list(model.log_prob_stream([point], in_flight=v)),
        "prior_transform.u": model.prior_transform,
        "sample.as_": lambda v: model.sample(2, as_=v),
        "sample.log_prob": lambda v: model.sample(2, log_prob=v),
        "evidence.method": lambda v: model.evidence(v),
        "evidence.values": lambda v: model.evidence(log_l, seed=1, log_likelihood=v, max_points=50, round_size=50),
        "evidence.answer": lambda v: model.evidence(lambda theta: v, seed=1, max_points=50, round_size=50),
        "reweight.function": lambda v: model.reweight(v, max_points=50, seed=1),
        "proposal.fallback": model.proposal,
        "proposal.log_correction": model.proposal().log_correction,
        "proposal.prior_transform": model.proposal().prior_transform,
        "proposal.wrap": model.proposal().wrap,
        "model.set_alias": model.set_alias,
        "check.num_samples": lambda v: model.check(rows, num_samples=v),
        "corner.package": lambda v: model.corner(package=v) if v is not None else None,
        "read_chains": creamery.read_chains,
        "read_chains.names": lambda v: creamery.read_chains(ROWS, v),
        "chains.select": chains.select,
        "chains.rows": lambda v: chains[v],
        "chains.of_chain": chains.of_chain,
        "chains.thin": chains.thin,
        "chains.assign": lambda v: chains.assign(S8=v),
        "Uniform": lambda v: creamery.Uniform(v, 1e9),
        "MAF.transforms": lambda v: creamery.MAF(transforms=v),
        "MAF.hidden_units": lambda v: creamery.MAF(hidden_units=v),
        "MAF.parameter_maps": lambda v: creamery.MAF(parameter_maps=v),
    }
    for key in (
        "weights",
        "chain",
        "log_likelihood",
        "log_likelihood_birth",
        "log_evidence",
        "kind",
        "priors",
        "bounds",
    ):
        found[f"upload.{key}"] = lambda v, key=key: upload(
            "wrong/x y" if v is None else "wrong/x", rows, names, **{key: v}
        )
    for key in ("labels", "units", "derived", "marginalised", "description", "request_id"):
        found[f"upload.{key}"] = lambda v, key=key: upload("wrong/x", rows[:2, :0], names, **{key: v})
    for key in ("priors", "bounds"):
        found[f"upload.{key}.one"] = lambda v, key=key: upload("wrong/x", rows[:2, :0], names, **{key: {"omegam": v}})
    for key in ("num_samples", "seed", "prior"):
        found[f"kl.{key}"] = lambda v, key=key: model.kl(**{"num_samples": 100, key: v})
        found[f"dimensionality.{key}"] = lambda v, key=key: model.dimensionality(**{"num_samples": 100, key: v})
    for key in ("num_samples", "seed", "x", "precision"):
        found[f"sample.{key}"] = lambda v, key=key: model.sample(**{"num_samples": 2, key: v})
    for method in ("log_prob", "log_prob_gradient", "spread", "log_likelihood", "inverse_prior_transform"):
        ask = getattr(model, method)
        found[f"{method}.theta"] = ask
        found[f"{method}.columns"] = lambda v, ask=ask: ask(point, columns=v)
        found[f"{method}.x"] = lambda v, ask=ask: ask(point, x=v)
    for key in ("gradient", "prior_fraction", "precision"):
        found[f"log_prob.{key}"] = lambda v, key=key: model.log_prob(point, **{key: v})
    for key in ("target_effective_size", "max_points", "round_size", "prior_fraction", "seed", "path", "vectorized"):
        found[f"evidence.{key}"] = lambda v, key=key: model.evidence(
            log_l, **{"max_points": 20, "round_size": 20, key: v if v is not None else 20}
        )
    for key in ("num_samples", "seed", "prior", "max_evaluations", "samples", "as_job"):
        found[f"joint.{key}"] = lambda v, key=key: client.joint([model], **{key: v})
    return found


@pytest.mark.server
@pytest.mark.parametrize("wrong", list(WRONG))
def test_a_wrong_argument_of_any_method_is_refused_by_an_error_of_this_package(things, wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a text may be taken for a path
    monkeypatch.setattr("creamery._corner.draw", lambda *args: None)
    bare = []
    for method, call in calls(things).items():
        value = (i for i in range(3)) if wrong == "a generator" else WRONG[wrong]
        if callable(value) and method in ("evidence.method", "reweight.function"):
            continue  # what the caller's own function raises is the caller's
        try:
            call(value)
        except (creamery.CreameryError, OSError):  # what a file system says of a path stays its own
            pass
        except Exception as error:  # noqa: BLE001  (every other class is what is looked for)
            bare.append(f"{method}: {type(error).__name__}: {error}")
    assert not bare, "\n".join(bare)
