"""One server with its data directory and one worker of its own, as processes that can be killed and started again."""

import os
import queue
import signal
import subprocess
import threading
import time

import creamery


class Process:
    """A child whose standard error is read line by line, each line with its arrival time."""

    def __init__(self, argv):
        self.argv = argv
        self.lines = queue.Queue()
        self.history = []
        self.child = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stderr:
            self.history.append(line.rstrip())
            self.lines.put(line)
        self.lines.put(None)

    def wait_for(self, text, timeout):
        """True as soon as a new line contains `text`; False if the child ended or the time is over."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return False
            try:
                line = self.lines.get(timeout=left)
            except queue.Empty:
                return False
            if line is None:
                return False
            if text in line:
                return True

    def forget(self):
        """Drops the lines read so far."""
        while not self.lines.empty():
            self.lines.get_nowait()

    def kill(self):
        """SIGKILL, and waits until every line it managed to write is in `history`."""
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        end = time.monotonic() + 5
        while time.monotonic() < end:
            try:
                if self.lines.get(timeout=0.1) is None:
                    return
            except queue.Empty:
                pass

    def alive(self):
        return self.child.poll() is None


class Installation:
    """One server with its data directory and one worker of its own, each started again after it was killed."""

    def __init__(self, bin_dir, directory):
        self.bin_dir = bin_dir
        self.directory = directory
        self.data = os.path.join(directory, "data")
        self.tokens = os.path.join(directory, "tokens")
        with open(self.tokens, "w") as f:
            f.write("token-of-a-person-0123456789 person\ntoken-of-a-worker-0123456789 worker worker\n")
        os.chmod(self.tokens, 0o600)
        self.worker_token = os.path.join(directory, "worker-token")
        with open(self.worker_token, "w") as f:
            f.write("token-of-a-worker-0123456789\n")
        os.chmod(self.worker_token, 0o600)
        self.port = 0
        self.server = None
        self.worker = None

    def start_server(self):
        port_file = os.path.join(self.directory, "port")
        if os.path.exists(port_file):
            os.remove(port_file)
        self.server = Process([
            os.path.join(self.bin_dir, "creamery-server"), f"--listen=127.0.0.1:{self.port}", f"--data={self.data}",
            "--local_workers=0", f"--port_file={port_file}", "--lease_seconds=4", f"--token_file={self.tokens}"])
        end = time.monotonic() + 20
        while not (os.path.exists(port_file) and os.path.getsize(port_file)):
            if not self.server.alive() or time.monotonic() > end:
                raise RuntimeError("the server did not start: " + " | ".join(self.server.history[-5:]))
            time.sleep(0.005)
        with open(port_file) as f:
            self.address = f.read().strip()
        self.port = int(self.address.rsplit(":", 1)[1])  # the same port again after a restart

    def start_worker(self):
        self.worker = Process([
            os.path.join(self.bin_dir, "creamery-worker"), f"--server={self.address}",
            f"--token-file={self.worker_token}", "--checkpoint-seconds=0"])

    def ensure(self):
        if self.server is None or not self.server.alive():
            self.start_server()
        if self.worker is None or not self.worker.alive():
            self.start_worker()

    def client(self, patience=0.5):
        """A client whose calls, where a kill interrupts them, end soon: the server may come back only after them."""
        return creamery.Client(self.address, token="token-of-a-person-0123456789", patience=patience)
