"""Streams: kedge replay on recorded streams, scored against the changes that are known.

Usage: streams.py KEDGE FOLDER   (FOLDER holds manifest.json and the streams it names)

SPDX-License-Identifier: Apache-2.0
"""

import json
import pathlib
import subprocess
import sys


def replay(kedge, folder, stream):
    done = subprocess.run([kedge, "replay", folder / stream["file"], "--manifest",
                           folder / "manifest.json", "--name", stream["name"], "-o",
                           "json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def window_of(stream, change, alarm):
    """Windows from the change to the alarm; the one that holds the change is 1."""
    if stream["window_s"]:
        # the alarm carries the end of its window
        return -(-(alarm["ts"] - change["ts"]) // stream["window_s"])
    return alarm["row"] // stream["window_rows"] - change["row"] // stream["window_rows"] + 1


def belongs(stream, change, alarm):
    performance = alarm["signal"] in ("loss", "bias")
    if change["kind"] in ("version", "concept"):
        return performance
    return alarm["feature"] in change["columns"]


def score_changes(stream, found):
    live = stream["reference_rows"]
    changes = [c for c in stream["change_points"] if c["row"] >= live]
    lines = []
    for c in sorted(changes, key=lambda c: c["row"]):
        hits = [a for a in found["alarms"] if belongs(stream, c, a) and a["row"] >= c["row"]]
        open_before = [a for a in found["alarms"] if belongs(stream, c, a)
                       and a["row"] < c["row"] and a["cleared_ts"] is None]
        if hits:
            a = hits[0]
            said = (f"{a['feature']} {a['signal']} {a['direction']} "
                    f"+{window_of(stream, c, a)} windows")
        else:
            said = "MISSED"
        if open_before:
            a = open_before[0]
            said += f" (open since row {a['row']}: {a['feature']} {a['signal']})"
        lines.append(f"row {c['row']} {c['kind']} {'/'.join(c['columns'])}: {said}")
    if changes:
        first = min(c["row"] for c in changes)
        before = [a for a in found["alarms"] if a["row"] < first]
        lines.append(f"{len(before)} alarms before the first change"
                     + "".join(f"; {a['feature']} {a['signal']} at row {a['row']}"
                               for a in before[:4]))
    return lines


def score_nab(stream, found):
    inside, hit, live = 0, 0, stream["reference_rows"]
    alarms = found["alarms"]
    used = set()
    for c in stream["change_points"]:
        if c["row"] < live:
            continue
        inside += 1
        own = [i for i, a in enumerate(alarms)
               if c["ts"] <= a["ts"] <= c["end_ts"] + stream["window_s"]]
        hit += bool(own)
        used.update(own)
    return [f"{hit} of {inside} labelled windows hit, "
            f"{len(alarms) - len(used)} alarms outside them"]


def score(stream, found):
    if stream["null"]:
        return ["nothing drifts"]
    if any(c["kind"] == "nab-window" for c in stream["change_points"]):
        return score_nab(stream, found)
    return score_changes(stream, found)


def main(kedge, folder):
    folder = pathlib.Path(folder)
    streams = json.loads((folder / "manifest.json").read_text())["streams"]
    print("## Recorded streams (`kedge replay`, default levels)\n")
    print("The window of the change counts as 1.\n")
    print("| stream | feature-windows | alarms | pages | outcome |\n|---|---|---|---|---|")
    for stream in streams:
        if not (folder / stream["file"]).exists():
            continue
        found = replay(kedge, folder, stream)
        lines = score(stream, found)
        lines += [f"{c['champion']} against {c['challenger']}: {c['verdict']} "
                  f"(day {(c['ts'] - stream_start(folder, stream)) // 86400})"
                  for c in found["contest"]]
        lines += [f"deployment of {d['version']}: {d['verdict']}"
                  + (", inputs moved as well" if d["withheld"] else "")
                  for d in found["deploy"][:1]]
        print(f"| {stream['name']} | {found['feature_windows']} | "
              f"{found['summary']['alarms']} | {found['summary']['page']} | "
              f"{'<br>'.join(lines)} |")
    print()


def stream_start(folder, stream):
    import csv
    import gzip
    with gzip.open(folder / stream["file"], "rt") as f:
        return int(next(csv.DictReader(f))[stream["timestamp"]])


if __name__ == "__main__":
    main(*sys.argv[1:3])
