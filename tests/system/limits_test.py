"""Limits: an agent that may take less makes do with less, and says so.

SPDX-License-Identifier: Apache-2.0
"""

import os
import signal
import socket
import time

import agent_rig
import pytest


@pytest.fixture
def pair(tmp_path):
    fleet, host = agent_rig.running(tmp_path / "host")
    yield fleet, host
    host.kill_all()
    fleet.close()


def reload(fleet, host, extra):
    conf = host.agent_folder / "agent.conf"
    before = host.log().count("configuration read again")
    conf.write_text(conf.read_text() + extra)
    host.process.send_signal(signal.SIGHUP)
    fleet.wait("the new configuration",
               lambda: host.log().count("configuration read again") > before, 60)


def test_over_its_memory_windows_become_longer_and_nothing_is_lost(pair):
    fleet, host = pair
    reload(fleet, host, 'limits { memory = "8MiB" }\n')  # less than the program itself
    fleet.wait("strain", lambda: host.status()["limits"]["level"] == 3, 60)
    assert host.status()["limits"]["windows_longer"] == 64
    host.feed(60 * 24 * 12)
    fleet.wait("the rows", lambda: host.status()["intake"]["models"][0]["observed"]
               == 60 * 24 * 12, 120)
    fleet.wait("windows", lambda: any(w.get("flags", 0) & 2 for w in fleet.windows), 60)
    model = host.status()["intake"]["models"][0]
    assert model["observed"] == model["merged"] + model["open_rows"]
    longest = max(w["end"] - w["start"] for w in fleet.windows)
    assert longest == 64 * 3600 * 10**9


def test_over_its_share_of_the_processor_rows_wait_and_nothing_is_lost(pair):
    fleet, host = pair
    reload(fleet, host, "limits { cpu = 1 }\n")
    host.feed(20000)
    fleet.wait("a pause", lambda: host.status()["limits"]["paused_ms"] > 0, 120)
    fleet.wait("the rows", lambda: host.status()["intake"]["models"][0]["observed"]
               == 20000, 240)


def test_a_clock_that_differs_is_told_as_skew(pair):
    fleet, host = pair
    assert abs(host.status()["link"]["clock_offset_ms"]) < 5000 and not fleet.notices
    fleet.skew_s = 90
    hellos = len(fleet.hellos)
    fleet.leave()
    fleet.come_back()
    fleet.wait("the notice", lambda: fleet.notices and len(fleet.hellos) > hellos, 60)
    notice = fleet.notices[0]
    assert notice["kind"] == "clock_skew" and "s behind the controller's" in notice["detail"]
    link = host.status()["link"]
    assert abs(link["clock_offset_ms"] - 90000) <= 5000 + link["clock_offset_error_ms"]
    fleet.skew_s = 0
    fleet.leave()
    fleet.come_back()
    fleet.wait("the end of it", lambda: len(fleet.notices) == 2, 60)
    assert fleet.notices[1]["kind"] == "clock_skew_over"


def test_it_tells_the_service_manager_that_it_lives(pair, tmp_path):
    fleet, host = pair
    host.stop()
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(60)
        os.environ.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="400000")
        try:
            host.start()
        finally:
            del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]
        said, until = "", time.monotonic() + 180
        while said.count("WATCHDOG=1") < 3 and time.monotonic() < until:
            said += s.recv(4096).decode() + "\n"
        assert "READY=1" in said and said.count("WATCHDOG=1") >= 3
        host.process.send_signal(signal.SIGHUP)
        while "RELOADING=1" not in said and time.monotonic() < until:
            said += s.recv(4096).decode() + "\n"
        assert "RELOADING=1" in said
