"""sbi: NPE with its MAF and its own training loop. Its density is conditional, so it is given one constant datum.

Asked is the density estimator itself; `posterior.log_prob`, which corrects for leakage of the prior, costs more.
"""

import importlib.metadata
import time

import torch
import torch_training
from sbi.inference import NPE
from sbi.neural_nets import posterior_nn


class Subject(torch_training.TorchSubject):
    note = "MAF 6 x (50, 50), tanh, one constant datum"

    def __init__(self, rows, held_out):
        super().__init__(rows, held_out)
        build = posterior_nn(
            model="maf", z_score_x="none", z_score_theta="independent", hidden_features=50, num_transforms=6,
            num_blocks=1,
        )
        self._trainer = NPE(density_estimator=build, show_progress_bars=False)
        self._trainer.append_simulations(self._rows, torch.zeros(len(rows), 1))
        self._x = torch.zeros(1, 1)
        self._estimator = None

    def versions(self):
        return {each: importlib.metadata.version(each) for each in ("sbi", "torch")}

    def train(self, max_epochs):
        start = time.perf_counter()
        self._estimator = self._trainer.train(max_num_epochs=max_epochs)
        seconds = time.perf_counter() - start
        self._estimator.eval()
        with torch.no_grad():
            value = float(self._estimator.log_prob(self._held_out[:, None], condition=self._x).mean())
        return [(seconds, value)]

    def prepare(self, theta):
        return super().prepare(theta)[:, None]

    def log_prob(self):
        def ask(theta):
            with torch.no_grad():
                return self._estimator.log_prob(theta, condition=self._x)

        return {"in process": ask}

    def sample(self):
        def ask(n):
            with torch.no_grad():
                return self._estimator.sample((n,), condition=self._x)

        return {"in process": ask}
