"""Plot: the tables of tests/bench/detect as two small drawings.

Usage: plot.py FOLDER < TABLES   (writes FOLDER/false-alarms.svg and FOLDER/delay.svg from
the tables of nulls and power, where they are in the input)

SPDX-License-Identifier: Apache-2.0
"""

import math
import pathlib
import re
import sys

INK, SOFT, OURS = "#222", "#b9c3cc", "#1f6f8b"
WIDTH, LEFT, ROW = 640, 150, 18


def tables(text):
    """The rows of each table, by the heading above it."""
    found, rows = {}, None
    for line in text.split("\n"):
        if line.startswith("## "):
            rows = found.setdefault(line[3:], [])
        elif line.startswith("|") and rows is not None and not line.startswith("|---"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def head(height, title):
    return [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'font-family="sans-serif" font-size="11" fill="{INK}">',
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            f'<text x="8" y="18" font-size="13">{title}</text>']


def bar(y, label, share, text, ours):
    room = WIDTH - LEFT - 70
    return [f'<text x="{LEFT - 6}" y="{y + 12}" text-anchor="end">{label}</text>',
            f'<rect x="{LEFT}" y="{y + 2}" width="{max(share * room, 1):.0f}" '
            f'height="{ROW - 5}" fill="{OURS if ours else SOFT}"/>',
            f'<text x="{LEFT + max(share * room, 1) + 5:.0f}" y="{y + 12}">{text}</text>']


def draw_false_alarms(rows):
    """One row of the table: season, 1000 rows a window; a logarithmic scale."""
    names, values = rows[0][1:], next(r for r in rows if r[0] == "season 1000")[1:]
    height = 40 + ROW * len(names) + 10
    out = head(height, "False alarms per 1000 windows: daily and weekly season, 1,000 rows a "
                       "window (logarithmic)")
    for i, (name, value) in enumerate(zip(names, values)):
        v = float(value)
        share = 0 if v <= 0 else (math.log10(max(v, 0.03)) + 2) / 5
        out += bar(32 + i * ROW, name, share, value if v > 0 else "none in 30,000",
                   name.startswith("Kedge"))
    return "\n".join(out + ["</svg>\n"])


def delay(cell):
    """Median windows, or None when less than half were found."""
    first = cell.split()[0]
    return None if first == "-" else float(first)


def draw_delay(rows):
    """Season, 1000 rows: Kedge at equal false alarms beside the best peer of each shape."""
    chosen = [r for r in rows if re.match(r"season 1000, ", r[0])]
    ours = rows[0].index("Kedge equal")
    height = 58 + 2 * ROW * len(chosen)
    out = head(height, "Windows until found at one false alarm in 1000 windows; season, 1,000 "
                       "rows a window")
    out.append(f'<text x="8" y="34" fill="{OURS}">blue: Kedge</text>'
               f'<text x="90" y="34" fill="#667">grey: the best of six peer rules, each at an '
               f'ideal line</text>')
    for i, row in enumerate(chosen):
        peers = [d for d in map(delay, row[1:ours]) if d is not None]
        for k, value in enumerate([delay(row[ours]), min(peers) if peers else None]):
            share = 1 if value is None else math.log10(value + 1) / math.log10(101)
            text = "not found" if value is None else f"{value:.0f}"
            out += bar(44 + (2 * i + k) * ROW, row[0].split(", ")[1] if k == 0 else "",
                       share, text, k == 0)
    return "\n".join(out + ["</svg>\n"])


def main(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for title, rows in tables(sys.stdin.read()).items():
        if title.startswith("False alarms"):
            (folder / "false-alarms.svg").write_text(draw_false_alarms(rows))
        if title.startswith("Delay"):
            (folder / "delay.svg").write_text(draw_delay(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
