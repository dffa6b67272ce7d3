"""zuko: MAF, 6 transforms of 50 x 50. The distribution is made once and kept, which is the fastest way of asking."""

import importlib.metadata

import torch
import torch_training
import zuko


class Subject(torch_training.TorchSubject):
    note = "MAF 6 x (50, 50), ReLU"

    def __init__(self, rows, held_out):
        super().__init__(rows, held_out)
        self._flow = zuko.flows.MAF(rows.shape[1], transforms=6, hidden_features=(50, 50))
        self._distribution = self._flow()

    def versions(self):
        return {each: importlib.metadata.version(each) for each in ("zuko", "torch")}

    def train(self, max_epochs):
        return torch_training.train(
            self._flow, lambda theta: self._log_prob(self._flow(), theta), self._rows, self._held_out, max_epochs
        )

    def _log_prob(self, distribution, theta):
        return distribution.log_prob((theta - self._mean) / self._std) - self._ladj

    def log_prob(self):
        self._distribution = self._flow()

        def ask(theta):
            with torch.no_grad():
                return self._log_prob(self._distribution, theta)

        return {"in process": ask}

    def sample(self):
        def ask(n):
            with torch.no_grad():
                return self._distribution.sample((n,)) * self._std + self._mean

        return {"in process": ask}
