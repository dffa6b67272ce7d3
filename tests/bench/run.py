#!/usr/bin/env python3
"""All benchmarks in one command: alternatives side by side, in one run, in shuffled order.

    tests/bench/run.py [BIN_DIR]                   # minutes; one thread, so leave the machine alone meanwhile
    tests/bench/run.py [BIN_DIR] --only density    # one program of density, training, serving, load, scaling, device
    tests/bench/run.py [BIN_DIR] --quick           # seconds: sees that all runs and agrees; its times mean nothing

BIN_DIR defaults to build/release/bin. Prints the targets with what was measured, and all figures; writes the same with
the machine, the versions and every repetition to build/bench/bench.json (--out). Times are medians over repetitions;
ratios come from alternatives that were measured within one run of one program. Exits with 1 if a program failed or
something was not measured, never because of a time.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import machine
import tables
from cases import Cases
from targets import targets

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("density", "training", "serving", "load", "scaling", "device")
OPTIONAL = ("device",)  # built only where there is something to measure


def run_program(program, out, quick):
    """Runs a program and returns its JSON, as Google Benchmark writes it."""
    path = out / f"{program.name}.json"
    command = [str(program), f"--benchmark_out={path}", "--benchmark_out_format=json"] + ["--quick"] * quick
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    environment.pop("OPENBLAS_CORETYPE", None)  # LibTorch gets the kernels that fit this processor
    path.unlink(missing_ok=True)
    print(f"running {program.name} ...", file=sys.stderr, flush=True)
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    if ended.returncode != 0:
        raise RuntimeError(f"{program.name} ended with {ended.returncode}:\n{ended.stdout[-4000:]}")
    result = json.loads(path.read_text(errors="replace"))
    failures = [case["name"] for case in result["benchmarks"] if case.get("error_occurred")]
    if failures:
        raise RuntimeError(f"{program.name}: {', '.join(failures)} failed")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", nargs="?", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=PROGRAMS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/bench")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    result = {"machine": machine.describe(arguments.bin_dir, ROOT), "quick": arguments.quick, "programs": {}}
    failures = []
    for name in arguments.only:
        program = arguments.bin_dir / f"{name}_bench"
        if not program.exists() and name in OPTIONAL:
            continue
        try:
            result["programs"][name] = run_program(program, arguments.out, arguments.quick)
        except (OSError, RuntimeError, ValueError) as failure:
            failures.append(str(failure))
    cases = Cases(result["programs"])
    result["targets"] = targets(cases, arguments.quick)
    result["figures"] = tables.figures(cases)
    (arguments.out / "bench.json").write_text(json.dumps(result, indent=1))

    print(tables.show(result))
    missing = [row["what"] for row in result["targets"] if row["ratio"] is None]
    if missing and set(arguments.only) == set(PROGRAMS):
        failures.append(f"not measured: {'; '.join(missing)}")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
