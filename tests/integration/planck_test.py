"""A real posterior with nuisance parameters, trained, and asked before and after a restart."""

import os
import pathlib
import tempfile

import numpy as np
import pytest
from installation import Installation

import creamery

DATA = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "planck_montepython"
COSMOLOGICAL = ["x0", "x1", "x2", "x3", "n_s", "tau_reio"]


def read_chains():
    """The sampled columns of both chains after burn-in: rows before the first within 3 of the best -log L."""
    names = [line.split()[0] for line in open(DATA / "2019-01-24_200000_.paramnames") if line.strip()][:21]
    chains = [np.loadtxt(DATA / f"2019-01-24_200000__{i}.txt") for i in (1, 2)]
    best = min(chain[:, 1].min() for chain in chains)
    chains = [chain[np.argmax(chain[:, 1] < best + 3):] for chain in chains]
    ids = np.concatenate([np.full(len(chain), i) for i, chain in enumerate(chains)])
    rows = np.concatenate(chains)
    return names, rows[:, 2:23], rows[:, 0], -rows[:, 1], ids


@pytest.mark.skipif(not DATA.exists(), reason="shared data are absent")
def test_log_probabilities_are_the_same_bits_after_a_restart():
    names, theta, weights, log_likelihood, chain = read_chains()
    with tempfile.TemporaryDirectory() as directory:
        site = Installation(os.environ["CREAMERY_BIN_DIR"], directory)
        try:
            site.ensure()
            with site.client() as client:
                data = client.datasets.upload("planck/chain", theta, names=names, weights=weights, chain=chain,
                                              log_likelihood=log_likelihood, kind="mcmc", bounds={"tau_reio": (0.04, None)})
                job = client.train("planck/cosmo", data, creamery.MAF(transforms=3, members=2), parameters=COSMOLOGICAL)
                model = job.result(progress=False)
                # Six of the 21 columns are kept, and the effective size is the chain's, far below Kish's.
                assert list(model.parameters) == COSMOLOGICAL
                held_out = model.training.held_out
                assert held_out.num_chains == 2
                assert 30 < held_out.effective_size < 300 < held_out.kish_size
                points = theta[:, [names.index(name) for name in COSMOLOGICAL]]
                before = model.log_prob(points)
            site.server.kill()
            site.worker.kill()
            site.ensure()
            with site.client() as client:
                after = client.model("planck/cosmo").log_prob(points)
            assert np.isfinite(before).all()
            assert before.tobytes() == after.tobytes()
        finally:
            for process in (site.worker, site.server):
                if process is not None and process.alive():
                    process.kill()
