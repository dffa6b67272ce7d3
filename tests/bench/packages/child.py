"""One package in a process of its own: answers lines of JSON on standard input. Started by compare.py.

    {"do": "versions"}  {"do": "variants"}  {"do": "truth"}  {"do": "train", "max_epochs": 3}
    {"do": "log_prob", "variant": "eager", "n": 100, "seconds": 0.2}  {"do": "sample", ...}
"""

import importlib
import json
import os
import sys
import time

import problem


class Child:
    def __init__(self, name, options):
        self._subject = importlib.import_module(f"subject_{name}").Subject(
            problem.training_rows(), problem.held_out_rows(), **options
        )
        self._points = {}

    def do(self, command):
        kind = command["do"]
        if kind == "versions":
            return {"versions": self._subject.versions(), "note": self._subject.note}
        if kind == "truth":
            return {"truth": float(problem.log_prob(problem.held_out_rows()).mean())}
        if kind == "train":
            return {"curve": self._subject.train(command["max_epochs"])}
        if kind == "variants":
            return {"log_prob": list(self._subject.log_prob()), "sample": list(self._subject.sample())}
        n = command["n"]
        ask = getattr(self._subject, kind)()[command["variant"]]
        if kind == "log_prob":
            if n not in self._points:
                self._points = {n: self._subject.prepare(problem.rows(n, seed=3))}  # one at a time: big ones are big
            argument = self._points[n]
        else:
            argument = n
        return {"seconds": _time(ask, argument, command["seconds"], command["warm_up"])}

    def close(self):
        getattr(self._subject, "close", lambda: None)()


def _time(ask, argument, seconds, warm_up):
    """Median time of a call, over as many as fit into `seconds`, at least one."""
    for _ in range(warm_up):
        ask(argument)
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        ask(argument)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what packages print is not an answer
    child = Child(sys.argv[1], json.loads(sys.argv[2]))
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        try:
            answer = child.do(json.loads(line))
        except Exception as error:  # one case that a package cannot do is an entry of the table
            answer = {"failure": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    child.close()


if __name__ == "__main__":
    main()
