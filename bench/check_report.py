#!/usr/bin/env python3
"""Checks that a report of ipc_bench --json follows schema 1, as bench/README.md states it."""
# SPDX-License-Identifier: MIT

import json
import sys

MODES = {"stream", "near-empty", "near-full", "burst", "rtt", "open-loop", "blocking", "wake-up", "idle"}
PACED = {"open-loop", "blocking"}
THROUGHPUT = {"stream", "near-empty", "near-full", "burst"} | PACED
LATENCY = {"rtt", "open-loop", "wake-up"}
OFFICES = {"file-unlocked", "file-lock", "pipe", "shmring-queue", "shmring-queue-no-spin"}
MAY_REORDER = {"atomic-queue-mpmc"}
NUMBER = (int, float)
NULLABLE = (int, float, type(None))

ENVIRONMENT = {
    "date": str, "command": str, "cpu_model": str, "cpus": str, "kernel": str, "governor": str, "compiler": str,
    "flags": str, "revision": str, "pinning": str, "mlock": str, "huge_pages": str, "clock": str, "load": str, "ring": str,
    "cpu_numbers": dict, "floor_ns": dict, "distance_ns": dict, "absent": dict,
}
RESULT = {
    "transport": str, "mode": str, "size": int, "producers": int, "consumers": int, "loop": str, "wait": str,
    "rate": NULLABLE, "cpu_ns_per_msg": NULLABLE,
    "msgs_per_s": NULLABLE, "bytes_per_s": NULLABLE, "latency_ns": (dict, type(None)), "cpu_s": NULLABLE,
    "syscalls_per_msg": NULLABLE, "wakeups_per_s": NULLABLE, "min": NULLABLE, "max": NULLABLE, "rounds": int, "samples": int, "at_any_distance": bool,
    "ratio": dict, "seconds": NULLABLE, "reordered": int, "fault": (str, type(None)),
}
SALE = {
    "transport": str, "about": str, "tickets_per_s": dict, "cpu_us_per_ticket": dict, "oversold": dict, "rounds": int,
    "fault": (str, type(None)),
}
SPREAD = {"median": NUMBER, "min": NUMBER, "max": NUMBER}
TARGET = {
    "of": str, "row": str, "known": str, "at_least": bool, "bound": NUMBER, "unit": str, "measured": NULLABLE,
    "hit": (bool, type(None)), "remark": str,
}
JUDGED = {
    "shmring-spsc": {"streaming, 64 B", "round trip, 64 B", "against pipe, 64 B, blocking"},
    "shmring-bytes": {*(f"{mode}, {size} B" for mode in ("streaming", "round trip") for size in (16, 64, 256, 1024, 4096)),
                      "in place, 64 KiB to 1 MiB", "blocking, saturated", "wake-up from idle"},
    "shmring-mpmc": {*(f"{row} 1x1, {size} B" for row in ("streaming", "crash tolerance") for size in (8, 64)),
                     "2x2 to 16x16, spinning", "2x2 to 16x16, blocking", "blocking, saturated, 1x1"},
}
LATENCIES = ["p50", "p90", "p99", "p999", "p9999", "max"]


def check_keys(where, found, wanted):
    if set(found) != set(wanted):
        raise ValueError(f"{where}: keys {sorted(found)} where {sorted(wanted)} were due")
    for key, kinds in wanted.items():
        if not isinstance(found[key], kinds):
            raise ValueError(f"{where}: {key} is {found[key]!r}")


def check_latency(where, latency):
    check_keys(where, latency, {**{name: NUMBER for name in LATENCIES}, "count": int})
    values = [latency[name] for name in LATENCIES]
    if values != sorted(values) or latency["count"] <= 0 or values[0] <= 0:
        raise ValueError(f"{where}: impossible percentiles {latency}")


def check_result(result):
    where = " ".join(str(result.get(key)) for key in ("transport", "mode", "size", "producers", "consumers", "wait"))
    check_keys(where, result, RESULT)
    check_keys(where + " ratio", result["ratio"],
               {"floor": NULLABLE, "pipe": NULLABLE, "best_peer": NULLABLE, "pair": NULLABLE})
    if result["loop"] not in {"pair", "many"} or not all(1 <= result[side] <= 16 for side in ("producers", "consumers")):
        raise ValueError(f"{where}: {result['producers']} to {result['consumers']} in loop {result['loop']}")
    if result["loop"] == "pair" and (result["producers"], result["consumers"], result["ratio"]["pair"]) != (1, 1, None):
        raise ValueError(f"{where}: a crowd among the pairs")
    if result["mode"] not in MODES or result["wait"] not in {"spin", "block"}:
        raise ValueError(f"{where}: unknown mode or wait")
    if result["fault"] is not None or result["rounds"] < 1:
        raise ValueError(f"{where}: fault {result['fault']}, {result['rounds']} rounds")
    if result["samples"] < result["rounds"] or (result["at_any_distance"] and result["samples"] != result["rounds"]):
        raise ValueError(f"{where}: {result['rounds']} of {result['samples']} samples count")
    if (result["mode"] in PACED) != (result["rate"] is not None):
        raise ValueError(f"{where}: rate {result['rate']}")
    if not result["min"] <= result["max"]:
        raise ValueError(f"{where}: min {result['min']} above max {result['max']}")
    if result["reordered"] and result["transport"] not in MAY_REORDER:
        raise ValueError(f"{where}: {result['reordered']} messages out of their sender's order")
    floor = result["transport"] == "floor"
    if (result["mode"] in LATENCY or floor) != (result["latency_ns"] is not None):
        raise ValueError(f"{where}: latency {result['latency_ns']}")
    if result["latency_ns"] is not None:
        check_latency(where, result["latency_ns"])
    if (result["mode"] in THROUGHPUT and not floor) != (result["msgs_per_s"] is not None):
        raise ValueError(f"{where}: msgs_per_s {result['msgs_per_s']}")
    if result["msgs_per_s"] is not None and not result["msgs_per_s"] > 0:
        raise ValueError(f"{where}: msgs_per_s {result['msgs_per_s']}")


def check_sale(sale):
    where = f"tickets over {sale.get('transport')}"
    check_keys(where, sale, SALE)
    for part in ("tickets_per_s", "cpu_us_per_ticket", "oversold"):
        check_keys(f"{where}, {part}", sale[part], SPREAD)
    if sale["fault"] is not None or sale["rounds"] < 1 or sale["tickets_per_s"]["min"] <= 0:
        raise ValueError(f"{where}: {sale}")
    oversold = sale["oversold"]
    if sale["transport"] == "file-unlocked":
        if oversold["max"] <= 0:
            raise ValueError(f"{where}: a hundred buyers without a lock, and no ticket was sold twice")
    elif oversold["min"] != 0 or oversold["max"] != 0:
        raise ValueError(f"{where}: oversold {oversold}")


def check_target(target):
    where = f"target {target.get('of')}, {target.get('row')}"
    check_keys(where, target, TARGET)
    if target["measured"] is None:
        hit = None
    elif target["at_least"]:
        hit = target["measured"] >= target["bound"]
    else:
        hit = target["measured"] <= target["bound"]
    if target["hit"] is not hit:
        raise ValueError(f"{where}: hit is {target['hit']} where {target['measured']} stands against {target['bound']}")


def check_targets(targets):
    for target in targets:
        check_target(target)
    for transport, wanted in JUDGED.items():
        missing = wanted - {target["row"] for target in targets if target["of"] == transport}
        if targets and missing:
            raise ValueError(f"targets of {transport}: no row {sorted(missing)}")


def main(path):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    check_keys("report", report, {"schema": int, "environment": dict, "results": list, "tickets": list, "targets": list})
    if report["schema"] != 1:
        raise ValueError(f"schema {report['schema']}")
    check_keys("environment", report["environment"], ENVIRONMENT)
    check_keys("floor_ns", report["environment"]["floor_ns"], SPREAD)
    for result in report["results"]:
        check_result(result)
    for sale in report["tickets"]:
        check_sale(sale)
    if {sale["transport"] for sale in report["tickets"]} != OFFICES:
        raise ValueError(f"tickets: {[sale['transport'] for sale in report['tickets']]}")
    check_targets(report["targets"])
    seen = {result["mode"] for result in report["results"]}
    if seen != MODES:
        raise ValueError(f"modes {sorted(seen)} where {sorted(MODES)} were due")
    crowds = {(result["producers"], result["consumers"]) for result in report["results"] if result["loop"] == "many"}
    if not {(1, 1), (16, 16)} <= crowds:
        raise ValueError(f"among many, only {sorted(crowds)}")
    print(f"{len(report['results'])} results, {len(report['tickets'])} ticket sales and {len(report['targets'])} targets "
          "follow schema 1")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except (ValueError, KeyError, TypeError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
