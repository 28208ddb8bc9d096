"""kedge-agent as a process: it reports everything once and obeys rightly, over real CURVE.

SPDX-License-Identifier: Apache-2.0
"""

import os
import random
import signal
import subprocess
import time

import agent_rig
import pytest
import wire


@pytest.fixture
def pair(tmp_path):
    fleet, host = agent_rig.running(tmp_path / "host")
    yield fleet, host
    host.kill_all()
    fleet.close()


def final(fleet, order):
    """The receipts of an order."""
    return [r for r in fleet.receipts if r["order"] == order["order"]]


def test_attests_and_says_what_it_can(pair):
    fleet, host = pair
    fleet.wait("an attestation", lambda: fleet.attests)
    one = fleet.attests[0]
    assert (one["version"], one["cause"]) == ("v2", "start")
    assert one["digest"] == host.digest("v2")
    executors = fleet.hellos[-1]["executors"]
    assert [(e["name"], e["kind"], e["digest"]) for e in executors] == [
        ("bike-symlink", "symlink", host.executor_digest())]
    fleet.wait("a beat that tells the version",
               lambda: fleet.beats[-1]["models"][0].get("version") == "v2")
    host.point("v3")  # a deployment by somebody else
    fleet.wait("another attestation", lambda: len(fleet.attests) == 2)
    assert (fleet.attests[1]["version"], fleet.attests[1]["cause"]) == ("v3", "switch")


def test_carries_out_an_order_and_signs_for_it(pair):
    fleet, host = pair
    order = fleet.order(host)
    fleet.send(order)
    fleet.wait("the receipt", lambda: final(fleet, order))
    receipt = final(fleet, order)[0]
    assert receipt["state"] == "done" and not receipt.get("code")
    assert (receipt["before_version"], receipt["after_version"]) == ("v2", "v1")
    assert receipt["after_digest"] == host.digest("v1")
    assert host.serves() == "v1"
    fleet.wait("the server", lambda: host.loads() == ["versions/v2", "versions/v1"])
    fleet.wait("the attestation", lambda: fleet.attests[-1]["version"] == "v1")
    assert fleet.attests[-1]["order"] == order["order"]


def test_an_order_played_again_has_no_effect(pair):
    fleet, host = pair
    order = fleet.order(host)
    frames = fleet.send(order)
    fleet.wait("the receipt", lambda: final(fleet, order))
    host.point("v2")
    fleet.send_frames(frames)                      # on the same connection
    fleet.leave()
    fleet.come_back()
    fleet.wait_connected(since=1)
    fleet.send_frames(frames)                      # after a reconnection
    fleet.wait("the refusal", lambda: len(final(fleet, order)) >= 2)
    host.stop()
    host.start()                                   # and after a restart
    fleet.wait_connected(since=2)
    fleet.send_frames(frames)
    fleet.wait("the refusal", lambda: len(final(fleet, order)) >= 3)
    assert {r["code"] for r in final(fleet, order)[1:]} == {"E_STALE_SESSION"}
    assert host.serves() == "v2" and host.loads().count("versions/v1") == 1


def wrong_orders(fleet, host):
    old_hb = os.urandom(16)
    return [
        (dict(fleet=os.urandom(16)), "E_FLEET"),
        (dict(agent=os.urandom(16)), "E_NOT_ME"),
        (dict(agent_key=os.urandom(8)), "E_NOT_ME"),
        (dict(sess=os.urandom(16)), "E_STALE_SESSION"),
        (dict(order=os.urandom(16)), "E_ORDER"),
        (dict(hb=old_hb), "E_EXPIRED"),
        (dict(ring=9), "E_KEY"),
        (dict(action="retrain"), "E_KEY"),  # no key may sign that
        (dict(model="fraud"), "E_SCOPE"),
        (dict(executor="other"), "E_EXECUTOR"),
        (dict(exec_digest=os.urandom(32)), "E_EXECUTOR"),
        (dict(params={"argv": "rm"}), "E_PARAM"),
        (dict(to_version="v2"), "E_TARGET"),
        (dict(to_version="v9", to_digest=None), "E_TARGET"),
        (dict(to_digest=os.urandom(32)), "E_DIGEST"),
        (dict(if_version="v3"), "E_PRECOND"),
        (dict(if_digest=os.urandom(32)), "E_PRECOND"),
    ]


def test_each_wrong_order_is_refused_with_its_reason(pair):
    fleet, host = pair
    chain = []
    for changes, code in wrong_orders(fleet, host):
        order = fleet.order(host, **changes)
        fleet.send(order)
        fleet.wait(code, lambda: final(fleet, order))
        receipt = final(fleet, order)[0]
        assert (receipt["state"] in ("refused", "expired"), receipt["code"]) == (True, code)
        chain.append(receipt)
    for before, after in zip(chain, chain[1:]):
        assert after["prev_receipt_hash"] == before["hash"]
    assert host.serves() == "v2"
    older = fleet.order(host)
    fleet.send(fleet.order(host))
    fleet.wait("the rollback", lambda: host.serves() == "v1")
    fleet.send(older)
    fleet.wait("the fence", lambda: final(fleet, older))
    assert final(fleet, older)[0]["code"] == "E_REPLAY"


def test_what_no_key_signed_is_not_even_answered(pair):
    fleet, host = pair
    fleet.send(fleet.order(host), seed=os.urandom(32))
    body = wire.encode("kedge.order.v1", fleet.order(host))
    sigs = wire.seal(fleet.order_seed, "kedge.order.v1", body)
    rng = random.Random(1)
    for _ in range(200):
        bad = bytearray(body)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        fleet.send_frames([b"kedge.order.v1", bytes(bad), sigs])
    fleet.send_frames([b"kedge.order.v1", b"\xdd\xff\xff\xff\xff", sigs])
    fleet.send_frames([b"kedge.order.v1", body])
    fleet.wait("the count", lambda: host.status()["orders"]["forged"] == 203)
    assert not fleet.receipts and host.serves() == "v2"
    order = fleet.order(host)
    fleet.send(order)
    fleet.wait("a good one", lambda: final(fleet, order))
    assert final(fleet, order)[0]["state"] == "done"


def test_a_veto_file_stops_everything(pair):
    fleet, host = pair
    (host.folder / "veto.d").mkdir()
    (host.folder / "veto.d" / "ALL").touch()
    order = fleet.order(host)
    fleet.send(order)
    fleet.wait("the veto", lambda: final(fleet, order))
    assert (final(fleet, order)[0]["state"], host.serves()) == ("vetoed", "v2")


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_it_switches_once_and_tells_the_truth(pair, seed):
    fleet, host = pair
    rng = random.Random(seed)
    versions = ["v2", "v1", "v3"]
    for i in range(6):
        now, to = versions[i % 3], versions[(i + 1) % 3]
        begin = len(fleet.hellos)
        order = fleet.order(host, if_version=now, to_version=to, to_digest=host.digest(to))
        fleet.send(order)
        time.sleep(rng.random() * 0.12)
        host.kill()
        loads = host.loads().count(f"versions/{to}")
        host.start()
        fleet.wait_connected(since=begin)
        # The controller signs the same decision again for the new session.
        fleet.wait("a beat", lambda: fleet.hellos and fleet.beats)
        again = dict(order, sess=fleet.hellos[-1]["sess"])
        until = time.monotonic() + 180
        while not final(fleet, order):
            assert time.monotonic() < until
            count = len(fleet.beats)
            fleet.wait("a fresh beat", lambda: len(fleet.beats) > count)
            fleet.send(dict(again, hb=fleet.beats[-1]["hb"]))
            time.sleep(0.1)
        receipt = final(fleet, order)[-1]
        assert receipt["state"] == "done", receipt
        assert host.serves() == to
        fleet.wait("the server to load it",
                   lambda: host.loads().count(f"versions/{to}") > max(0, loads - 1))
        assert len({r["state"] for r in final(fleet, order)}) == 1


def test_every_row_is_told_once_over_kills_and_absences(pair):
    fleet, host = pair
    rng, rows, first = random.Random(5), 0, 1341100800
    for i in range(5):
        count = rng.randrange(200, 2000)
        host.feed(count, first + rows * 60)
        rows += count
        if i == 1:
            fleet.leave()
        if i == 3:
            fleet.come_back()
        fleet.wait("the rows", lambda: host.status()["intake"]["models"][0]["observed"] == rows)
        hellos = len(fleet.hellos)
        host.kill()
        host.start()
        fleet.wait("the agent", host.is_listening)
        if fleet.sockets.get("agent"):
            fleet.wait_connected(since=hellos)
    host.feed(1, first + rows * 60 + 7200)  # ends the last window
    fleet.wait("the windows", lambda: host.status()["spool"]["entries"] == 0)
    model = host.status()["intake"]["models"][0]
    told = sum(w["observed"] for w in fleet.windows)
    merged = sum(w["rows"] for w in fleet.windows)
    crashed = sum(w.get("dropped", {}).get("crash", 0) for w in fleet.windows)
    late = sum(w["late"] for w in fleet.windows)
    assert model["observed"] == rows + 1
    assert told == merged + crashed + late
    assert (model["merged"], model["dropped"]["crash"]) == (merged, crashed)
    assert told + model["open_rows"] == rows + 1


def test_answers_for_itself_while_the_controller_is_away(pair):
    fleet, host = pair
    fleet.leave()
    fleet.wait("it to notice", lambda: host.status()["link"]["state"] == "connecting")
    host.feed(3000)
    fleet.wait("windows", lambda: host.status()["spool"]["entries"] > 10)
    fleet.come_back()
    fleet.wait_connected(since=1)
    fleet.wait("the spool to empty", lambda: host.status()["spool"]["entries"] == 0)
    status = host.status()
    assert status["link"]["state"] == "up" and status["host"] == "h1"
    assert status["agent"] == fleet.agent.hex()


def test_a_refused_key_is_tried_again_until_it_is_let_in(pair):
    fleet, host = pair
    key = fleet.known.pop()
    fleet.leave()
    fleet.come_back()
    fleet.wait("refusals", lambda: host.status()["link"]["refusals"] >= 2)
    assert "refused this agent's key" in host.log()
    assert host.log().count("refused this agent's key") == 1  # and not each time
    begin = len(fleet.hellos)
    fleet.known.add(key)
    fleet.wait_connected(since=begin)


def test_without_acknowledgement_only_four_are_under_way(pair):
    fleet, host = pair
    fleet.wait("the attestation", lambda: fleet.attests)
    fleet.is_acking = False
    before = fleet.sendings
    host.feed(3000)
    fleet.wait("windows", lambda: host.status()["spool"]["entries"] > 10)
    fleet.wait("as many as were granted", lambda: fleet.sendings - before >= 4)
    time.sleep(0.5)
    assert fleet.sendings - before == 4


def test_reads_its_files_again_and_keeps_the_old_when_they_are_wrong(pair):
    fleet, host = pair
    conf = host.agent_folder / "agent.conf"
    good = conf.read_text()
    conf.write_text(good.replace('window = "1h"', 'window = "60x"'))
    host.process.send_signal(signal.SIGHUP)
    fleet.wait("the complaint", lambda: "agent.conf:2" in host.log())
    check = subprocess.run([agent_rig.PROGRAM, "run", "--check", "--dir", host.agent_folder],
                           stderr=subprocess.PIPE)
    assert check.returncode == 78 and b"agent.conf:2" in check.stderr
    order = fleet.order(host)
    fleet.send(order)
    fleet.wait("it still works", lambda: final(fleet, order))
    assert final(fleet, order)[0]["state"] == "done"
    conf.write_text(good.replace("local_policy {", 'local_policy { actions = {"probe"}'))
    host.process.send_signal(signal.SIGHUP)
    fleet.wait("the new one", lambda: "configuration read again" in host.log())
    order = fleet.order(host, if_version="v1", to_version="v2", to_digest=host.digest("v2"))
    fleet.send(order)
    fleet.wait("the refusal", lambda: final(fleet, order))
    assert final(fleet, order)[0]["code"] == "E_LOCAL"


def test_ends_when_it_is_told_and_goes_on_where_it_was(pair):
    fleet, host = pair
    host.feed(90)  # one window and a half
    fleet.wait("the rows", lambda: host.status()["intake"]["models"][0]["observed"] == 90)
    begin = len(fleet.hellos)
    assert host.stop() == 0
    host.start()
    fleet.wait_connected(since=begin)
    model = host.status()["intake"]["models"][0]
    assert (model["observed"], model["dropped"]["crash"]) == (90, 0)
    second = subprocess.run([agent_rig.PROGRAM, "run", "--dir", host.agent_folder],
                            stderr=subprocess.PIPE, timeout=120)
    assert second.returncode != 0  # one agent a folder
