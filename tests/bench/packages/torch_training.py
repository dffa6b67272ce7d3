"""What subjects with torch share, and a plain Adam loop with early stopping, as zuko and nflows document it: they
bring no loop of their own."""

import copy
import time

import torch


class TorchSubject:
    """One thread, one seed, rows as float32 tensors; densities of standardised rows."""

    def __init__(self, rows, held_out):
        torch.set_num_threads(1)
        torch.manual_seed(1)
        self._rows, self._held_out = (torch.tensor(each, dtype=torch.float32) for each in (rows, held_out))
        self._mean, self._std = self._rows.mean(0), self._rows.std(0)
        self._ladj = self._std.log().sum()

    def prepare(self, theta):
        return torch.tensor(theta, dtype=torch.float32)


def train(module, log_prob, rows, held_out, max_epochs, batch=128, learning_rate=1e-3, patience=20):
    """Trains in place, on nine tenths of the rows; the tenth decides when to stop and which weights stay.

    Args:
        module: what is trained.
        log_prob: (n, d) -> (n,), of the module.
        rows, held_out: float32 tensors.

    Returns:
        [(seconds of training so far, mean log_prob of held_out with the best weights so far)] after each epoch.
    """
    optimizer = torch.optim.Adam(module.parameters(), learning_rate)
    cut = len(rows) // 10
    validation, training = rows[:cut], rows[cut:]
    best, best_weights, since, seconds, curve = -float("inf"), None, 0, 0.0, []
    for _ in range(max_epochs):
        start = time.perf_counter()
        for indices in torch.randperm(len(training)).split(batch):
            loss = -log_prob(training[indices]).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 5.0)
            optimizer.step()
        with torch.no_grad():
            value = float(log_prob(validation).mean())
        since += 1
        if value > best:
            best, best_weights, since = value, copy.deepcopy(module.state_dict()), 0
        seconds += time.perf_counter() - start
        if since == 0:
            with torch.no_grad():
                curve.append((seconds, float(log_prob(held_out).mean())))
        if since >= patience:
            break
    module.load_state_dict(best_weights)
    curve.append((seconds, curve[-1][1]))
    return curve
