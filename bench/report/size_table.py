#!/usr/bin/env python3
"""Makes Markdown tables from a report of ipc_bench --json: a column per message size or crowd, a row per transport, and the
targets.

usage: size_table.py REPORT [TRANSPORT...]     (all transports if none is named)
"""
# SPDX-License-Identifier: MIT

import sys

from reading import load, markdown, size_in_words, three_digits


def cell(result):
    if result is None:
        return ""
    if result["fault"] is not None:
        return "fault"
    if result["mode"] == "rtt":
        return three_digits(result["latency_ns"]["p50"] / 1e3)
    return three_digits(result["msgs_per_s"] / 1e6)


def by_size(results, mode, transports):
    found = {(r["transport"], r["wait"], r["size"]): r for r in results if r["mode"] == mode and r["loop"] == "pair"}
    sizes = sorted({size for name, _, size in found if name in transports})
    unit = "us" if mode == "rtt" else "Mmsg/s"
    rows = [[f"{mode}, {unit}", *map(size_in_words, sizes)]]
    for wait in ("spin", "block"):
        for name in transports:
            cells = [cell(found.get((name, wait, size))) for size in sizes]
            if any(cells):
                rows.append([f"{name}, {wait}", *cells])
    floors = [found.get(("floor", "spin", size)) for size in sizes]
    rows.append(["floor, ns", *("" if r is None else three_digits(r["latency_ns"]["p50"]) for r in floors)])
    return markdown(rows)


def by_crowd(results, size, transports):
    found = {(r["transport"], r["wait"], r["producers"], r["consumers"]): r
             for r in results if r["loop"] == "many" and r["size"] == size and r["transport"] != "floor"}
    crowds = sorted({key[2:] for key in found})
    rows = [[f"stream, {size_in_words(size)}, Mmsg/s", *(f"{p}x{c}" for p, c in crowds)]]
    for wait in ("spin", "block"):
        for name in transports:
            cells = [cell(found.get((name, wait, *crowd))) for crowd in crowds]
            if any(cells):
                rows.append([f"{name}, {wait}", *cells])
    return markdown(rows)


def targets(all_targets, transports):
    rows = [["row", "target", "known (ours / best peer)", "measured"]]
    for target in all_targets:
        if target["of"] not in transports or target["measured"] is None:
            continue
        sign = ">=" if target["at_least"] else "<="
        remark = f" ({target['remark']})" if target["remark"] else ""
        verdict = "" if target["hit"] else " **miss**"
        rows.append([f"{target['of']}: {target['row']}", f"{sign} {target['bound']} {target['unit']}", target["known"],
                     three_digits(target["measured"]) + verdict + remark])
    return markdown(rows)


def main(path, wanted):
    report = load(path)
    results = report["results"]
    transports = wanted or list(dict.fromkeys(r["transport"] for r in results if r["transport"] != "floor"))
    facts = report["environment"]
    print(f"`{facts['command']}`, {facts['date']}, commit {facts['revision']}, {facts['cpu_model']}, {facts['cpus']} CPUs, "
          f"{facts['kernel']}, {facts['compiler']} {facts['flags']}, load {facts['load']}, "
          f"{max(r['rounds'] for r in results)} rounds, floor {three_digits(facts['floor_ns']['median'])} ns at the start.\n")
    for mode in ("stream", "rtt"):
        if any(r["mode"] == mode and r["loop"] == "pair" and r["transport"] in transports for r in results):
            print(by_size(results, mode, transports) + "\n")
    for size in sorted({r["size"] for r in results if r["loop"] == "many" and r["transport"] != "floor"}):
        print(by_crowd(results, size, transports) + "\n")
    print(targets(report["targets"], transports))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
