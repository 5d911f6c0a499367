#!/usr/bin/env python3
"""Writes a report for people from one of ipc_bench --json: Markdown with tables, and charts next to it.

usage: report.py REPORT.json OUTPUT.md [EARLIER.json]

OUTPUT.md is benchmarks.in.md of this folder with its {{marks}} filled in; the charts go into a folder called as it, without
".md". An EARLIER report of the same kind, made at least ten minutes before, shows how far the figures of the targets agree.
"""
# SPDX-License-Identifier: MIT

import datetime
import pathlib
import re
import sys

from charts import all_charts, good
from compare import AGREE_WITHIN, disagreement, target_key
from reading import is_ours, load, markdown, rate_in_words, size_in_words, three_digits

APART = datetime.timedelta(minutes=10)
TEMPLATE = pathlib.Path(__file__).with_name("benchmarks.in.md")
ORDER = ("spin", "block")


def date_of(report):
    return datetime.datetime.fromisoformat(report["environment"]["date"].replace("Z", "+00:00"))


def second_run(report, path):
    """The earlier report, if it can stand beside this one; and what is said of it."""
    if path is None or not pathlib.Path(path).exists():
        return None, "There is one run behind these figures, so nothing is said of how well two agree."
    earlier = load(path)
    if ("--quick" in earlier["environment"]["command"]) != ("--quick" in report["environment"]["command"]):
        return None, "There is one run of this kind behind these figures, so nothing is said of how well two agree."
    if abs(date_of(report) - date_of(earlier)) < APART:
        return None, "The run before this one was less than ten minutes ago, too close to be a second opinion."
    return earlier, (f"The column *earlier* is of another run, {earlier['environment']['date']}, revision "
                     f"{earlier['environment']['revision']}, usual distance "
                     f"{three_digits(earlier['environment']['distance_ns']['usual'])} ns; where the two differ by more than "
                     f"{AGREE_WITHIN:.0%} of the smaller figure, the row says so.")


def command(report):
    """As anybody would type it: without the folders of the machine that it ran on."""
    return " ".join(re.sub(r"[^=]*/", "", word) for word in report["environment"]["command"].split())


def machine(report):
    facts = {**report["environment"], "command": command(report)}
    floor = facts["floor_ns"]
    rows = [["what", "here"]]
    rows += [[key.replace("_", " "), value] for key, value in facts.items() if isinstance(value, str)]
    rows.append(["floor", f"{three_digits(floor['median'])} ns a lap before the first table, "
                          f"{three_digits(floor['min'])} to {three_digits(floor['max'])}"])
    return markdown(rows)


def floors(report):
    laps = [r["latency_ns"]["p50"] for r in report["results"]
            if r["transport"] == "floor" and r["mode"] != "wake-up" and r["latency_ns"]]
    if not laps:
        return "No table has a floor."
    return (f"The floor of the {len(laps)} tables lay between {three_digits(min(laps))} and {three_digits(max(laps))} ns; "
            f"its median was {three_digits(sorted(laps)[len(laps) // 2])} ns.")


def distance(report):
    facts = report["environment"]["distance_ns"]
    if facts["of"] == 0:
        return "both sides shared a CPU, so there is none."
    counted = [r for r in report["results"] if r["fault"] is None]
    exceptions = sum(r["at_any_distance"] for r in counted)
    return (f"{three_digits(facts['usual'])} ns a lap, seen in {facts['seen']} of {facts['of']} trials before the first table. "
            f"{sum(r['rounds'] for r in counted)} of {sum(r['samples'] for r in counted)} samples count; {exceptions} of "
            f"{len(counted)} rows were there too seldom and are compared by all of theirs.")


def absent(report):
    missing = report["environment"]["absent"]
    if not missing:
        return "Every transport that this program knows was there."
    return "Absent:\n\n" + "\n".join(f"- `{name}`: {reason}" for name, reason in missing.items())


def targets(report, earlier):
    before = {target_key(t): t["measured"] for t in earlier["targets"]} if earlier else {}
    rows = [["ring", "row", "target", "known before", "measured", *(["earlier"] if earlier else []), "verdict"]]
    for target in report["targets"]:
        sign = "≥" if target["at_least"] else "≤"
        verdict = "not measured" if target["hit"] is None else "hit" if target["hit"] else "**miss**"
        if target["remark"] and target["measured"] is not None:
            verdict += f" ({target['remark']})"
        row = [target["of"], target["row"], f"{sign} {target['bound']:g} {target['unit']}", target["known"],
               three_digits(target["measured"])]
        if earlier:
            other = before.get(target_key(target))
            row.append(three_digits(other))
            if other is not None and target["measured"] is not None:
                apart = disagreement(other, target["measured"])
                if apart > AGREE_WITHIN:
                    verdict += f"; noisy: {apart:.0%} apart"
        rows.append([*row, verdict])
    if len(rows) == 1:
        return "This run judges no target."
    measured = [t for t in report["targets"] if t["hit"] is not None]
    hits = sum(t["hit"] for t in measured)
    return f"{hits} of {len(measured)} hit, {len(report['targets']) - len(measured)} not measured.\n\n" + markdown(rows)


def pivot(corner, results, columns, column_name, cell):
    """A row per transport and wait, a column per value of `columns`."""
    found = {(r["transport"], r["wait"], columns(r)): r for r in results}
    heads = sorted({key[2] for key in found})
    names = list(dict.fromkeys((r["transport"], r["wait"]) for r in results))
    names.sort(key=lambda name: (ORDER.index(name[1]), not is_ours(name[0])))
    rows = [[corner, *map(column_name, heads)]]
    for name, wait in names:
        cells = [found.get((name, wait, head)) for head in heads]
        rows.append([f"{name}, {wait}", *("" if r is None else cell(r) for r in cells)])
    return markdown(rows) if len(rows) > 1 else "Not part of this run."


def millions(result):
    return three_digits(result["msgs_per_s"] / 1e6)


def microseconds(result):
    return three_digits(result["latency_ns"]["p50"] / 1e3)


def tails(result):
    latency = result["latency_ns"]
    return " / ".join(three_digits(latency[part] / 1e3) for part in ("p50", "p99", "p9999", "max"))


def sweep(result):
    calls = "-" if result["syscalls_per_msg"] is None else three_digits(result["syscalls_per_msg"])
    return (f"{three_digits(result['cpu_s'] / result['seconds'])} / {three_digits(result['cpu_ns_per_msg'] / 1e3)} / {calls} / "
            f"{three_digits(result['msgs_per_s'] / 1e3)}")


def idle(result):
    return f"{result['cpu_s'] / result['seconds']:.4%} CPU, {three_digits(result['wakeups_per_s'])} wake-ups/s"


def tickets(report):
    rows = [["over", "how", "tickets/s", "CPU us a ticket", "sold too many (min to max)"]]
    for sale in report["tickets"]:
        sold = sale["oversold"]
        rows.append([sale["transport"], sale["about"], three_digits(sale["tickets_per_s"]["median"]),
                     three_digits(sale["cpu_us_per_ticket"]["median"]),
                     f"{three_digits(sold['median'])} ({sold['min']:.0f} to {sold['max']:.0f})"])
    return markdown(rows) if len(rows) > 1 else "Not part of this run."


def faults(report):
    found = [f"- `{r['transport']}` ({r['wait']}), {r['mode']} {size_in_words(r['size'])}, {r['producers']}x{r['consumers']}: "
             f"{r['fault']}" for r in report["results"] if r["fault"] is not None]
    if not found:
        return "No transport lost, repeated or tore a message in this run, and none hung."
    return "Wrong in this run, so without a figure:\n\n" + "\n".join(found)


def losses(report):
    """Rows of ours that a peer is ahead of, the worst first."""
    found = []
    for r in report["results"]:
        ratio = r["ratio"]["best_peer"]
        if not is_ours(r["transport"]) or r["fault"] is not None or ratio is None or r["mode"] == "idle":
            continue
        less = r["mode"] in ("rtt", "open-loop", "wake-up", "blocking")
        behind = ratio if less else 1 / ratio
        if behind > 1:
            where = f"{r['mode']} {size_in_words(r['size'])}, {r['wait']}"
            if r["loop"] == "many":
                where += f", {r['producers']}x{r['consumers']}"
            if r["rate"] is not None:
                where += f", at {rate_in_words(r['rate'])}"
            found.append((behind, r["transport"], where))
    rows = [["behind the best peer", "transport", "where"]]
    rows += [[f"{three_digits(behind)} x", name, where] for behind, name, where in sorted(found, reverse=True)]
    return markdown(rows) if len(rows) > 1 else "In no row of this run."


def sections(report, earlier, said, folder):
    results = report["results"]

    def of(**wanted):
        return good(results, **wanted)

    stream, rtt = of(mode="stream", loop="pair"), of(mode="rtt")
    places = ["stream", "near-empty", "near-full", "burst"]
    regimes = [r for r in of(loop="pair", size=64) if r["mode"] in places]
    filled = {
        "command": f"`{command(report)}`", "date": report["environment"]["date"],
        "machine": machine(report), "floors": floors(report), "distance": distance(report), "absent": absent(report),
        "two_runs": said,
        "targets": targets(report, earlier), "faults": faults(report), "losses": losses(report),
        "stream": pivot("M msg/s", stream, lambda r: r["size"], size_in_words, millions),
        "rtt": pivot("p50, us", rtt, lambda r: r["size"], size_in_words, microseconds),
        "rtt_tails": pivot("us", [r for r in rtt if r["size"] == 64], lambda r: r["size"],
                           lambda size: f"{size_in_words(size)}: p50 / p99 / p99.99 / max", tails),
        "regimes": pivot("M msg/s", regimes, lambda r: places.index(r["mode"]), lambda place: places[place], millions),
        "open_loop": pivot("p50 / p99 / p99.99 / max, us", of(mode="open-loop"), lambda r: r["rate"], rate_in_words, tails),
        "blocking": pivot("CPUs / CPU us a message / calls a message / k msg/s", of(mode="blocking"), lambda r: r["rate"],
                          rate_in_words, sweep),
        "wake_up": pivot("p50 / p99 / p99.99 / max, us", of(mode="wake-up"), lambda r: r["size"], size_in_words, tails),
        "idle": pivot("both together", of(mode="idle"), lambda r: r["size"], size_in_words, idle),
        "many8": pivot("8 B, M msg/s", of(loop="many", size=8), lambda r: (r["producers"], r["consumers"]),
                       lambda crowd: f"{crowd[0]}x{crowd[1]}", millions),
        "many64": pivot("64 B, M msg/s", of(loop="many", size=64), lambda r: (r["producers"], r["consumers"]),
                        lambda crowd: f"{crowd[0]}x{crowd[1]}", millions),
        "tickets": tickets(report),
    }
    for name, (words, svg) in all_charts(results).items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
        filled[f"chart {name}"] = f"![{words}]({folder.name}/{name}.svg)"
    return filled


def fill(template, filled):
    out = []
    for line in template.splitlines():
        while "{{" in line:
            mark = line[line.index("{{") + 2:line.index("}}")]
            line = line.replace("{{" + mark + "}}", filled.get(mark, "" if mark.startswith("chart ") else f"(no {mark})"))
        out.append(line)
    return "\n".join(out) + "\n"


def main(path, output, earlier_path=None):
    report, output = load(path), pathlib.Path(output)
    earlier, said = second_run(report, earlier_path)
    folder = output.with_suffix("")
    for old in folder.glob("*.svg"):
        old.unlink()
    filled = sections(report, earlier, said, folder)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(fill(TEMPLATE.read_text(encoding="utf-8"), filled), encoding="utf-8")
    print(f"{output} and {len(list(folder.glob('*.svg')))} charts")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
