"""The project's targets beside what was measured: one row each, `ratio` None where it was not."""


def _row(what, ours=None, other=None, ratio=None, spread=None):
    return {"what": what, "ours": ours, "other": other, "ratio": ratio, "spread": spread}


def _over(cases, what, above, below):
    """The time of one case over that of another."""
    if cases.time(above) is None or cases.time(below) is None:
        return _row(what)
    (low, high), (least, most) = cases.quartiles(above), cases.quartiles(below)
    row = _row(what, ratio=cases.time(above) / cases.time(below), spread=[low / most, high / least])
    ours, other = (below, above) if above.rpartition("/")[2] != "creamery" else (above, below)
    return row | {"ours": cases.time(ours), "other": cases.time(other)}


def _in_turns(cases, what, case, ours, other, ratio):
    """A case that lets alternatives take turns, and says the median of their ratios."""
    spread = [cases.counter(case, f"{ratio}/ratio_low"), cases.counter(case, f"{ratio}/ratio_high")]
    values = cases.counter(case, ours), cases.counter(case, other), cases.counter(case, f"{ratio}/ratio")
    return _row(what, *values, None if None in spread else spread)


def _whole_training(cases):
    what = "4 members on 10 000 rows to convergence, on two cores, over 10 s"
    for name in cases.names(r"training/maf/d:6/rows:10000/.*threads:2/creamery"):
        time = cases.time(name)
        return _row(what, time, 1e7, time / 1e7, [end / 1e7 for end in cases.quartiles(name)])
    return _row(what)


def _streamed(cases):
    sizes = {int(name.rpartition(":")[2]): cases.time(name) for name in cases.names("stream/.*")}
    if not sizes:
        return _row("a streamed row of 10^7 over one of 10^5")
    many, few = max(sizes), min(sizes, key=lambda rows: abs(rows - 100000))
    each = sizes[many] / many, sizes[few] / few
    return _row(f"a streamed row of {many} over one of {few}", *each, each[0] / each[1])


def _registries(cases):
    for name in cases.names("registry/(?!import).*"):
        size = max(int(key.split("/")[0]) for key in cases.counters(name) if key.endswith("/us"))
        what = f"{name.partition('/')[2]} with {size} models over 10"
        yield _in_turns(cases, what, name, f"{size}/us", "10/us", str(size))


def targets(cases, quick):
    """[{what, ours, other, ratio, spread, target, met}]: times in microseconds, `met` None where there is no bound."""
    old_libtorch = str(cases.context.get("libtorch", "1.13")).startswith("1.")
    rows = 16 if quick else 10000
    log_prob, step = f"log_prob/maf/d:6/rows:{rows}", "training_step/maf/d:6/rows"
    wide = f"/maf/d:26/rows:{rows}/creamery"
    bounded = [
        (_in_turns(cases, "single-point LogProb, C++ client (over a line it keeps open), over an empty call",
                   "round_trip", "client/us", "empty/us", "client"), "<=", 1.2),
        (_in_turns(cases, "the same, each question a call of its own, through the stub", "round_trip", "stub/us",
                   "empty/us", "stub"), "<=", 1.2),
        (_over(cases, "log_prob of 10 000 points, LibTorch eager over ours", f"{log_prob}/libtorch",
               f"{log_prob}/creamery"), ">=", 8 if old_libtorch else 5),
        (_over(cases, "sample of 10 000 points over their log_prob, d = 26", f"sample{wide}", f"log_prob{wide}"),
         "<=", 1.5),
        (_over(cases, "training step of 128 rows, LibTorch eager over ours", f"{step}:128/libtorch",
               f"{step}:128/creamery"), ">=", 8),
        (_over(cases, "training step of 1 024 rows, LibTorch eager over ours", f"{step}:1024/libtorch",
               f"{step}:1024/creamery"), ">=", 4),
        (_whole_training(cases), "<=", 1),
        (_in_turns(cases, "64 clients during a training, calls a second over empty calls'", "load/training",
                   "log_prob/per_second", "empty/per_second", "throughput"), ">=", 0.7),
        (_in_turns(cases, "64 clients during a training, p99 over empty calls'", "load/training", "log_prob/p99_us",
                   "empty/p99_us", "p99"), "<=", 3),
    ]  # fmt: skip
    table = []
    for row, sign, bound in bounded:
        met = None
        if row["ratio"] is not None:
            met = row["ratio"] <= bound if sign == "<=" else row["ratio"] >= bound
        table.append(row | {"target": f"{sign} {bound:g}", "met": met})
    return table + [row | {"target": "flat: 1", "met": None} for row in (_streamed(cases), *_registries(cases))]
