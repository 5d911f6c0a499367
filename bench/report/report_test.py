#!/usr/bin/env python3
"""Makes the report for people from a small real run, and looks for what must be in it.

usage: report_test.py REPORT.json OUTPUT.md
"""
# SPDX-License-Identifier: MIT

import copy
import json
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree as tree

import report


class Report(unittest.TestCase):
    def setUp(self):
        report.main(REPORT, OUTPUT)
        self.text = OUTPUT.read_text(encoding="utf-8")
        self.results = json.loads(pathlib.Path(REPORT).read_text(encoding="utf-8"))

    def test_no_mark_is_left_unfilled(self):
        self.assertNotIn("{{", self.text)
        self.assertNotIn("(no ", self.text)

    def test_the_command_is_said_without_the_folders_of_this_machine(self):
        self.assertIn("| command | ipc_bench ", self.text)
        self.assertNotIn(str(pathlib.Path(REPORT).resolve().parent), self.text)

    def test_every_transport_of_the_run_has_a_row(self):
        for name in {r["transport"] for r in self.results["results"]} - {"floor"}:
            self.assertIn(f"| {name}, ", self.text)

    def test_every_transport_says_how_it_was_set_up(self):
        setup = self.text[self.text.index("## How each was set up"):]
        for name in {r["transport"] for r in self.results["results"]}:
            kind, _, last = name.rpartition("-")
            self.assertTrue(name in setup or (kind in setup and f"-{last}" in setup), name)

    def test_every_target_has_its_verdict(self):
        for target in self.results["targets"]:
            verdict = {True: "hit", False: "**miss**", None: "not measured"}[target["hit"]]
            rows = [line for line in self.text.splitlines() if line.startswith(f"| {target['of']} | {target['row']} |")]
            self.assertTrue(any(f"| {verdict}" in row for row in rows), target)

    def test_the_charts_are_there_and_well_formed(self):
        charts = sorted(OUTPUT.with_suffix("").glob("*.svg"))
        self.assertGreaterEqual(len(charts), 6, charts)
        for path in charts:
            tree.parse(path)
            self.assertIn(f"({path.parent.name}/{path.name})", self.text)

    def test_an_earlier_run_says_how_noisy_a_row_is(self):
        earlier = copy.deepcopy(self.results)
        earlier["environment"]["date"] = "2020-01-01T00:00:00Z"
        judged = next(t for t in earlier["targets"] if t["measured"])
        judged["measured"] *= 2
        with tempfile.TemporaryDirectory() as folder:
            before, output = pathlib.Path(folder, "before.json"), pathlib.Path(folder, "out.md")
            before.write_text(json.dumps(earlier), encoding="utf-8")
            report.main(REPORT, output, before)
            self.assertIn("noisy: 100% apart", output.read_text(encoding="utf-8"))

    def test_a_run_of_a_minute_ago_is_no_second_opinion(self):
        with tempfile.TemporaryDirectory() as folder:
            output = pathlib.Path(folder, "out.md")
            report.main(REPORT, output, REPORT)
            self.assertIn("too close", output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    OUTPUT = pathlib.Path(sys.argv.pop())
    REPORT = sys.argv.pop()
    unittest.main()
