#!/usr/bin/env python3
"""Runs the models: the algorithms as they ship must be sound, and every broken variant must be caught.

    run.py               the quick sizes
    run.py full          larger ones, too
    run.py --variant X   only that broken variant, with its trace
    run.py --list        the variants
"""
# SPDX-License-Identifier: MIT
import sys
import time

from explorer import Explorer
from many import Many
from memory import READ, WRITE
from mpmc import MpmcRing
from mpmc_bytes import MpmcByteRing

R = (READ, 0)


def w(*messages):
    """A producer: of so many messages, or of these records (places claimed, places used)."""
    return (WRITE, messages[0] if isinstance(messages[0], int) else messages)


ONE, TWO, HALF, DROPPED = (1, 1), (2, 2), (2, 1), (2, 0)
BOTH = (False, True)


def fixed(capacity, *records, **more):
    return lambda **also: MpmcRing(capacity, records, **more, **also)


def bytes_of(capacity, *records, **more):
    return lambda **also: MpmcByteRing(capacity, records, **more, **also)


# what it is, the ring, the delivery policies (at_least_once or not)
QUICK = [
    ("two writers, a reader, two deaths", fixed(1, w(1), w(1), R, crashes=2), BOTH),
    ("a writer of 2, two readers", fixed(1, w(2), R, R), BOTH),
    ("batches of 2", fixed(2, w(2), R, R, batch=2), BOTH),
    ("a reader's record is taken again", fixed(1, w(1), R, R, takers=[R]), (True,)),
    ("records of 1 and 2, fillers, dropped claims", bytes_of(3, w(HALF, DROPPED, ONE), R, early=True), (False,)),
    ("records of two writers, padding", bytes_of(3, w(TWO, TWO), w(HALF), R), (False,)),
    ("a record of 2, two readers", bytes_of(3, w(TWO), R, R), BOTH),
]
FULL = [
    ("a writer's record is taken again", fixed(1, w(1), w(1), R, takers=[w(1)]), (False,)),
    ("records of two writers, padding", bytes_of(3, w(TWO, TWO), w(HALF), R), (True,)),
    ("records of 2, padding, two readers", bytes_of(3, w(TWO, TWO), R, R), BOTH),
    ("two writers, two readers", fixed(1, w(1), w(1), R, R), BOTH),
    ("repairs that begin before any death", fixed(1, w(2), R, R, early=True), BOTH),
    ("writers repair, too", fixed(1, w(2), R, R, writers_repair=True), BOTH),
    ("a reader's record is taken again", fixed(1, w(1), R, R, takers=[R]), (False,)),
    ("a reader's record is taken again, two deaths", fixed(1, w(1), R, R, takers=[R], crashes=2), BOTH),
    ("a writer's record is taken again, two deaths", fixed(1, w(1), w(1), R, takers=[w(1)], crashes=2), BOTH),
    ("capacity 2, a reader's record is taken again", fixed(2, w(2), R, R, takers=[R]), (False,)),
    ("capacity 2, two readers", fixed(2, w(2), R, R), BOTH),
    ("batches of 2, two deaths", fixed(2, w(2), w(1), R, batch=2, crashes=2), BOTH),
    ("records of two writers, two deaths", bytes_of(3, w(TWO, HALF), w(TWO), R, crashes=2), BOTH),
    ("records, writers repair, too", bytes_of(3, w(TWO, ONE, ONE), R, R, writers_repair=True), BOTH),
]
# variant: a ring that shows what is wrong with it
VARIANTS = {
    "intent-after-claim": fixed(1, w(1), w(1), R),
    "intent-cleared-early": fixed(1, w(1), w(1), R),
    "living-not-asked": fixed(1, w(1), w(1), R),
    "word-without-lap": fixed(1, w(1), w(1), R),
    "orphan-same-word": fixed(1, w(2), R, R, redelivers=True, writers_repair=True),
    "orphan-named-plainly": fixed(1, w(1), R, R, takers=[R], redelivers=True),
    "unclaimed-cleared": fixed(1, w(1), w(1), R, takers=[w(1)]),
    "taker-clears-first": fixed(1, w(1), R, R, takers=[R]),
    "taker-notes-nothing": fixed(1, w(1), R, R, takers=[R]),
    "first-word-first": bytes_of(3, w(TWO), R, R),
    "padding-first": bytes_of(3, w(TWO, TWO), R, crashes=0, early=True),
    "header-restamped": bytes_of(3, w(TWO), R, R),
}
FULL_VARIANTS = {
    "further-freed-blindly": bytes_of(3, w(TWO, ONE, ONE, ONE), R, R, writers_repair=True),
}
MEANING = {**Many.variants, **MpmcByteRing.variants}


def explore(model):
    outcome = Explorer(model).run()
    return outcome, f"{outcome.states:9,d} states {outcome.transitions:10,d} steps {outcome.seconds:6.1f} s"


def run_sound(cases):
    states = failed = 0
    for what, make, policies in cases:
        for redelivers in policies:
            model = make(redelivers=redelivers)
            outcome, figures = explore(model)
            states += outcome.states
            title = f"{type(model).__name__}, {'at_least_once' if redelivers else 'at_most_once'}: {what}"
            print(f"{title:78s} {figures}  {'SOUND' if outcome.fault is None else 'BROKEN'}", flush=True)
            if outcome.fault is not None:
                failed += 1
                tell(outcome)
    return states, failed


def run_variant(name, make, with_trace):
    outcome, figures = explore(make(variant=name))
    print(f"{name + ': ' + MEANING[name]:78s} {figures}  {'NOT CAUGHT' if outcome.fault is None else 'caught'}",
          flush=True)
    if with_trace and outcome.fault is not None:
        tell(outcome)
    return outcome.fault is None


def tell(outcome):
    print(f"    {outcome.fault}. The shortest way there (names: w write, r read):")
    for line in outcome.trace:
        print("    " + line)


def main(arguments):
    variants = dict(VARIANTS)
    if arguments == ["--list"]:
        for name in {**VARIANTS, **FULL_VARIANTS}:
            print(f"{name:24s} {MEANING[name]}")
        return 0
    if len(arguments) == 2 and arguments[0] == "--variant":
        name = arguments[1]
        make = {**VARIANTS, **FULL_VARIANTS}.get(name)
        if make is None:
            print(f"there is no variant '{name}'; run.py --list names them", file=sys.stderr)
            return 2
        return int(run_variant(name, make, True))
    if arguments not in ([], ["quick"], ["full"]):
        print(__doc__, file=sys.stderr)
        return 2
    full = arguments == ["full"]
    if full:
        variants.update(FULL_VARIANTS)
    began = time.monotonic()
    states, failed = run_sound(QUICK + (FULL if full else []))
    missed = sum(run_variant(name, make, False) for name, make in variants.items())
    print(f"{states:,d} states of the shipped algorithms; {failed} models broken; "
          f"{len(variants) - missed} of {len(variants)} broken variants caught; {time.monotonic() - began:.0f} s")
    return int(failed != 0 or missed != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
