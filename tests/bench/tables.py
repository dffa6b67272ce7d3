"""All figures, and how they are printed."""

import re

ALTERNATIVES = {"creamery": "ours", "double": "float64", "libtorch": "LibTorch", "libtorch_flat": "LibTorch, flat",
                "served": "served"}  # fmt: skip
VERSIONS = ("compiler", "libtorch", "blas", "highway", "vectors", "grpc", "protobuf")


def _by_numbers(name):
    """rows:16 comes before rows:100."""
    return [(int(word), "") if word.isdigit() else (0, word) for word in re.split(r"(\d+)", name)]


def figures(cases):
    """Medians in microseconds by what and who; rates beside the core's peaks; everything else with its counters."""
    compared, others = {}, {}
    for name in sorted(cases.names(), key=_by_numbers):
        what, _, who = name.rpartition("/")
        if who in ALTERNATIVES:
            compared.setdefault(what, {})[who] = cases.time(name)
        else:
            others[name] = {"us": cases.time(name), **cases.counters(name)}
    peaks = {kind: cases.counter(f"peak/{kind}", "per_second") for kind in ("multiply_adds", "tanhs")}
    rates = {}
    for name in sorted(cases.names(".*/creamery"), key=_by_numbers):
        counts = [cases.counter(name, kind) for kind in peaks]
        if None in counts or None in peaks.values():
            continue
        seconds = 1e-6 * cases.time(name)
        rates[name.rpartition("/")[0]] = {
            kind: {"per_second": count / seconds, "share": count / peaks[kind] / seconds}
            for kind, count in zip(peaks, counts)
        }
    return {"compared_us": compared, "peaks_per_second": peaks, "rates": rates, "others": others}


def _number(value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", " ")


def _table(header, rows):
    rows = [header] + [[_number(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _targets(rows):
    words = {True: "yes", False: "NO", None: "-"}
    return _table(
        ["target (times in us)", "ours", "other", "ratio", "spread", "bound", "met"],
        [
            [row["what"], row["ours"], row["other"], row["ratio"],
             row["spread"] and "..".join(map(_number, row["spread"])), row["target"], words[row["met"]]]
            for row in rows
        ],  # fmt: skip
    )


def _compared(compared):
    return _table(
        ["medians, us", *ALTERNATIVES.values()],
        [[what, *(times.get(who) for who in ALTERNATIVES)] for what, times in compared.items()],
    )


def _rates(peaks, rates):
    rows = [["the core's peak", peaks["multiply_adds"] / 1e9, "", peaks["tanhs"] / 1e9, "", ""]]
    for what, rate in rates.items():
        both = [rate["multiply_adds"], rate["tanhs"]]
        shares = [one["share"] for one in both]
        rows.append([what, both[0]["per_second"] / 1e9, shares[0], both[1]["per_second"] / 1e9, shares[1], sum(shares)])
    return _table(["rates", "G multiply-adds/s", "of peak", "G tanh/s", "of peak", "of both peaks in turn"], rows)


def show(result):
    """The whole as text."""
    all_figures = result["figures"]
    facts = dict(result["machine"])
    for program in result["programs"].values():
        facts |= {key: program["context"][key] for key in VERSIONS if key in program["context"]}
    parts = ["; ".join(f"{key}: {value}" for key, value in facts.items())]
    if result["quick"]:
        parts.append("Quick: these times mean nothing.")
    parts.append(_targets(result["targets"]))
    if all_figures["compared_us"]:
        parts.append(_compared(all_figures["compared_us"]))
    if all_figures["rates"]:
        parts.append(_rates(all_figures["peaks_per_second"], all_figures["rates"]))
    lines = []
    for name, counters in all_figures["others"].items():
        lines.append(f"{name}: " + ", ".join(f"{key} {_number(value)}" for key, value in counters.items()))
    return "\n\n".join([*parts, "\n".join(lines)])
