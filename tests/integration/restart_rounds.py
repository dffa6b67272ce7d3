"""A server that is restarted under load, and clients that must not notice.

Calls of both clients go on without a pause, from this process, from a program of the C++ library and from the command
line, while the server is ended with SIGTERM and started again on the same port. Every call is counted, and every answer
is compared with the one before the first restart.

    python tests/integration/restart_rounds.py --bin-dir build/release/bin --restarts 10 --calls 100000
"""

import argparse
import collections
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
from installation import Installation

import creamery

MODEL = "restart/model"
ROWS = 20_000  # of one sample: several replies
BLOCKS = 100   # of one stream


class Load:
    """Calls without a pause, and what became of them."""

    def __init__(self, site):
        self.site = site
        self.over = threading.Event()
        self.asked = collections.Counter()
        self.failed = collections.Counter()
        self.messages = []
        self.threads = []

    def repeat(self, kind, ask):
        def run():
            while not self.over.is_set():
                try:
                    problem = ask()
                except Exception as error:  # of any kind: a client raises its own alone
                    problem = f"{type(error).__name__}: {error}"
                self.asked[kind] += 1
                if problem:
                    self.failed[kind] += 1
                    self.messages.append(f"{kind}: {problem}")

        self.threads.append(threading.Thread(target=run, name=kind))

    def start(self):
        client = self.site.client(patience=60)
        model = client.model(MODEL)
        theta = np.full(2, 0.1)
        value = model.log_prob(theta)
        draws = model.sample(ROWS, seed=1)
        blocks = [np.full((3, 2), 0.1)] * BLOCKS
        values = model.log_prob(blocks[0])

        def stream():
            answers = list(model.log_prob_stream(blocks))
            return "" if len(answers) == BLOCKS and all((a == values).all() for a in answers) else "other answers"

        self.repeat("python:log_prob", lambda: "" if model.log_prob(theta) == value else "another answer")
        self.repeat("python:stream", stream)
        self.repeat("python:sample", lambda: "" if (model.sample(ROWS, seed=1) == draws).all() else "other rows")
        self.repeat("python:models", lambda: "" if client.models.get(MODEL) else "no model")
        self.repeat("creamery", lambda: self.command("sample", MODEL, "-n", "5", "--seed=1"))
        self.caller = subprocess.Popen(
            [f"{self.site.bin_dir}/restart_caller", self.site.address, "token-of-a-person-0123456789", MODEL],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.caller.stdout.readline().strip() != "asking":
            raise RuntimeError(self.caller.stderr.read())
        for thread in self.threads:
            thread.start()

    def command(self, *arguments):
        done = subprocess.run(
            [f"{self.site.bin_dir}/creamery", *arguments, f"--server={self.site.address}",
             f"--token-file={self.site.person_token}"], capture_output=True, text=True)
        return done.stderr.strip() if done.returncode else ""

    def finish(self):
        self.over.set()
        out, err = self.caller.communicate()
        for thread in self.threads:
            thread.join()
        for line in out.splitlines():
            kind, asked, failed = line.split()
            self.asked[kind] += int(asked)
            self.failed[kind] += int(failed)
        self.messages += err.splitlines()


def run(bin_dir, restarts, calls, seconds=2.0, log=print):
    """`restarts` with at least `seconds` between them and `calls` in all; returns the load."""
    with tempfile.TemporaryDirectory() as directory:
        site = Installation(bin_dir, directory)
        site.person_token = f"{directory}/person-token"
        with open(site.person_token, "w") as file:
            file.write("token-of-a-person-0123456789\n")
        site.ensure()
        load = Load(site)
        try:
            with site.client(patience=60) as client:
                chain = np.random.default_rng(1).normal(size=(400, 2))
                client.datasets.upload("restart/chain", chain, names=["a", "b"])
                flow = creamery.MAF(transforms=2, hidden_units=[16, 16], members=2, max_epochs=5)
                client.train(MODEL, client.datasets.get("restart/chain"), flow).result(timeout=120)
            load.start()
            for i in range(restarts):
                time.sleep(seconds)
                begun = time.monotonic()
                site.server.child.send_signal(signal.SIGTERM)
                code = site.server.child.wait(timeout=60)
                ended = time.monotonic()
                site.start_server()
                log(f"restart {i + 1}: exit {code}, {ended - begun:.2f} s to end, "
                    f"{time.monotonic() - ended:.2f} s to start; {sum(load.asked.values())} calls here")
                if code != 0:
                    load.messages.append(f"the server ended with {code}")
            time.sleep(seconds)
            while sum(load.asked.values()) < calls // 3:  # the C++ program's own are counted at the end
                time.sleep(0.2)
        finally:
            if load.threads:
                load.finish()
            for process in (site.server, site.worker):
                process.kill()
    return load


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--calls", type=int, default=100_000, help="at least so many, over all clients")
    parser.add_argument("--seconds", type=float, default=5.0, help="between restarts")
    arguments = parser.parse_args()
    load = run(arguments.bin_dir, arguments.restarts, arguments.calls, arguments.seconds)
    for kind, asked in sorted(load.asked.items()):
        print(f"{kind:18} {asked:8} calls {load.failed[kind]:4} failed")
    total, failed = sum(load.asked.values()), sum(load.failed.values())
    print(f"{'all':18} {total:8} calls {failed:4} failed")
    for message in load.messages[:50]:
        print(message, file=sys.stderr)
    return 1 if failed or load.messages or total < arguments.calls else 0


if __name__ == "__main__":
    sys.exit(main())
