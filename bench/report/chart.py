"""Line charts as SVG, written by hand: no library, small files, the same look everywhere.

Made for readers who do not see colours: each line has a marker of its own and its name at its end, in order of height. The
colours are those of Okabe and Ito, which stay apart for the common forms of colour blindness. Ours are drawn thicker.
"""
# SPDX-License-Identifier: MIT

import math
from xml.sax.saxutils import escape

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#777777"]
MARKERS = ["circle", "square", "triangle", "diamond", "cross", "plus", "down", "ring"]
WIDTH, HEIGHT = 880, 500
LEFT, RIGHT, TOP, BOTTOM = 84, 222, 64, 66
LABEL_GAP = 16
TICKS_AT = {True: (1, 2, 5), False: (1,)}


def marker(kind, x, y, colour):
    s = 4.5
    if kind in ("circle", "ring"):
        fill = colour if kind == "circle" else "#ffffff"
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{s - 0.5}" fill="{fill}" stroke="{colour}" stroke-width="1.6"/>'
    if kind == "square":
        return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{colour}"/>'
    shapes = {"triangle": ((0, -s - 1), (s, s - 1), (-s, s - 1)), "down": ((0, s + 1), (s, 1 - s), (-s, 1 - s)),
              "diamond": ((0, -s - 1), (s + 1, 0), (0, s + 1), (-s - 1, 0))}
    if kind in shapes:
        corners = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shapes[kind])
        return f'<polygon points="{corners}" fill="{colour}"/>'
    strokes = {"cross": ((-s, -s, s, s), (-s, s, s, -s)), "plus": ((-s - 1, 0, s + 1, 0), (0, -s - 1, 0, s + 1))}
    return "".join(f'<line x1="{x + a:.1f}" y1="{y + b:.1f}" x2="{x + c:.1f}" y2="{y + d:.1f}" stroke="{colour}" '
                   'stroke-width="2"/>' for a, b, c, d in strokes[kind])


def text(x, y, words, size=13, anchor="middle", colour="#333333", more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"{more}>'
            f"{escape(words)}</text>")


def in_short(value):
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g} {name}"
    return f"{value:g}"


class Axis:
    """Maps values to pixels from `first` to `last`, by their logarithms where `log` says so."""

    def __init__(self, values, first, last, log, ticks=None):
        self.log, self.first, self.last = log, first, last
        low, high = min(values), max(values)
        if ticks is None:
            ticks = [(value, in_short(value)) for value in (log_ticks(low, high) if log else even_ticks(high))]
            low, high = min(low, ticks[0][0]), max(high, ticks[-1][0])
        self.ticks = ticks
        self.low, self.high = self.scaled(low), self.scaled(high)

    def scaled(self, value):
        return math.log10(value) if self.log else value

    def at(self, value):
        part = 0.5 if self.high == self.low else (self.scaled(value) - self.low) / (self.high - self.low)
        return self.first + part * (self.last - self.first)


def log_ticks(low, high):
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    dense = last - first <= 3
    ticks = [step * 10.0 ** power for power in range(first, last + 1) for step in TICKS_AT[dense]]
    below = [tick for tick in ticks if tick <= low]
    above = [tick for tick in ticks if tick >= high]
    return [tick for tick in ticks if below[-1] <= tick <= above[0]]


def even_ticks(high):
    step = 10.0 ** math.floor(math.log10(high or 1))
    while high / step < 4:
        step /= 2
    return [step * count for count in range(math.ceil(high / step) + 1)]


def style(rank):
    """Colour, marker and dashes of a line: where colours come again, their markers and dashes are others."""
    again, place = divmod(rank, len(COLOURS))
    return COLOURS[place], MARKERS[(place + 3 * again) % len(MARKERS)], ' stroke-dasharray="6 4"' if again else ""


def place_labels(wanted, low, high):
    """Heights as wanted, or moved so far that no two are closer than a line of text."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = []
    for index in order:
        placed.append(max(wanted[index], placed[-1] + LABEL_GAP if placed else low))
    for back in range(len(placed) - 1, -1, -1):
        most = high if back == len(placed) - 1 else placed[back + 1] - LABEL_GAP
        placed[back] = min(placed[back], most)
    return dict(zip(order, placed))


def line_chart(title, subtitle, x_label, y_label, lines, x_log=True, y_log=True, x_ticks=None):
    """`lines`: (name, ours?, [(x, y), ...]) with values above 0 where an axis is logarithmic. Returns the SVG's text."""
    points = [point for _, _, line in lines for point in line]
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    x_axis = Axis([x for x, _ in points], LEFT + 14, right - 14, x_log, x_ticks)
    y_axis = Axis([y for _, y in points] + ([] if y_log else [0]), bottom, TOP, y_log)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
           f'font-family="Helvetica, Arial, sans-serif" role="img" aria-label="{escape(title)}">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
           text(LEFT, 26, title, 17, "start", "#000000", ' font-weight="bold"'),
           text(LEFT, 46, subtitle, 13, "start", "#555555")]
    for value, words in y_axis.ticks:
        y = y_axis.at(value)
        out.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#dddddd"/>')
        out.append(text(LEFT - 8, y + 4.5, words, anchor="end"))
    for value, words in x_axis.ticks:
        x = x_axis.at(value)
        out.append(f'<line x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 5}" stroke="#333333"/>')
        out.append(text(x, bottom + 20, words))
    out.append(f'<polyline points="{LEFT},{TOP} {LEFT},{bottom} {right},{bottom}" fill="none" stroke="#333333"/>')
    out.append(text((LEFT + right) / 2, HEIGHT - 18, x_label, 14))
    out.append(text(0, 0, y_label, 14, more=f' transform="translate(20 {(TOP + bottom) / 2:.1f}) rotate(-90)"'))
    labels = place_labels([y_axis.at(line[-1][1]) for _, _, line in lines], TOP, bottom)
    ranked = sorted(range(len(lines)), key=lambda index: not lines[index][1])  # ours take the first, strongest colours
    for rank, index in enumerate(ranked):
        name, ours, line = lines[index]
        colour, shape, dashes = style(rank)
        path = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{3 if ours else 1.6}" '
                   f'stroke-linejoin="round"{dashes}/>')
        out.extend(marker(shape, x_axis.at(x), y_axis.at(y), colour) for x, y in line)
        end_x, end_y = x_axis.at(line[-1][0]), y_axis.at(line[-1][1])
        out.append(f'<polyline points="{end_x + 6:.1f},{end_y:.1f} {right + 12},{labels[index]:.1f} '
                   f'{right + 18},{labels[index]:.1f}" fill="none" stroke="{colour}" '
                   'stroke-width="1" stroke-dasharray="1 3"/>')
        out.append(marker(shape, right + 25, labels[index], colour))
        weight = ' font-weight="bold"' if ours else ""
        out.append(text(right + 35, labels[index] + 4.5, name, 13, "start", "#000000", weight))
    out.append("</svg>")
    return "\n".join(out) + "\n"
