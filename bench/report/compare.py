#!/usr/bin/env python3
"""Says which rows of two reports of ipc_bench moved by more than their own spread, and how far the targets' figures agree.

usage: compare.py OLD.json NEW.json

A row has moved where the rounds of the one run and those of the other do not overlap at all: the least of the one is above the
greatest of the other. What host and load did to both is seen in the floor. Exit status 0, or 2 where a report cannot be read.
"""
# SPDX-License-Identifier: MIT

import sys

from reading import figure, key_of, load, name_of, three_digits, unit_of

AGREE_WITHIN = 0.15


def verdict(old, new):
    """(moved?, part by which the figure rose, is that better?) of two results of one row; None where one has no figure."""
    before, after = figure(old), figure(new)
    if before is None or after is None or before[0] <= 0:
        return None
    moved = new["min"] > old["max"] or new["max"] < old["min"]
    rose = after[0] / before[0] - 1
    return moved, rose, (rose > 0) == before[1]


def row_changes(old, new):
    before = {key_of(result): result for result in old["results"]}
    after = {key_of(result): result for result in new["results"]}
    moved, same = [], 0
    for key in after:
        found = verdict(before[key], after[key]) if key in before else None
        if found is None:
            continue
        if not found[0]:
            same += 1
            continue
        old_figure, new_figure = figure(before[key])[0], figure(after[key])[0]
        word = "better" if found[2] else "worse"
        moved.append((-abs(found[1]), f"{name_of(after[key])}: {three_digits(old_figure)} -> {three_digits(new_figure)} "
                                      f"{unit_of(after[key]['mode'])}, {found[1]:+.0%}, {word}"))
    only = [sum(key not in other and figure(results[key]) is not None for key in results)
            for results, other in ((before, after), (after, before))]
    return [line for _, line in sorted(moved)], same, only


def target_key(target):
    return target["of"], target["row"], target["unit"]


def disagreement(first, second):
    """By which part of the smaller two figures differ."""
    least = min(abs(first), abs(second))
    return abs(first - second) / least if least else (0.0 if first == second else float("inf"))


def target_changes(old, new):
    before = {target_key(target): target["measured"] for target in old["targets"]}
    agree, lines = 0, []
    for target in new["targets"]:
        first, second = before.get(target_key(target)), target["measured"]
        if first is None or second is None:
            continue
        apart = disagreement(first, second)
        if apart <= AGREE_WITHIN:
            agree += 1
        else:
            lines.append(f"{target['of']}, {target['row']}: {three_digits(first)} -> {three_digits(second)} {target['unit']}, "
                         f"{apart:.0%} apart")
    return lines, agree


def main(old_path, new_path):
    old, new = load(old_path), load(new_path)
    for name, report in (("old", old), ("new", new)):
        facts = report["environment"]
        print(f"{name}: {facts['date']}, {facts['revision']}, floor {three_digits(facts['floor_ns']['median'])} ns, "
              f"load {facts['load']}")
    moved, same, (only_old, only_new) = row_changes(old, new)
    print(f"\n{len(moved)} rows moved by more than their spread, {same} did not"
          + (f"; {only_old} are in the old report only, {only_new} in the new one only" if only_old or only_new else ""))
    for line in moved:
        print("  " + line)
    apart, agree = target_changes(old, new)
    print(f"\n{len(apart)} figures of targets are more than {AGREE_WITHIN:.0%} apart, {agree} are not")
    for line in apart:
        print("  " + line)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError, KeyError) as error:
        print(f"compare: {error!r}", file=sys.stderr)
        sys.exit(2)
