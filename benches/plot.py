#!/usr/bin/env python3
"""Draws the charts of docs/measured.md, as SVG, from what the benchmarks wrote: a JSON object a row.

usage: plot.py CHARTS FOLDER...

Figures of a benchmark NAME are read from the first FOLDER that has NAME.jsonl; CHARTS is where the charts go. Where that
folder has allowed-curve.jsonl too, latencies are drawn as curves.
"""
import json
import math
import os
import sys
from html import escape

# The points of a curve of latencies, in thousandths of all requests: those of benches/load.rs.
CURVE = [50, 100, 250, 500, 750, 900, 950, 980, 990, 995, 999]
WIDTH, LEFT, RIGHT, TOP, ROW = 780, 268, 90, 48, 30
# Colours that are told apart on white and on black; text follows the reader's scheme.
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1c2024 }
  .title { font-weight: 600; font-size: 15px }
  .small { font-size: 11px; fill: #60666d }
  .grid { stroke: #d5d9de; stroke-width: 1 }
  .reference { stroke: #60666d; stroke-width: 1.5; stroke-dasharray: 5 4 }
  .first { fill: #2f6fde; stroke: #2f6fde }
  .second { fill: #d9822b; stroke: #d9822b }
  .third { fill: #2a9d63; stroke: #2a9d63 }
  .fourth { fill: #a24bc0; stroke: #a24bc0 }
  .fifth { fill: #c23b4b; stroke: #c23b4b }
  .line { fill: none; stroke-width: 2.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6e8ea } .small { fill: #a3a9b0 } .grid { stroke: #3a4047 } .reference { stroke: #a3a9b0 }
    .first { fill: #74a5ff; stroke: #74a5ff } .second { fill: #f0a04b; stroke: #f0a04b }
    .third { fill: #5fd39a; stroke: #5fd39a } .fourth { fill: #cf8be8; stroke: #cf8be8 } .fifth { fill: #f07f8c; stroke: #f07f8c }
  }
"""


def number(value):
    """A figure as people write it."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def dot(x, y, kind, radius=5):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}"/>'


def document(title, height, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", text(16, 24, title, "title"), *parts, "</svg>", ""])


class Scale:
    """From figures to places on a line."""

    def __init__(self, low, high, start, end, logarithmic=False):
        self.low, self.high, self.start, self.end, self.logarithmic = low, high, start, end, logarithmic

    def __call__(self, value):
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self):
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        step = 10 ** math.floor(math.log10(self.high / 2))
        step *= next(factor for factor in (1, 2, 5, 10) if self.high / (step * factor) <= 6)
        return [step * n for n in range(int(self.high / step) + 1)]


def powers(values):
    """The powers of ten around the figures."""
    return 10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values)))


def grid(scale, bottom, unit):
    parts = []
    for tick in scale.ticks():
        parts += [line(scale(tick), TOP, scale(tick), bottom, "grid"), text(scale(tick), bottom + 16, number(tick), "small", "middle")]
    return parts + [text((scale.start + scale.end) / 2, bottom + 32, unit, "small", "middle")]


def rates(rows):
    """Bars of requests a second, and what pgbench does as a line across them."""
    base = next(row["rate"] for row in rows if row["what"] == "pgbench")
    bars = [row for row in rows if row["what"] != "pgbench"]
    scale = Scale(0, max(row["rate"] for row in rows) * 1.05, LEFT, WIDTH - RIGHT)
    bottom = TOP + 14 + ROW * len(bars)
    parts = grid(scale, bottom, "requests a second")
    for index, row in enumerate(bars):
        y = TOP + 14 + ROW * index
        parts += [
            text(LEFT - 10, y + 16, row["what"], "", "end"),
            f'<rect x="{LEFT}" y="{y + 4}" width="{scale(row["rate"]) - LEFT:.1f}" height="{ROW - 12}" rx="2" class="first"/>',
            text(scale(row["rate"]) + 6, y + 17, number(row["rate"]), "small"),
        ]
    parts += [line(scale(base), TOP, scale(base), bottom, "reference")]
    parts += [text(scale(base), TOP - 6, f"pgbench, the statement alone: {number(base)}", "small", "middle")]
    return document("Requests a second beside pgbench", bottom + 44, parts)


def spans(title, rows, names, kinds, logarithmic=False):
    """From the median to the slowest hundredth: a line a row, for each kind."""
    values = [row[key] for row in rows for key in ("p50_ms", "p99_ms")]
    low, high = powers(values) if logarithmic else (0, max(values) * 1.05)
    scale = Scale(low, high, LEFT, WIDTH - RIGHT, logarithmic)
    bottom = TOP + 14 + ROW * len(names)
    parts = grid(scale, bottom, "milliseconds: the median (full), and the slowest hundredth (hollow)")
    for index, name in enumerate(names):
        y = TOP + 14 + ROW * index + ROW / 2
        parts.append(text(LEFT - 10, y + 4, name, "", "end"))
        for place, (kind, colour) in enumerate(kinds.items()):
            row = next((row for row in rows if row["what"] == name and row.get("server", kind) == kind), None)
            if row is None:
                continue
            shift = y + (place - (len(kinds) - 1) / 2) * 10
            parts.append(line(scale(row["p50_ms"]), shift, scale(row["p99_ms"]), shift, f"{colour} line"))
            parts.append(dot(scale(row["p50_ms"]), shift, colour, 4))
            parts.append(f'<circle cx="{scale(row["p99_ms"]):.1f}" cy="{shift:.1f}" r="4" class="{colour}" style="fill: none; stroke-width: 2"/>')
    if len(kinds) > 1:
        for place, (kind, colour) in enumerate(kinds.items()):
            x = WIDTH - 260 + 130 * place
            parts += [dot(x, 20, colour, 5), text(x + 10, 24, kind, "small")]
    return document(title, bottom + 44, parts)


def latencies(title, rows):
    """How long so many of all requests took at most: a curve a row, stretched towards the slowest."""
    height, left, right = 360, 80, WIDTH - 40
    horizontal = Scale(0, -math.log10(1 - CURVE[-1] / 1000), left, right)
    bottom = height - 50
    vertical = Scale(0, max(value for row in rows for value in row["ms"]) * 1.05, bottom, TOP + 10)

    def place(thousandths):
        return horizontal(-math.log10(1 - thousandths / 1000))

    parts = []
    for point in (500, 900, 990, 999):
        parts += [line(place(point), TOP + 10, place(point), bottom, "grid"), text(place(point), bottom + 16, f"{number(point / 10)} %", "small", "middle")]
    for tick in vertical.ticks():
        parts += [line(left, vertical(tick), right, vertical(tick), "grid"), text(left - 8, vertical(tick) + 4, number(tick), "small", "end")]
    parts += [text((left + right) / 2, bottom + 34, "so many of all requests", "small", "middle"), text(left, TOP + 2, "took at most so many milliseconds", "small")]
    for index, (row, colour) in enumerate(zip(rows, ("first", "second", "third", "fourth", "fifth"))):
        points = [(place(point), vertical(value)) for point, value in zip(CURVE, row["ms"])]
        path = " ".join(f"{'M' if step == 0 else 'L'}{x:.1f} {y:.1f}" for step, (x, y) in enumerate(points))
        y = TOP + 28 + 18 * index
        parts += [f'<path d="{path}" class="{colour} line" style="fill: none"/>', dot(left + 20, y, colour, 5), text(left + 32, y + 4, row["what"], "small")]
    return document(title, height, parts)


def curve(title, points, across, up, reference=None):
    """A line through points, each a pair of figures; across is logarithmic, and so is up where there is a reference."""
    height, left, right = 300, 80, WIDTH - 60
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = powers(xs)
    horizontal = Scale(low, max(high, low * 10), left, right, True)
    bottom = height - 50
    if reference:
        low, high = powers(ys)
        vertical = Scale(low, max(high, low * 10), bottom, TOP + 10, True)
    else:
        vertical = Scale(0, max(ys) * 1.15, bottom, TOP + 10)
    parts = []
    for tick in horizontal.ticks():
        parts += [line(horizontal(tick), TOP + 10, horizontal(tick), bottom, "grid"), text(horizontal(tick), bottom + 16, number(tick), "small", "middle")]
    for tick in vertical.ticks():
        parts += [line(left, vertical(tick), right, vertical(tick), "grid"), text(left - 8, vertical(tick) + 4, number(tick), "small", "end")]
    parts += [text((left + right) / 2, bottom + 34, across, "small", "middle"), text(left, TOP + 2, up, "small")]
    if reference:
        (x0, y0), (x1, _) = points[0], points[-1]
        parts += [line(horizontal(x0), vertical(y0), horizontal(x1), vertical(y0 * x1 / x0), "reference")]
        parts += [text(horizontal(x1) - 8, vertical(y0 * x1 / x0) - 6, reference, "small", "end")]
    path = " ".join(f"{'M' if index == 0 else 'L'}{horizontal(x):.1f} {vertical(y):.1f}" for index, (x, y) in enumerate(points))
    parts.append(f'<path d="{path}" class="first line" style="fill: none"/>')
    for x, y in points:
        parts += [dot(horizontal(x), vertical(y), "first"), text(horizontal(x), vertical(y) + 20, number(y), "small", "middle")]
    return document(title, height, parts)


def charts(name, rows, curves):
    """The charts of a benchmark, by the names of their files."""
    if name == "allowed":
        asked = [row for row in rows if "p50_ms" in row]
        yield "allowed", rates(rows)
        latency = "Latency, with 64 connections at once"
        names = [row["what"] for row in asked]
        yield "allowed-latency", latencies(latency, curves) if curves else spans(latency, asked, names, {"gatehouse": "first"})
    elif name == "push":
        yield "push", curve("Decisions about a push", [(row["refs"], row["rate"]) for row in rows], "changed refs of a push", "decisions a second")
    elif name == "apply":
        points = [(row["users"], row["seconds"]) for row in rows if row["what"] == "applied"]
        yield "apply", curve("Applying a state document", points, "users of the document", "seconds", "if it grew as the document does")
    elif name == "scim":
        names = list(dict.fromkeys(row["what"] for row in rows))
        kinds = {"gatehouse": "first", "scim2-server": "second"}
        yield "scim", spans("SCIM among 100,000 users", rows, names, kinds, logarithmic=True)


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(row) for row in file if row.strip()]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    out, *folders = sys.argv[1:]
    for name in ("allowed", "push", "apply", "scim"):
        found = [os.path.join(folder, f"{name}.jsonl") for folder in folders]
        found = next((path for path in found if os.path.exists(path)), None)
        if found is None:
            print(f"no figures of {name}: run bin/bench {name}", file=sys.stderr)
            continue
        curves = found.replace(".jsonl", "-curve.jsonl")
        for chart, drawn in charts(name, read(found), read(curves) if os.path.exists(curves) else None):
            path = os.path.join(out, f"{chart}.svg")
            with open(path, "w", encoding="utf-8") as file:
                file.write(drawn)
            print(f"{path} from {found}")


if __name__ == "__main__":
    main()
