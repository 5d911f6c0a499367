#!/usr/bin/env python3
"""What compare.py says of small reports that are made up here."""
# SPDX-License-Identifier: MIT

import contextlib
import io
import json
import pathlib
import tempfile
import unittest

import compare


def result(median, least, most, **others):
    row = {"transport": "pipe", "mode": "stream", "size": 64, "producers": 1, "consumers": 1, "loop": "pair", "wait": "block",
           "rate": None, "msgs_per_s": median, "min": least, "max": most, "fault": None, "latency_ns": None}
    return {**row, **others}


def latency(median, least, most):
    return result(None, least, most, mode="rtt", latency_ns={"p50": median})


def target(measured):
    return {"of": "ring", "row": "streaming", "unit": "x the pipe", "measured": measured}


def report(results, targets=()):
    facts = {"date": "2026-01-01T00:00:00Z", "revision": "abc", "floor_ns": {"median": 130}, "load": "0"}
    return {"schema": 1, "environment": facts, "results": results, "targets": list(targets)}


class Verdicts(unittest.TestCase):
    def moved(self, old, new):
        return compare.row_changes(report([old]), report([new]))[0]

    def test_a_row_whose_rounds_overlap_has_not_moved(self):
        self.assertEqual(self.moved(result(100, 90, 120), result(118, 115, 130)), [])

    def test_a_rate_that_rose_beyond_both_spreads_is_better(self):
        self.assertEqual(self.moved(result(100, 90, 110), result(150, 111, 160)),
                         ["pipe block stream 64 B: 100 -> 150 msg/s, +50%, better"])

    def test_a_rate_that_fell_is_worse(self):
        self.assertIn("-50%, worse", self.moved(result(100, 90, 110), result(50, 40, 60))[0])

    def test_a_latency_that_fell_is_better(self):
        self.assertIn("200 -> 100 ns, -50%, better", self.moved(latency(200, 190, 210), latency(100, 90, 110))[0])

    def test_the_greatest_move_comes_first(self):
        old = [result(100, 99, 101), result(100, 99, 101, size=8)]
        new = [result(110, 109, 111), result(300, 299, 301, size=8)]
        moved, same, _ = compare.row_changes(report(old), report(new))
        self.assertEqual(["8 B" in line for line in moved], [True, False])
        self.assertEqual(same, 0)

    def test_rows_of_one_report_only_are_counted(self):
        _, _, only = compare.row_changes(report([result(1, 1, 1, size=8)]), report([result(1, 1, 1)]))
        self.assertEqual(only, [1, 1])

    def test_a_row_that_failed_is_not_compared(self):
        self.assertEqual(self.moved(result(100, 90, 110), result(None, None, None, fault="lost message")), [])

    def test_rates_of_the_sweep_are_rows_of_their_own(self):
        old = [result(1, 1, 1, mode="blocking", rate=rate, cpu_ns_per_msg=100.0) for rate in (1e3, 1e4)]
        new = [result(1, 400, 400, mode="blocking", rate=1e4, cpu_ns_per_msg=400.0)]
        moved, _, only = compare.row_changes(report(old), report(new))
        self.assertIn("at 10 k/s: 100 -> 400 CPU ns/msg, +300%, worse", moved[0])
        self.assertEqual(only, [1, 0])

    def test_targets_agree_within_fifteen_percent(self):
        apart, agree = compare.target_changes(report([], [target(1.0)]), report([], [target(1.15)]))
        self.assertEqual((apart, agree), ([], 1))
        apart, agree = compare.target_changes(report([], [target(1.0)]), report([], [target(1.2)]))
        self.assertIn("1.00 -> 1.20 x the pipe, 20% apart", apart[0])
        self.assertEqual(agree, 0)

    def test_two_files_are_compared(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder, name) for name in ("old", "new")]
            for path, median in zip(paths, (100, 200)):
                path.write_text(json.dumps(report([result(median, median, median)], [target(2.0)])), encoding="utf-8")
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                compare.main(*paths)
        self.assertIn("1 rows moved by more than their spread, 0 did not\n", said.getvalue())
        self.assertIn("0 figures of targets are more than 15% apart, 1 are not", said.getvalue())


if __name__ == "__main__":
    unittest.main()
