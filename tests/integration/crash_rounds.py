"""Rounds of `kill -9` on the server and its worker, and the proof that nothing acknowledged was lost.

This process stands outside: it starts `creamery-server` and `creamery-worker`, uploads and trains through the Python
client, and writes down what was acknowledged. A round aims at one kind of moment and counts only if the kill hit it:

  upload      rows were being sent: some of the stream had left, no answer had come back
  training    gradient steps were being taken, and no checkpoint was on its way
  checkpoint  the worker had begun to send a checkpoint, and had not been told that it was stored
  publish     the worker had begun to publish, and had not been told the version
  statistics  the server was computing a joint posterior as a job, which must begin again and end with the same numbers

The worker says on its standard error when it begins and ends each of these; the kill follows the line that begins it,
and the round counts if the line that ends it never came; of a statistic, if its job was begun again. At the end
everything acknowledged must be there, every job must have finished, statistics with the numbers that their methods give
to the same question, and `creamery-server verify` must be clean.

    python tests/integration/crash_rounds.py --bin-dir build/release/bin --rounds 50
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
from installation import Installation

import creamery

KINDS = ("upload", "training", "checkpoint", "publish", "statistics")
BEGINS = {"training": "epoch", "checkpoint": "checkpoint begins", "publish": "publishing begins"}
ENDS = {"checkpoint": "checkpoint stored", "publish": "published"}
MARKS = [*BEGINS.values(), *ENDS.values()]
PAIR = ("crash/left", "crash/right")  # models that share a parameter
JOINT_SAMPLES = 100_000               # a second or so


class Rounds:
    def __init__(self, installation, seed):
        self.site = installation
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.uploads = {}   # name -> rows acknowledged
        self.jobs = []      # names of acknowledged jobs
        self.statistics = []  # (name, seed) of acknowledged joint posteriors
        self.hits = {kind: 0 for kind in KINDS}
        self.victims = {"server": 0, "worker": 0}
        self.counter = 0

    def new_name(self, what):
        self.counter += 1
        return f"crash/{what}-{self.counter}"

    def prepare(self):
        self.site.ensure()
        with self.site.client() as client:
            for name, rows in (("crash/small", 400), ("crash/large", 150_000)):
                client.datasets.upload(name, self.numbers.normal(size=(rows, 2)), names=["a", "b"],
                                       priors={"a": ("normal", 0, 5), "b": ("normal", 0, 5)})
                self.uploads[name] = rows
            flow = creamery.MAF(transforms=2, hidden_units=[16, 16], members=2, max_epochs=20, patience=20)
            for model, parameters in zip(PAIR, (["a", "b"], ["a"])):
                client.train(model, client.datasets.get("crash/small"), flow, parameters=parameters).result(timeout=60)

    def queue_job(self, kind):
        """Queues a training and records it only once it is acknowledged.

        A checkpoint follows every epoch: epochs are long where the steps are to be hit, and short where they are not.
        """
        data, epochs, units = {"training": ("crash/large", 3, 64), "checkpoint": ("crash/small", 40, 16),
                               "publish": ("crash/small", 4, 16)}[kind]
        with self.site.client() as client:
            job = client.train(self.new_name("model"), client.datasets.get(data),
                               creamery.MAF(transforms=4, hidden_units=[units, units], members=2, max_epochs=epochs,
                                            patience=epochs, batch_size=64, seed=self.counter))
            self.jobs.append(job.name)
            return job.name

    def victim(self):
        # Whichever was killed less often, so that both get their share of every kind.
        return min(self.victims, key=lambda v: (self.victims[v], self.random.random()))

    def strike(self, victim):
        self.victims[victim] += 1
        (self.site.server if victim == "server" else self.site.worker).kill()

    def upload(self):
        """Kills the server while rows are on their way. Returns True if the upload was hit."""
        name = self.new_name("upload")
        rows = self.numbers.normal(size=(400_000, 3))
        acknowledged = threading.Event()
        begun = threading.Event()

        def send():
            try:
                with self.site.client() as client:
                    begun.set()
                    client.datasets.upload(name, rows, names=["a", "b", "c"])
                    self.uploads[name] = len(rows)
                    acknowledged.set()
            except creamery.CreameryError:
                pass

        thread = threading.Thread(target=send)
        thread.start()
        begun.wait(10)
        # A temporary file of the blob store is growing: rows have arrived.
        end = time.monotonic() + 10
        seen = False
        while time.monotonic() < end and not acknowledged.is_set() and not seen:
            seen = growing_bytes(self.site.data) > 65536
        time.sleep(self.random.random() * 0.01)
        if acknowledged.is_set() or not seen:
            thread.join()
            return False
        self.strike("server")
        hit = not acknowledged.is_set()
        thread.join()
        return hit

    def job_moment(self, kind):
        """Kills server or worker at a moment of a training. Returns True if it was hit."""
        self.site.worker.forget()
        self.queue_job(kind)
        if not self.site.worker.wait_for(BEGINS[kind], 60):
            return False
        time.sleep(self.random.random() * (0.2 if kind == "training" else 0.004))
        worker = self.site.worker
        victim = self.victim()
        self.strike(victim)
        if victim == "server":
            time.sleep(0.05)  # answers that left before the kill arrive; no others can
        return was_hit(kind, list(worker.history))

    def joint_posterior(self):
        """Kills the server while it computes a joint posterior. Returns True if the job was begun again."""
        self.counter += 1
        with self.site.client() as client:
            job = client.joint(PAIR, JOINT_SAMPLES, seed=self.counter, as_job=True)
            self.statistics.append((job.name, self.counter))
            end = time.monotonic() + 20
            while job.state == "QUEUED" and time.monotonic() < end:
                time.sleep(0.005)
        time.sleep(self.random.random() * 0.3)
        self.site.server.kill()  # not counted: server and worker still share the moments of trainings
        self.site.ensure()
        # Ended before the next round: three kills would end it for good.
        with self.site.client() as client:
            job = client.job(job.name)
            job.result(timeout=60)
            return job.status.attempt > 1

    def round(self, kind):
        self.site.ensure()
        special = {"upload": self.upload, "statistics": self.joint_posterior}
        hit = special[kind]() if kind in special else self.job_moment(kind)
        if hit:
            self.hits[kind] += 1
        return hit

    def finish(self, timeout):
        """Waits for every acknowledged job; returns the problems found."""
        problems = []
        self.site.ensure()
        with self.site.client() as client:
            end = time.monotonic() + timeout
            for name in self.jobs:
                while True:
                    self.site.ensure()
                    job = client.job(name)
                    state = str(job.state)
                    if any(s in state for s in ("SUCCEEDED", "FAILED", "CANCELLED")):
                        if "SUCCEEDED" not in state:
                            problems.append(f"{name} ended as {state}")
                        break
                    if time.monotonic() > end:
                        problems.append(f"{name} is still {state}")
                        break
                    time.sleep(0.1)
                if "SUCCEEDED" in state:
                    model = job.result(progress=False)
                    if len(model.versions()) != 1:
                        problems.append(f"{name}: {len(model.versions())} versions, expected one")
                    if not np.isfinite(model.log_prob(np.zeros((1, 2)))).all():
                        problems.append(f"{name}: its model does not answer")
            for name, seed in self.statistics:
                answer = client.job(name).result()
                direct = client.joint(PAIR, JOINT_SAMPLES, seed=seed)
                if not np.array_equal(answer.theta, direct.theta) or answer.log_r.value != direct.log_r.value:
                    problems.append(f"{name} ended with other numbers than its method gives")
            for name, rows in self.uploads.items():
                try:
                    got = client.datasets.get(name).num_rows
                except creamery.CreameryError as error:
                    problems.append(f"{name} was acknowledged and is gone: {error}")
                    continue
                if got != rows:
                    problems.append(f"{name} has {got} rows, {rows} were acknowledged")
        return problems


def was_hit(kind, said):
    """Whether the worker's lines end inside the moment: after its beginning, before its end."""
    marks = [line for line in said if any(m in line for m in MARKS)]
    if not marks:
        return False
    if kind == "training":
        return BEGINS["training"] in marks[-1] or ENDS["checkpoint"] in marks[-1]
    return BEGINS[kind] in marks[-1]


def growing_bytes(data):
    """Bytes in files of the blob store that are not blobs yet."""
    total = 0
    for folder, _, files in os.walk(os.path.join(data, "blobs")):
        for name in files:
            if len(name) != 64:
                try:
                    total += os.stat(os.path.join(folder, name)).st_size
                except OSError:
                    pass  # renamed or removed meanwhile
    return total


def run(bin_dir, rounds, seed=1, log=print):
    """Runs until `rounds` rounds have hit, as many of each kind. Returns (report, problems)."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        site = Installation(bin_dir, directory)
        trial = Rounds(site, seed)
        tried = 0
        try:
            trial.prepare()
            wanted = {kind: rounds // len(KINDS) + (i < rounds % len(KINDS)) for i, kind in enumerate(KINDS)}
            while any(trial.hits[k] < wanted[k] for k in KINDS) and tried < 5 * rounds:
                kind = trial.random.choice([k for k in KINDS if trial.hits[k] < wanted[k]])
                tried += 1
                hit = trial.round(kind)
                log(f"round {tried}: {kind} {'hit' if hit else 'missed'}   {trial.hits}")
            problems = [f"only {trial.hits[k]} of {wanted[k]} rounds hit a {k}" for k in KINDS
                        if trial.hits[k] < wanted[k]]
            problems += trial.finish(timeout=600)
        finally:
            for process in (site.worker, site.server):
                if process is not None and process.alive():
                    process.kill()
        verify = subprocess.run([os.path.join(bin_dir, "creamery-server"), "verify", f"--data={site.data}"],
                                capture_output=True, text=True)
        if verify.returncode != 0:
            problems.append("verify: " + verify.stdout + verify.stderr)
        report = {"rounds_tried": tried, "hits": trial.hits, "killed": trial.victims,
                  "jobs": len(trial.jobs) + len(trial.statistics),
                  "uploads_acknowledged": len(trial.uploads), "verify_exit": verify.returncode,
                  "seconds": round(time.monotonic() - start, 1)}
        return report, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin-dir", default="build/release/bin")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    report, problems = run(args.bin_dir, args.rounds, args.seed, log=lambda line: print(line, flush=True))
    print(json.dumps(report))
    for problem in problems:
        print("PROBLEM:", problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
