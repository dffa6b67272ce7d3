"""nflows: MaskedAutoregressiveFlow, 6 layers; one block after the first layer makes two hidden layers of 50."""

import importlib.metadata

import torch
import torch_training
from nflows.flows.autoregressive import MaskedAutoregressiveFlow


class Subject(torch_training.TorchSubject):
    note = "MAF 6 x (50, 50), tanh"

    def __init__(self, rows, held_out):
        super().__init__(rows, held_out)
        self._flow = MaskedAutoregressiveFlow(
            rows.shape[1], 50, num_layers=6, num_blocks_per_layer=1, use_residual_blocks=False, activation=torch.tanh
        )

    def versions(self):
        return {each: importlib.metadata.version(each) for each in ("nflows", "torch")}

    def train(self, max_epochs):
        self._flow.train()
        curve = torch_training.train(self._flow, self._log_prob, self._rows, self._held_out, max_epochs)
        self._flow.eval()
        return curve

    def _log_prob(self, theta):
        return self._flow.log_prob((theta - self._mean) / self._std) - self._ladj

    def log_prob(self):
        def ask(theta):
            with torch.no_grad():
                return self._log_prob(theta)

        return {"in process": ask}

    def sample(self):
        def ask(n):
            with torch.no_grad():
                return self._flow.sample(n) * self._std + self._mean

        return {"in process": ask}
