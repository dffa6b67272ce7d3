#!/usr/bin/env python3
"""Creamery beside margarine, sbi, zuko and nflows: the same architecture, the same data, one run, shuffled order.

    python3 tests/bench/packages/compare.py install             # some GB of packages into build/bench-packages
    python3 tests/bench/packages/compare.py speed [BIN_DIR]     # log_prob of 1 to 1 000 000 points, 10 000 samples
    python3 tests/bench/packages/compare.py training [BIN_DIR]  # time to the same held-out log-likelihood
    ... --only creamery zuko      some of the packages
    ... --rounds 5                more rounds of `speed`; the median over rounds is shown
    ... --add                     adds to what earlier runs found, for a machine that is not free for long

Optional and never part of CI. BIN_DIR holds creamery-server and creamery-worker, default build/release/bin. Every
package runs in a process and a virtual environment of its own, on one thread, and keeps its own kind of arrays;
Creamery is asked through its Python client over loopback. One process works at a time. Prints a table; the same as
JSON, with versions and the machine, goes to build/bench-packages/{speed,training}.json.
"""

import argparse
import json
import math
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
HOME = REPOSITORY / "build" / "bench-packages"

# Virtual environment, what is installed into it, options of the subject, epochs of a training to its end.
SUBJECTS = {
    "creamery": ("creamery", {"members": 4}, None),
    "creamery, mixture of 10": ("creamery", {"members": 10, "answer": "member_mixture"}, None),
    "zuko": ("torch", {}, 1000),
    "nflows": ("torch", {}, 1000),
    "sbi": ("torch", {}, 1000),
    "margarine 1": ("margarine1", {}, 3000),
    "margarine 2": ("margarine2", {}, 60),
}
ENVIRONMENTS = {
    "creamery": [str(REPOSITORY / "client" / "python")],
    "torch": ["sbi", "zuko", "nflows"],
    "margarine1": ["margarine<2", "tensorflow-cpu", "tf-keras"],
    "margarine2": ["margarine>=2"],
}
ONLY = {"creamery, mixture of 10": "training"}
POINTS = (1, 100, 10_000, 1_000_000)
SAMPLES = 10_000
ONE_THREAD = {f"{each}_NUM_THREADS": "1" for each in ("OMP", "MKL", "OPENBLAS", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")}


def install():
    """Makes the environments; what cannot be installed is said here and again in every table."""
    HOME.mkdir(parents=True, exist_ok=True)
    for name, packages in ENVIRONMENTS.items():
        failure = HOME / name / "FAILED"
        subprocess.run([sys.executable, "-m", "venv", str(HOME / name)], check=True)
        pip = [str(HOME / name / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, *packages], stderr=subprocess.PIPE, text=True)
        failure.unlink(missing_ok=True)
        if done.returncode != 0:
            failure.write_text(done.stderr.strip().splitlines()[-1])
        print(f"{name}: {'failed: ' + failure.read_text() if done.returncode else 'installed'}")


class Subject:
    """A package in its own process, or the reason why there is none."""

    def __init__(self, name, bin_dir):
        environment, options, self.epochs = SUBJECTS[name]
        self.name, self.failure, self.about = name, None, {}
        python = HOME / environment / "bin" / "python"
        refused = HOME / environment / "FAILED"
        self._process = None
        if refused.is_file() or not python.is_file():
            self.failure = refused.read_text() if refused.is_file() else "not installed: run `compare.py install`"
            return
        module = name.split(",")[0].replace(" ", "")
        self.log = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [str(python), str(HERE / "child.py"), module, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            cwd=HOME,  # some packages leave logs where they are
            env={**os.environ, **ONE_THREAD, "CREAMERY_BIN_DIR": str(bin_dir)},
        )
        if environment != "creamery":  # whose client and server are two processes
            os.sched_setaffinity(self._process.pid, {max(os.sched_getaffinity(0))})
        self._answer()
        if self.failure is None:
            self.about = self.ask(do="versions")

    def ask(self, **command):
        """The answer; {"failure": ...} if the package cannot do it."""
        if self.failure is not None:
            return {"failure": self.failure}
        print(json.dumps(command), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self.log.seek(0)
            self.failure = (self.log.read().strip().splitlines() or ["ended"])[-1]
            return {"failure": self.failure}
        return json.loads(line)

    def close(self):
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()


def speed(subjects, rounds):
    """{"seconds": {"what n": {"package, variant": [seconds of a call]}}}; every case once a round, in a new order."""
    cases, failures, times = [], {}, {}
    for subject in subjects:
        trained = subject.ask(do="train", max_epochs=2)  # the weights do not change the speed
        variants = trained if "failure" in trained else subject.ask(do="variants")
        if "failure" in variants:
            failures[subject.name] = variants["failure"]
            continue
        cases += [(subject, "log_prob", v, n) for v in variants["log_prob"] for n in POINTS]
        cases += [(subject, "sample", v, SAMPLES) for v in variants["sample"]]
    for done in range(rounds):
        random.shuffle(cases)
        for subject, what, variant, n in cases:
            who = f"{subject.name}, {variant}"
            if n < max(POINTS):
                answer = subject.ask(do=what, variant=variant, n=n, seconds=0.2, warm_up=3)
            else:  # seconds each: warmed up where the first call compiles
                compiles = done == 0 and variant == "jitted"
                answer = subject.ask(do=what, variant=variant, n=n, seconds=0, warm_up=int(compiles))
            if "failure" in answer:
                failures[f"{who}, {what} of {n}"] = answer["failure"]
            else:
                times.setdefault(f"{what} {n}", {}).setdefault(who, []).append(answer["seconds"])
    return {"seconds": times, "failures": failures}


def training(subjects):
    """{"curves": {package: [(seconds, mean held-out log_prob)]}}: each package trained to its own end."""
    curves, failures = {}, {}
    random.shuffle(subjects)
    for subject in subjects:
        answer = subject.ask(do="train", max_epochs=subject.epochs)
        if "failure" in answer:
            failures[subject.name] = answer["failure"]
        else:
            curves[subject.name] = answer["curve"]
    return {"curves": curves, "failures": failures, "truth": subjects[0].ask(do="truth")["truth"]}


def add(result, earlier):
    """What two runs found, together."""
    for what, found in earlier.get("seconds", {}).items():
        for who, times in found.items():
            result["seconds"].setdefault(what, {}).setdefault(who, []).extend(times)
    for part in ("curves", "failures", "about"):
        if part in earlier:
            result[part] = {**earlier[part], **result[part]}


def machine():
    model = next(
        (line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}


def print_speed(result):
    whats = sorted(result["seconds"], key=lambda each: (each.split()[0], int(each.split()[1])))
    whos = sorted({who for found in result["seconds"].values() for who in found})
    print(f"{'one call, median of windows':34}" + "".join(f"{each:>18}" for each in whats))
    for who in whos:
        print(f"{who:34}" + "".join(_cell(result["seconds"][what].get(who)) for what in whats))


def _cell(times):
    if not times:
        return f"{'-':>18}"
    seconds = statistics.median(times)
    return f"{seconds * 1e6:>15.1f} us" if seconds < 1e-2 else f"{seconds:>16.3f} s"


def print_training(result):
    """The level is what Creamery reaches by default; a "<" marks a loop without a curve: its end bounds the time."""
    level = result["curves"].get("creamery", [(0, result["truth"])])[-1][1]
    print(f"mean held-out log_prob of the exact density {result['truth']:.4f}; level {level:.4f}")
    print(f"{'':24}{'to its end':>12}{'held-out':>12}{'below exact':>13}{'to the level':>14}")
    for name, curve in sorted(result["curves"].items(), key=lambda each: each[1][-1][0]):
        seconds, value = curve[-1]
        reached = next((at for at, held_out in curve if held_out >= level), math.inf)
        print(
            f"{name:24}{seconds:>10.1f} s{value:>12.4f}{result['truth'] - value:>13.4f}"
            f"{'<' if len(curve) == 1 else '':>3}" + ("      never" if math.isinf(reached) else f"{reached:>9.1f} s")
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["install", "speed", "training"])
    parser.add_argument("bin_dir", nargs="?", type=pathlib.Path, default=REPOSITORY / "build" / "release" / "bin")
    parser.add_argument("--only", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--add", action="store_true")
    given = parser.parse_args()
    if given.what == "install":
        return install()
    names = [name for name in given.only if ONLY.get(name, given.what) == given.what]
    subjects = [Subject(name, given.bin_dir.resolve()) for name in names]
    try:
        result = speed(subjects, given.rounds) if given.what == "speed" else training(list(subjects))
    finally:
        for subject in subjects:
            subject.close()
    result["machine"] = machine()
    result["about"] = {subject.name: subject.about for subject in subjects}
    file = HOME / f"{given.what}.json"
    if given.add and file.is_file():
        add(result, json.loads(file.read_text()))
    file.write_text(json.dumps(result, indent=1))
    (print_speed if given.what == "speed" else print_training)(result)
    for name, failure in result["failures"].items():
        print(f"{name}: FAILED: {failure}")
    for name, about in result["about"].items():
        print(f"{name}: {about.get('note', '')} {about.get('versions', '')}")
    print(json.dumps(result["machine"]))


if __name__ == "__main__":
    main()
