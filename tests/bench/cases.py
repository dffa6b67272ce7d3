"""What the programs measured, by name, from the JSON of Google Benchmark."""

import re
import statistics

_SUFFIX = re.compile(r"/(real_time|manual_time|process_time|(iterations|repeats|min_time):[\d.]+)(?=/|$)")
_MICROSECONDS = {"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6}
_NOT_COUNTERS = {
    "real_time", "cpu_time", "iterations", "repetitions", "repetition_index", "threads", "family_index",
    "per_family_instance_index",
}  # fmt: skip


class Cases:
    """Every case is a name with one time, in microseconds, and one set of counters for each repetition."""

    def __init__(self, programs):
        self.context = {}
        self._times = {}
        self._counters = {}
        for result in programs.values():
            self.context.update(result["context"])
            for case in result["benchmarks"]:
                if case.get("run_type", "iteration") != "iteration":
                    continue
                name = _SUFFIX.sub("", case["name"])
                counters = {key: value for key, value in case.items()
                            if isinstance(value, (int, float)) and key not in _NOT_COUNTERS}  # fmt: skip
                self._times.setdefault(name, []).append(case["real_time"] * _MICROSECONDS[case["time_unit"]])
                self._counters.setdefault(name, []).append(counters)

    def names(self, pattern=""):
        """Those that match the whole pattern, or all."""
        return [name for name in self._times if not pattern or re.fullmatch(pattern, name)]

    def time(self, name):
        """The median, or None."""
        return statistics.median(self._times[name]) if name in self._times else None

    def quartiles(self, name):
        """(lower, upper); the extremes of less than four."""
        times = sorted(self._times[name])
        return (times[0], times[-1]) if len(times) < 4 else tuple(statistics.quantiles(times, n=4)[::2])

    def counter(self, name, counter):
        """The median, or None."""
        values = [counters[counter] for counters in self._counters.get(name, []) if counter in counters]
        return statistics.median(values) if values else None

    def counters(self, name):
        return {key: self.counter(name, key) for key in self._counters[name][0]}
