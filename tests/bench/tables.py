"""From the programs' JSON to the tables: the targets of the project, and everything else that was measured."""

import re
import statistics

_SUFFIX = re.compile(r"/(real_time|manual_time|process_time|(iterations|repeats|min_time|threads):[\d.]+)(?=/|$)")
ALTERNATIVES = ("creamery", "double", "libtorch", "libtorch_flat", "served")
_MICROSECONDS = {"ns": 1e-3, "us": 1, "ms": 1e3, "s": 1e6}


class Cases:
    """Cases by name: their times in microseconds, one for each repetition, and their counters."""

    def __init__(self, programs):
        self.times = {}
        self.counters = {}
        self.context = {}
        for result in programs.values():
            self.context.update(result["context"])
            for case in result["benchmarks"]:
                if case.get("run_type", "iteration") != "iteration":
                    continue
                name = _SUFFIX.sub("", case["name"])
                self.times.setdefault(name, []).append(case["real_time"] * _MICROSECONDS[case["time_unit"]])
                self.counters.setdefault(name, []).append(case)

    def time(self, name):
        """Median, or None."""
        return statistics.median(self.times[name]) if name in self.times else None

    def counter(self, name, counter):
        values = [case[counter] for case in self.counters.get(name, []) if counter in case]
        return statistics.median(values) if values else None

    def low_high(self, name):
        """The quartiles; the extremes of less than four."""
        times = sorted(self.times[name])
        if len(times) < 4:
            return times[0], times[-1]
        return tuple(statistics.quantiles(times, n=4)[::2])


def _times(cases, what, ours, other, target, upside_down=False):
    """A row of two cases. The ratio is the alternative's time over ours, or upside down."""
    row = {"what": what, "ours": cases.time(ours), "other": cases.time(other), "ratio": None, "spread": None}
    row["target"] = target
    if row["ours"] is None or row["other"] is None:
        return row
    above, below = (ours, other) if upside_down else (other, ours)
    row["ratio"] = cases.time(above) / cases.time(below)
    row["spread"] = [
        cases.low_high(above)[0] / cases.low_high(below)[1],
        cases.low_high(above)[1] / cases.low_high(below)[0],
    ]
    return row


def _counters(cases, what, case, ratio, ours, other, target):
    """A row of a case that alternates by itself and says the ratio."""
    spread = [cases.counter(case, f"{ratio}/ratio_low"), cases.counter(case, f"{ratio}/ratio_high")]
    return {
        "what": what,
        "ours": cases.counter(case, ours),
        "other": cases.counter(case, other),
        "ratio": cases.counter(case, f"{ratio}/ratio"),
        "spread": None if None in spread else spread,
        "target": target,
    }


def _whole_training(cases):
    name = next((name for name in cases.times if re.fullmatch(r"training/maf/d:6/rows:10000/.*/creamery", name)), None)
    row = {"what": "4 members on 10 000 rows to convergence, over 10 s", "ours": cases.time(name), "other": 1e7}
    row |= {"ratio": None, "spread": None, "target": ("<=", 1)}
    if name is not None:
        row |= {"ratio": cases.time(name) / 1e7, "spread": [time / 1e7 for time in cases.low_high(name)]}
    return row


def targets(cases):
    """The rows of the project's table of targets, with what was measured."""
    old = str(cases.context.get("libtorch", "1.13")).startswith("1.")
    # What is compared over ten times as many rows as 10^5 is what a row costs.
    rows = sorted(int(name.rsplit(":", 1)[1]) for name in cases.times if name.startswith("stream/"))
    stream = [f"stream/maf/d:6/rows:{n}" for n in rows]
    growth = {"what": "cost of a row, 10^7 streamed over 10^5", "ours": None, "other": None, "ratio": None}
    growth |= {"spread": None, "target": ("about", 1)}
    if rows:
        first = min(rows, key=lambda n: abs(n - 100000))
        growth["ours"] = cases.time(stream[-1]) / rows[-1]
        growth["other"] = cases.time(f"stream/maf/d:6/rows:{first}") / first
        growth["ratio"] = growth["ours"] / growth["other"]
    largest = {name: max((int(key.split("/")[0]) for case in cases.counters.get(name, []) for key in case
                          if re.fullmatch(r"\d+/us", key)), default=0)
               for name in cases.counters if name.startswith("registry/")}  # fmt: skip
    flow = "maf/d:6/rows"
    bulk = (f"log_prob/{flow}:10000/creamery", f"log_prob/{flow}:10000/libtorch")
    wide = ("sample/maf/d:26/rows:10000/creamery", "log_prob/maf/d:26/rows:10000/creamery")
    if bulk[0] not in cases.times:  # --quick
        bulk = tuple(name.replace(":10000", ":16") for name in bulk)
        wide = tuple(name.replace(":10000", ":16") for name in wide)
    table = [
        _counters(cases, "single-point LogProb, C++ client, over an empty call", "round_trip", "client", "client/us",
                  "empty/us", ("<=", 1.2)),
        _times(cases, "log_prob of 10 000 points over LibTorch eager's", *bulk, (">=", 8 if old else 5)),
        _times(cases, "sample of 10 000 points, d = 26, over log_prob", *wide, ("<=", 1.5), upside_down=True),
        _times(cases, "training step of 128 rows, LibTorch eager's over ours", "training_step/maf/d:6/rows:128/creamery",
               "training_step/maf/d:6/rows:128/libtorch", (">=", 8)),
        _times(cases, "training step of 1 024 rows, LibTorch eager's over ours", "training_step/maf/d:6/rows:1024/creamery",
               "training_step/maf/d:6/rows:1024/libtorch", (">=", 4)),
        _whole_training(cases),
        _counters(cases, "64 clients during a training: calls a second over empty calls'", "load/training",
                  "throughput", "log_prob/per_second", "empty/per_second", (">=", 0.7)),
        _counters(cases, "64 clients during a training: p99 over empty calls'", "load/training", "p99",
                  "log_prob/p99_us", "empty/p99_us", ("<=", 3)),
        growth,
    ]  # fmt: skip
    for name, size in largest.items():
        if size:
            what = f"{name.split('/', 1)[1]} with {size} models over 10"
            table.append(_counters(cases, what, name, str(size), f"{size}/us", "10/us", ("about", 1)))
    for row in table:
        sign, bound = row["target"]
        row["met"] = {"<=": lambda x: x <= bound, ">=": lambda x: x >= bound}[sign](row["ratio"]) if (
            row["ratio"] is not None and sign != "about") else None  # fmt: skip
        row["target"] = f"{sign} {bound:g}"
    return table


def figures(cases):
    """Everything that was measured: medians in microseconds by what and who, rates, memory."""
    compared = {}
    for name in cases.times:
        what, _, who = name.rpartition("/")
        if who in ALTERNATIVES:
            compared.setdefault(what, {})[who] = cases.time(name)
    rates = []
    peaks = {kind: cases.counter(f"peak/{kind}", "per_second") for kind in ("multiply_adds", "tanhs")}
    for name, time in ((name, cases.time(name)) for name in cases.times):
        if not name.endswith("/creamery") or None in peaks.values():
            continue
        counts = {kind: cases.counter(name, kind) for kind in peaks}
        if None in counts.values():
            continue
        least = {kind: 1e6 * counts[kind] / peaks[kind] for kind in peaks}  # microseconds at the peak
        rates.append({
            "what": name.rpartition("/")[0],
            "multiply_adds_per_second": 1e6 * counts["multiply_adds"] / time,
            "tanhs_per_second": 1e6 * counts["tanhs"] / time,
            "multiply_adds_share": least["multiply_adds"] / time,
            "tanhs_share": least["tanhs"] / time,
            "both_share": sum(least.values()) / time,
        })  # fmt: skip
    others = {}
    for name, runs in cases.counters.items():
        known = {"real_time", "cpu_time", "iterations", "repetitions", "repetition_index", "threads", "family_index",
                 "per_family_instance_index", "multiply_adds", "tanhs", "rows"}  # fmt: skip
        own = {key: cases.counter(name, key) for key, value in runs[0].items()
               if isinstance(value, (int, float)) and key not in known}  # fmt: skip
        if name.rpartition("/")[2] not in ALTERNATIVES:
            others[name] = {"us": cases.time(name), **own}
    return {"compared_us": compared, "peaks": peaks, "rates": rates, "others": others}


def _number(value):
    if value is None:
        return "-"
    if abs(value) >= 1e6:
        return f"{value:,.4g}".replace(",", " ") if abs(value) >= 1e9 else f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", " ")


def _table(header, rows):
    rows = [header] + [[cell if isinstance(cell, str) else _number(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths)))
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0])] + lines[1:])


def show(result):
    """The whole as text."""
    figures_ = result["figures"]
    versions = {}
    for program in result["programs"].values():
        for key, value in program["context"].items():
            if key in ("compiler", "libtorch", "blas", "highway", "vectors", "grpc", "protobuf"):
                versions[key] = value
    parts = ["; ".join(f"{key} {value}" for key, value in {**result["machine"], **versions}.items())]
    if result["quick"]:
        parts.append("QUICK: these times mean nothing.")
    parts.append(
        _table(
            ["target (times in us)", "ours", "other", "ratio", "spread", "target", "met"],
            [
                [row["what"], row["ours"], row["other"], row["ratio"],
                 "-" if row["spread"] is None else "{:.3g}..{:.3g}".format(*row["spread"]), row["target"],
                 {True: "yes", False: "NO", None: "-"}[row["met"]]]
                for row in result["targets"]
            ],  # fmt: skip
        )
    )
    rows = []
    for what, who in figures_["compared_us"].items():
        ours, torch = who.get("creamery"), who.get("libtorch")
        rows.append([what, ours, who.get("double"), torch, torch / ours if ours and torch else None, who.get("served")])
    if rows:
        parts.append(_table(["medians, us", "ours", "float64", "LibTorch", "LibTorch/ours", "served"], rows))
    if figures_["rates"]:
        parts.append(
            _table(
                ["of the core's peaks", "G multiply-adds/s", "share", "G tanh/s", "share", "time at both peaks/time"],
                [["peak", figures_["peaks"]["multiply_adds"] / 1e9, "", figures_["peaks"]["tanhs"] / 1e9, "", ""]]
                + [
                    [rate["what"], rate["multiply_adds_per_second"] / 1e9, rate["multiply_adds_share"],
                     rate["tanhs_per_second"] / 1e9, rate["tanhs_share"], rate["both_share"]]
                    for rate in figures_["rates"]
                ],  # fmt: skip
            )
        )
    for name, counters in figures_["others"].items():
        parts.append(f"{name}: " + ", ".join(f"{key} {_number(value)}" for key, value in counters.items()))
    return "\n\n".join(parts[:4]) + "\n\n" + "\n".join(parts[4:])
