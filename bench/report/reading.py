"""What the scripts here share: reading a report of ipc_bench, finding rows in it, and figures in words."""
# SPDX-License-Identifier: MIT

import json

KEY = ("transport", "mode", "size", "producers", "consumers", "loop", "wait", "rate")


def load(path):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    if report["schema"] != 1:
        raise ValueError(f"{path}: schema {report['schema']}, where these scripts read 1")
    return report


def three_digits(value):
    if value is None:
        return "-"
    if value >= 100 or value == 0:
        return f"{value:.0f}"
    digits = 1 if value >= 10 else 2 if value >= 1 else 3 if value >= 0.1 else 4
    return f"{value:.{digits}f}"


def size_in_words(size):
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def rate_in_words(rate):
    for unit, name in ((1e6, "M/s"), (1e3, "k/s")):
        if rate >= unit:
            return f"{rate / unit:g} {name}"
    return f"{rate:g} /s"


def figure(result):
    """What a row is judged by, as `min` and `max` are, and whether more of it is better."""
    if result["fault"] is not None or result["transport"] == "floor":
        return None
    if result["mode"] == "idle":
        return result["cpu_s"] / result["seconds"], False
    if result["mode"] == "blocking":
        return result["cpu_ns_per_msg"], False
    if result["mode"] in ("rtt", "open-loop", "wake-up"):
        return result["latency_ns"]["p50"], False
    return result["msgs_per_s"], True


def unit_of(mode):
    return {"idle": "CPUs", "blocking": "CPU ns/msg", "rtt": "ns", "open-loop": "ns", "wake-up": "ns"}.get(mode, "msg/s")


def name_of(result):
    words = [result["transport"], result["wait"], result["mode"], size_in_words(result["size"])]
    if result["loop"] == "many":
        words.append(f"{result['producers']}x{result['consumers']}")
    if result["rate"] is not None:
        words.append("at " + rate_in_words(result["rate"]))
    return " ".join(words)


def key_of(result):
    return tuple(result[part] for part in KEY)


def is_ours(name):
    return name.startswith("shmring")


def markdown(rows):
    """The first row is the head. Columns of figures stand to the right."""
    def is_figures(column):
        return all(row[column] in ("", "-") or row[column][0].isdigit() for row in rows[1:])

    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("---:" if is_figures(column) else "---" for column in range(len(rows[0]))) + "|")
    return "\n".join(lines)
