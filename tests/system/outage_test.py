"""Outage: the controller is away for a day of event time, and the agent is enrolled anew.

SPDX-License-Identifier: Apache-2.0
"""

import json
import shutil
import socket
import time

import agent_rig
import pytest

T0 = 1341100800
FEATURES = [f"f{i:02}" for i in range(19)]


@pytest.fixture
def pair(tmp_path):
    fleet, host = agent_rig.running(tmp_path / "host")
    conf = host.agent_folder / "agent.conf"
    conf.write_text(conf.read_text().replace('window = "1h"', 'window = "60s"'))
    host.stop()
    hellos = len(fleet.hellos)
    host.start()
    fleet.wait_connected(since=hellos)
    yield fleet, host
    host.kill_all()
    fleet.close()


def feed(host, first, rows, step):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(host.agent_folder / "agent.sock"))
        for i in range(rows):
            t = first + i * step
            s.sendall(json.dumps({
                "model": agent_rig.MODEL, "version": "v2", "id": str(t), "ts": t,
                "features": {name: (t * (k + 3)) % 97 for k, name in enumerate(FEATURES)},
                "prediction": t % 11}).encode() + b"\n")


def model(host):
    return host.status()["intake"]["models"][0]


def totals(fleet):
    windows = fleet.windows
    return (sum(w["observed"] for w in windows), sum(w["rows"] for w in windows),
            sum(w["late"] for w in windows),
            sum(sum(w.get("dropped", {}).values()) for w in windows))


def test_a_day_away_costs_four_mebibytes_and_is_told_within_seconds(pair):
    fleet, host = pair
    fleet.leave()
    rows = 1440 * 2
    feed(host, T0, rows, 30)
    fleet.wait("the rows", lambda: model(host)["observed"] == rows, 120)
    # A day went by in seconds, so what is rewritten once a second lags behind.
    fleet.wait("4 MiB", lambda: host.status()["spool"]["bytes"] <= 4 << 20, 120)
    spool = host.status()["spool"]
    assert spool["windows"] <= 65 and spool["merged"] > 1000
    assert host.status()["link"]["state"] != "up"  # and it answers meanwhile
    begin = time.monotonic()
    fleet.come_back()
    fleet.wait("the spool", lambda: host.status()["spool"]["entries"] == 0, 120)
    print(f"a day away: {spool['bytes'] / 2**20:.2f} MiB, resumed and acknowledged in "
          f"{time.monotonic() - begin:.1f} s, {len(fleet.windows)} windows")
    told, merged, late, dropped = totals(fleet)
    now = model(host)
    assert told == merged + late + dropped
    assert (merged, late, dropped) == (now["merged"], now["late"], 0)
    assert told + now["open_rows"] == rows


def test_what_was_spooled_is_told_once_after_a_new_enrolment(pair):
    fleet, host = pair
    feed(host, T0, 100, 30)
    fleet.wait("windows", lambda: fleet.windows and
               host.status()["spool"]["entries"] == 0, 60)
    fleet.leave()
    feed(host, T0 + 3000, 200, 30)
    fleet.wait("the rows", lambda: model(host)["observed"] == 300, 60)
    host.kill()
    # A new identity for the same host: new keys, a new grant, the same spool.
    for name in ("grant", "roots", "host"):
        (host.agent_folder / name).unlink()
    shutil.rmtree(host.agent_folder / "keys")
    before = fleet.agent
    fleet.used_by = None
    fleet.come_back()
    done = host.enroll()
    assert done.returncode == 0, done.stdout
    assert fleet.agent != before
    hellos = len(fleet.hellos)
    host.start()
    fleet.wait_connected(since=hellos)
    feed(host, T0 + 9000, 4, 30)
    feed(host, T0 + 9120, 4, 30)
    fleet.wait("the spool", lambda: model(host)["observed"] >= 308 and
               host.status()["spool"]["entries"] == 0, 60)
    told, merged, late, dropped = totals(fleet)
    now = model(host)
    assert told == merged + late + dropped
    assert told + now["open_rows"] == 308 == now["observed"]
    assert merged == now["merged"] and dropped == now["dropped"]["crash"]
