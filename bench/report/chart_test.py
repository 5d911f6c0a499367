#!/usr/bin/env python3
"""What a chart holds: well-formed SVG, every line under its name, labels that do not overlap, ticks around all values."""
# SPDX-License-Identifier: MIT

import unittest
import xml.etree.ElementTree as tree

import chart

SVG = "{http://www.w3.org/2000/svg}"


class Charts(unittest.TestCase):
    lines = [("ours", True, [(8, 1e8), (64, 5e7), (1024, 2e7)]), ("a <peer>", False, [(8, 1.1e8), (64, 5.1e7), (1024, 2e7)])]

    def drawn(self, **options):
        return tree.fromstring(chart.line_chart("Title", "below it", "size", "rate", self.lines, **options))

    def words(self, drawn):
        return [element.text for element in drawn.iter(SVG + "text")]

    def test_names_title_and_units_are_there(self):
        self.assertLessEqual({"Title", "below it", "size", "rate", "ours", "a <peer>"}, set(self.words(self.drawn())))

    def test_every_value_is_inside_the_frame(self):
        for line in self.drawn().iter(SVG + "polyline"):
            for point in line.get("points").split():
                x, y = map(float, point.split(","))
                self.assertTrue(chart.LEFT <= x <= chart.WIDTH and chart.TOP <= y <= chart.HEIGHT - chart.BOTTOM, point)

    def test_lines_differ_without_colour(self):
        self.assertEqual(len({chart.style(rank)[1] for rank in range(len(chart.COLOURS))}), len(chart.COLOURS))
        self.assertEqual(len({chart.style(rank) for rank in range(2 * len(chart.COLOURS))}), 2 * len(chart.COLOURS))
        self.assertEqual(len({chart.style(rank)[:2] for rank in range(2 * len(chart.COLOURS))}), 2 * len(chart.COLOURS))

    def test_labels_keep_their_distance(self):
        placed = sorted(chart.place_labels([100, 101, 102, 300, 434, 434], 64, 434).values())
        self.assertTrue(all(b - a >= chart.LABEL_GAP - 1e-9 for a, b in zip(placed, placed[1:])), placed)
        self.assertLessEqual(placed[-1], 434)

    def test_logarithmic_ticks_enclose_the_values(self):
        for low, high in ((3, 4), (1, 1), (0.02, 7e6), (10, 1000)):
            ticks = chart.log_ticks(low, high)
            self.assertTrue(ticks[0] <= low and ticks[-1] >= high, (low, high, ticks))

    def test_even_ticks_begin_at_nothing(self):
        self.assertEqual(chart.even_ticks(2)[0], 0)
        self.assertGreaterEqual(chart.even_ticks(1.9)[-1], 1.9)


if __name__ == "__main__":
    unittest.main()
