"""Creamery through its Python client: a server and a worker of their own on loopback, one thread each."""

import importlib.metadata
import os
import pathlib
import subprocess
import tempfile
import time

import creamery

NAMES = ["a", "b", "c", "d", "e", "f"]


class Subject:
    def __init__(self, rows, held_out, **options):
        self.note = f"MAF 6 x (50, 50), tanh, over gRPC, {options}"
        self._held_out, self._options = held_out, options
        self._folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self._folder.name)
        binary = pathlib.Path(os.environ["CREAMERY_BIN_DIR"]) / "creamery-server"
        flags = ["--listen=127.0.0.1:0", "--local_workers=1", "--threads=1"]
        port = folder / "port"
        with open(folder / "log", "wb") as log:
            self._server = subprocess.Popen(
                [str(binary), *flags, f"--data={folder / 'data'}", f"--port_file={port}"],
                stdout=log,
                stderr=log,
            )
        while not (port.is_file() and port.read_text().strip()):
            if self._server.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.02)
        self._client = creamery.Client(port.read_text().strip())
        self._rows, self._trainings, self._model = rows, 0, None

    def versions(self):
        return {each: importlib.metadata.version(each) for each in ("creamery", "grpcio", "protobuf")}

    def train(self, max_epochs):
        self._trainings += 1
        start = time.perf_counter()
        data = self._client.datasets.upload(f"bench/rows-{self._trainings}", self._rows, names=NAMES)
        options = self._options if max_epochs is None else {**self._options, "max_epochs": max_epochs}
        spec = creamery.MAF(transforms=6, hidden_units=[50, 50], seed=1, **options)
        self._model = self._client.train("bench/maf", data, spec).result()
        seconds = time.perf_counter() - start
        return [(seconds, float(self._model.log_prob(self._held_out).mean()))]

    def prepare(self, theta):
        return theta[0] if len(theta) == 1 else theta

    def log_prob(self):
        return {
            "round trip": self._model.log_prob,
            "round trip, double": lambda theta: self._model.log_prob(theta, precision="double"),
        }

    def sample(self):
        return {"round trip": lambda n: self._model.sample(n, seed=1)}

    def close(self):
        self._client.close()
        self._server.terminate()
        self._server.wait(30)
        self._folder.cleanup()
