"""What the tests of the doors share: a host with many models, posted messages, and the
figures in a window's profiles.

SPDX-License-Identifier: Apache-2.0
"""

import http.client
import json
import pathlib
import struct

import agent_rig

PAYLOADS = pathlib.Path(__file__).resolve().parents[1] / "data" / "payloads"
LENGTHS = (0, 1, 2, 4)
COUNTERS = 11
FIRST_S = 1700000000 // 60 * 60  # event time of the tests: a minute's begin


def conf(*models, doors="", window="60s", more=""):
    """The models and doors of an agent.conf."""
    return "".join(f'model "{m}" {{ window = "{window}"  lateness = "0s" {more} }}\n'
                   for m in models) + doors


def lower_counts(data, at, n):
    """One row of `n` counts: two bits each for its length, then the counts."""
    classes = data[at:at + (n + 3) // 4]
    at += len(classes)
    out = []
    for i in range(n):
        size = LENGTHS[classes[i // 4] >> (i % 4 * 2) & 3]
        out.append(int.from_bytes(data[at:at + size], "little"))
        at += size
    return out, at


def figures(data):
    """Rows, missing, mean, least and most of a profile's bytes."""
    flags, at = data[1], 2
    cells = 0
    if flags & 0x08:
        cells = data[at + 8]
        at += 9
    assert data[at] == 0, "counts of eight bytes"
    counts, at = lower_counts(data, at + 1, COUNTERS + bool(flags & 0x10) + cells)
    out = {"rows": counts[0], "missing": counts[1], "cells": counts[-cells:] if cells else []}
    if flags & 3 != 1 and counts[0] > counts[1] + counts[2]:
        mean, m2 = struct.unpack_from("<dd", data, at)
        form = "<ff" if flags & 0x04 else "<dd"
        least, most = struct.unpack_from(form, data, at + 16)
        out.update(mean=mean, m2=m2, min=least, max=most)
    return out


class Doors:
    """A fleet and an agent with the doors that a test wants."""

    def __init__(self, folder, config):
        self.fleet = agent_rig.Fleet()
        self.host = agent_rig.Host(folder, self.fleet)
        done = self.host.enroll()
        assert done.returncode == 0, done.stdout
        self.host.configure(config)
        self.host.start_server()
        self.start()

    def start(self):
        hellos = len(self.fleet.hellos)
        self.host.start()
        self.fleet.wait_connected(since=hellos)

    def close(self):
        self.host.kill_all()
        self.fleet.close()

    def door(self, name):
        return next(d for d in self.host.status()["doors"] if d["name"] == name)

    def model(self, name):
        models = self.host.status()["intake"]["models"]
        return next(m for m in models if m["model"] == name)

    def wait(self, what, ready, seconds=60):
        self.fleet.wait(what, ready, seconds)

    def windows(self, model):
        return [w for w in self.fleet.windows if w["model"] == model]

    def features(self, model, start_s):
        """(name, role) -> figures, of the window that began at start_s; waits for it."""
        def found():
            return [w for w in self.windows(model)
                    if w["start"] == start_s * 10**9 and w["features"]]
        self.wait(f"the window of {model}", found)
        return {(f["name"], f["role"]): figures(f["profile"]) for f in found()[0]["features"]}

    def post(self, path, body, headers=None, door="http"):
        link = http.client.HTTPConnection("127.0.0.1", self.door(door)["port"], timeout=30)
        link.request("POST", path, body, headers or {})
        answer = link.getresponse()
        text = answer.read()
        link.close()
        return answer.status, text


def messages(name):
    """(first line, headers, body) of each message in a payload."""
    rest, out = (PAYLOADS / name).read_bytes(), []
    while rest:
        head, rest = rest.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        size = int(next((v for k, v in headers.items() if k.lower() == "content-length"), len(rest)))
        out.append((first, headers, rest[:size]))
        rest = rest[size:]
    return out


def cases():
    with open(PAYLOADS / "manifest.json") as f:
        return json.load(f)["cases"]
