"""Agents that flood, do not read, break the rules or storm in: the others are served.

SPDX-License-Identifier: Apache-2.0
"""

import socket
import time

import pytest
import rig
import zmq

MESSAGE_MAX = 262_144
START = 1_772_460_000


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    c = rig.Controller(tmp_path_factory.mktemp("flood") / "c").start()
    yield c
    c.kill()


@pytest.fixture(scope="module")
def admin(controller):
    return controller.operator()


@pytest.fixture(scope="module")
def honest(controller, admin):
    return rig.enrolled(controller, admin, "honest", models="*")


def is_served(agent):
    """Another agent's window goes through, whatever the rest does."""
    agent.send(agent.window("honest", "v1", START + 60 * agent.seq, 1))
    return agent.wait_acked([agent.seq], timeout=60)


def memory(controller):
    text = open(f"/proc/{controller.process.pid}/status", encoding="ascii").read()
    return int([line for line in text.splitlines() if line.startswith("RssAnon")][0].split()[1])


def test_one_that_takes_no_notice_of_its_credit_is_stopped_alone(controller, admin, honest):
    wild = rig.enrolled(controller, admin, "wild", models="*")
    wild.dealer.socket.sndhwm = 0
    before = memory(controller)
    for i in range(3000):
        wild.send(wild.window("wild", "v1", START + 60 * i, 1))
        if i % 1000 == 999:
            assert is_served(honest)
    assert is_served(honest)
    assert memory(controller) - before < 100_000  # KiB; the sanitizer keeps what is freed
    wild.drain(1)
    assert len(wild.acked) < 3000  # its connection was cut, acknowledgements may be lost with it
    wild.close()


def test_beats_and_hellos_without_end_are_cut_off(controller, admin, honest):
    wild = rig.enrolled(controller, admin, "drummer", models="*")
    beat = rig.pack("kedge.beat.v1", {"hb": b"x" * 16, "time_ms": 1, "spool_entries": 0,
                                      "spool_bytes": 0})
    for _ in range(2000):
        wild.dealer.send(*beat)
    assert is_served(honest)
    end = time.monotonic() + 180
    while "agent cut off" not in controller.text():
        assert time.monotonic() < end
        time.sleep(0.1)
    wild.close()


def test_one_that_never_reads_holds_up_nobody(controller, admin, honest):
    deaf = rig.enrolled(controller, admin, "deaf", models="*")
    deaf.dealer.socket.rcvhwm = 1
    for i in range(300):
        deaf.send(deaf.window("deaf", "v1", START + 60 * i, 1))
        if i % 100 == 0:
            assert is_served(honest)
    assert is_served(honest)
    deaf.close()


def test_frames_beyond_the_limit_cost_no_memory(controller, admin, honest):
    assert is_served(honest)
    before = memory(controller)
    for size in (MESSAGE_MAX + 1, 2 * MESSAGE_MAX, 16 * MESSAGE_MAX):
        giant = rig.enrolled(controller, admin, f"giant-{size}", models="*")
        giant.send(b"\x00" * size)
        assert is_served(honest)
        giant.close()
    assert memory(controller) - before < 50_000  # KiB


def test_connections_that_say_nothing_and_storms_leave_the_port_open(controller, admin,
                                                                     honest):
    port = controller.base
    mute = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    assert is_served(honest)
    guests = []
    for i in range(60):  # strangers, and one host that comes back again and again
        guests.append(rig.Dealer(controller.endpoint("agent"), controller.key("agent")))
        guests[-1].socket.setsockopt(zmq.RECONNECT_IVL, 10)
        honest.close()
        if i % 10 == 0:
            honest.connect()
            assert honest.welcome(60)
            assert is_served(honest)
    honest.close()
    honest.connect()
    assert honest.welcome(60) and is_served(honest)
    for guest in guests:
        guest.close()
    for s in mute:
        s.close()
    assert is_served(honest)
