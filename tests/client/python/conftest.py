"""A real creamery-server on loopback, from CREAMERY_BIN_DIR or build/release/bin of this repository."""

import concurrent.futures
import os
import pathlib
import subprocess
import time

import creamery
import grpc
import numpy as np
import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
START_SECONDS = 20.0


def pytest_configure(config):
    config.addinivalue_line("markers", "server: needs a real creamery-server")


class Server:
    """One server process with its data directory; may be stopped and started again on the same port."""

    def __init__(self, binary, folder, *flags):
        self._binary, self._folder, self._flags = binary, folder, flags
        self._process = None
        self.address = "127.0.0.1:0"

    def start(self):
        port_file = self._folder / "port"
        port_file.unlink(missing_ok=True)
        with open(self._folder / "server.log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._binary),
                    f"--listen={self.address}",
                    f"--port_file={port_file}",
                    f"--data={self._folder / 'data'}",
                    "--local_workers=1",
                    *self._flags,
                ],
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_SECONDS
        while not (port_file.is_file() and port_file.read_text().strip()):
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise RuntimeError(f"{self._binary} did not start:\n{(self._folder / 'server.log').read_text()}")
            time.sleep(0.02)
        self.address = port_file.read_text().strip()
        return self

    def kill(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()


def _binary():
    folder = pathlib.Path(os.environ.get("CREAMERY_BIN_DIR", REPOSITORY / "build" / "release" / "bin"))
    binary = folder / "creamery-server"
    if not binary.is_file():
        message = f"{binary} is not built; set CREAMERY_BIN_DIR"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return binary


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = Server(_binary(), tmp_path_factory.mktemp("server")).start()
    yield running
    running.stop()


@pytest.fixture
def own_server(tmp_path):
    """Makes servers of one test's own, with extra flags."""
    made = []

    def make(*flags):
        folder = tmp_path / f"server{len(made)}"
        folder.mkdir()
        made.append(Server(_binary(), folder, *flags))
        return made[-1].start()

    yield make
    for running in made:
        running.stop()


@pytest.fixture
def client(server):
    with creamery.Client(server.address) as connected:
        yield connected


@pytest.fixture
def serve():
    """Serves handlers {"Service/Method": (kind, request class, function)} in this process and returns a client."""
    running = []

    def start(handlers):
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        for path, (kind, request, function) in handlers.items():
            service, method = path.split("/")
            handler = getattr(grpc, f"{kind}_rpc_method_handler")(
                function,
                request_deserializer=request.FromString,
                response_serializer=lambda reply: reply.SerializeToString(),
            )
            server.add_generic_rpc_handlers(
                [grpc.method_handlers_generic_handler(f"creamery.v1.{service}", {method: handler})]
            )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        client = creamery.Client(f"127.0.0.1:{port}")
        running.append((server, client))
        return client

    yield start
    for server, client in running:
        client.close()
        server.stop(None)


# A 2-d Gaussian posterior in a uniform box: D_KL and dimensionality are known in closed form.
MEAN = np.array([0.3, 0.8])
STDDEV = np.array([0.01, 0.02])
CORRELATION = 0.5
BOUNDS = {"omegam": (0.1, 0.5), "sigma8": (0.6, 1.0)}
LOG_Z = (-3.5, 0.1)


def gaussian_rows(n, seed=1):
    cross = CORRELATION * STDDEV[0] * STDDEV[1]
    covariance = [[STDDEV[0] ** 2, cross], [cross, STDDEV[1] ** 2]]
    return np.random.default_rng(seed).multivariate_normal(MEAN, covariance, size=n)


@pytest.fixture(scope="session")
def chain(server):
    with creamery.Client(server.address) as connected:
        return connected.datasets.upload(
            "planck/chain",
            gaussian_rows(4000),
            names=["omegam", "sigma8"],
            labels=[r"\Omega_m", r"\sigma_8"],
            priors={"omegam": "uniform(0.1,0.5)", "sigma8": creamery.Uniform(0.6, 1.0)},
            log_evidence=LOG_Z,
        )


QUICK = creamery.MAF(transforms=2, hidden_units=[16], members=2, max_epochs=30, seed=1)


@pytest.fixture(scope="session")
def trained_name(server, chain):
    with creamery.Client(server.address) as connected:
        return connected.train("planck/cosmo", chain, QUICK).result(timeout=300).name


@pytest.fixture
def model(client, trained_name):
    return client.model(trained_name)
