"""Abuse: what attackers send, to a controller as it comes, and what must be left of it.

After each attack the store's counts are as before, and another agent is served as ever.

SPDX-License-Identifier: Apache-2.0
"""

import concurrent.futures
import os
import random
import re
import socket
import subprocess
import time

import pytest
import rig
import wire
import zmq
from zmq.utils import z85

pytestmark = pytest.mark.threads
T0 = 1_345_000_000


class Scene:
    """A controller, an honest agent and an attacker that is enrolled for another model."""

    def __init__(self, folder):
        self.controller = rig.Controller(folder / "controller").start()
        self.operator = self.controller.operator()
        for model in ("bike", "other"):
            self.operator.must("model.add", model=model)
        self.honest = rig.enrolled(self.controller, self.operator, "honest", models="bike")
        self.evil = rig.enrolled(self.controller, self.operator, "evil", models="other")
        self.sent = 0
        self.serve()

    def serve(self):
        """The honest agent's next window is acknowledged and counted, and only that."""
        self.sent += 1
        self.honest.send(self.honest.window("bike", "v1", T0 + 60 * self.sent, 10))
        assert self.honest.wait_acked([self.honest.seq], timeout=60)
        assert self.honest.refused == {}

    def totals(self):
        """Rows of the honest agent's model; of its own one an agent may say what it likes."""
        rows = self.operator.must("audit.counts", timeout=60)["instances"]
        return sum(r["observed"] for r in rows if r["model"] == "bike")

    def rss_kib(self):
        with open("/proc/%d/status" % self.controller.process.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])

    def is_unharmed(self):
        assert self.controller.process.poll() is None, self.controller.text()[-2000:]
        self.serve()
        assert self.totals() == 10 * self.sent

    def attack(self):
        """A fresh connection of the attacker: the one before may have been cut.

        It has as many greetings as any agent, one a second in the long run, and like any
        agent it greets again when it hears nothing.
        """
        end = time.monotonic() + 180
        while time.monotonic() < end:
            self.evil.close()
            self.evil.connect()
            if self.evil.welcome(3):
                return self.evil.dealer
        raise AssertionError("the attacker is no longer greeted")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    s = Scene(tmp_path_factory.mktemp("abuse"))
    yield s
    assert s.operator.must("audit.verify", timeout=60)["result"] == "intact"
    s.controller.kill()


@pytest.fixture
def fresh(tmp_path):
    """One of its own: who is refused ten times in a minute is not heard any more."""
    s = Scene(tmp_path)
    yield s
    s.controller.kill()


# --- Who is not let in

@pytest.mark.parametrize("port", ["agent", "enrol", "op"])
@pytest.mark.parametrize("how", ["null", "plain"])
def test_a03_clients_without_curve_get_nothing(scene, port, how):
    s = rig.CONTEXT.socket(zmq.DEALER)
    s.linger = 0
    if how == "plain":
        s.plain_username, s.plain_password = b"admin", b"admin"
    s.connect(scene.controller.endpoint(port))
    s.send_multipart([b"kedge.hello.v1", b"\x80"])
    s.send_multipart([b"kedge.query.v1", b"\x80"])
    assert not s.poll(300)
    s.close()
    scene.is_unharmed()


def test_a04_unknown_keys_get_nothing(scene):
    dealers = [rig.Dealer(scene.controller.endpoint("agent"), scene.controller.key("agent"))
               for _ in range(200)]
    for d in dealers:
        d.send(*rig.pack("kedge.hello.v1", {"boot": os.urandom(16), "sess": os.urandom(16),
                                            "host": "x", "software": "0", "time_ms": 1}))
    scene.is_unharmed()
    assert all(d.take(0) is None for d in dealers)
    for d in dealers:
        d.close()


@pytest.mark.parametrize("port", ["op", "agent"])
def test_a_key_opens_its_own_door_alone(scene, port):
    pair = scene.evil.pair if port == "op" else rig.Operator(scene.controller).dealer.pair
    d = rig.Dealer(scene.controller.endpoint(port), scene.controller.key(port), pair)
    d.send(*rig.pack("kedge.query.v1", {"id": 1, "verb": "agent.list", "args": {},
                                        "blob": b""}))
    assert d.take(0.5) is None
    d.close()
    scene.is_unharmed()


def test_a05_a_server_with_another_key_hears_nothing(scene):
    d = rig.Dealer(scene.controller.endpoint("agent"), zmq.curve_keypair()[0], scene.evil.pair)
    d.send("kedge.hello.v1", b"\x80")
    assert d.take(0.5) is None
    d.close()
    scene.is_unharmed()


def test_a32_idle_connections_block_nobody(scene):
    idle = []
    for n in range(300):
        s = socket.socket()
        s.connect(("127.0.0.1", scene.controller.base + n % 3))
        if n % 2:
            s.sendall(b"\xff\0\0\0\0\0\0\0\1\x7f")  # a greeting that never ends
        idle.append(s)
    scene.is_unharmed()
    fresh = rig.enrolled(scene.controller, scene.operator, "late", models="bike")
    fresh.close()
    for s in idle:
        s.close()


# --- Enrolment

def race(scene, line, hosts):
    def join(n):
        try:
            return rig.Agent(scene.controller, "race-%d" % n, line).id
        except (PermissionError, AssertionError) as e:
            return e
    with concurrent.futures.ThreadPoolExecutor(hosts) as pool:
        return list(pool.map(join, range(hosts)))


def test_a12_one_of_many_that_race_one_token_is_let_in(fresh):
    hosts = 64 if os.environ.get("KEDGE_LONG") else 12
    line = fresh.operator.must("agent.token", models="bike")["line"]
    granted = [r for r in race(fresh, line, hosts) if isinstance(r, bytes)]
    assert len(granted) == 1
    fresh.is_unharmed()


def test_a11_a_used_token_is_refused_and_said(fresh):
    line = fresh.operator.must("agent.token", models="bike")["line"]
    rig.Agent(fresh.controller, "first", line)
    with pytest.raises(PermissionError) as refused:
        rig.Agent(fresh.controller, "second", line)
    assert refused.value.args[0] == 409


def test_a13_an_expired_token_is_refused_by_the_servers_clock(fresh):
    line = fresh.operator.must("agent.token", models="bike", expires="1s")["line"]
    time.sleep(1.2)
    with pytest.raises(PermissionError):
        rig.Agent(fresh.controller, "late", line)


def test_a14_scope_stands_in_the_record_not_in_the_line(scene):
    line = scene.operator.must("agent.token", models="bike")["line"]
    token = wire.token_read(line)
    agent = rig.Agent(scene.controller, "wide", wire.token_line(dict(token)))
    assert agent.grant["models"] == ["bike"]
    agent.connect()
    assert agent.welcome(60)
    agent.send(agent.window("other", "v1", T0, 10))
    assert agent.wait_acked([agent.seq], 60) and agent.refused == {agent.seq: "scope"}
    agent.close()


def enrol_by_hand(scene, change):
    """An enrolment whose claim `change` alters; the answer's type, and what was sent."""
    line = scene.operator.must("agent.token", models="bike")["line"]
    token = wire.token_read(line)
    pair, sign = zmq.curve_keypair(), os.urandom(32)
    door = rig.Dealer(token["ep"][0], z85.encode(token["cpk"]), pair)
    door.send(*rig.pack("kedge.enrol.hello.v1", {"token_id": token["id"],
                                                 "host_facts": {"hostname": "x"}}))
    got = door.take(60)
    nonce = wire.decode(got[0], got[1])["nonce"]
    claim = {"fid": token["fid"], "token_id": token["id"], "nonce": nonce,
             "agent_curve": z85.decode(pair[0]), "agent_sign": wire.public_key(sign),
             "server_curve": token["cpk"], "requested_models": [], "labels": {},
             "executors": [], "host": "x", "agent_time_ms": 1}
    claim.update(change(claim) or {})
    body = wire.encode("kedge.enrol.v1", claim)
    request = rig.pack("kedge.enrol.request.v1", {
        "body": body, "sig_token": wire.sign(token["seed"], "kedge.enrol.v1", body),
        "sig_agent": wire.sign(sign, "kedge.enrol.v1", body)})
    door.send(*request)
    got = door.take(60)
    return door, request, got


@pytest.mark.parametrize("what", ["agent_curve", "server_curve", "nonce", "fid"])
def test_a16_a_claim_that_is_not_of_this_connection_is_refused(fresh, what):
    size = 16 if what == "fid" else 32
    door, _, got = enrol_by_hand(fresh, lambda claim: {what: os.urandom(size)})
    assert got is None or got[0] == "kedge.enrol.refusal.v1"
    door.close()
    fresh.is_unharmed()


def test_a17_a_recorded_enrolment_is_worth_nothing(fresh):
    door, request, got = enrol_by_hand(fresh, lambda claim: None)
    assert got[0] == "kedge.enrol.grant.v1"
    door.close()
    thief = rig.Dealer(fresh.controller.endpoint("enrol"), fresh.controller.key("enrol"))
    thief.send(*request)
    got = thief.take(5)
    assert got is None or got[0] == "kedge.enrol.refusal.v1"
    thief.close()
    fresh.is_unharmed()


# --- What an enrolled agent may not

def test_a06_another_models_windows_are_refused(scene):
    scene.attack()
    scene.evil.send(scene.evil.window("bike", "v1", T0, 1000))
    assert scene.evil.wait_acked([scene.evil.seq], 60)
    assert scene.evil.refused[scene.evil.seq] == "scope"
    scene.is_unharmed()


def test_a07_a_routing_id_is_not_who_one_is(scene):
    s = rig.CONTEXT.socket(zmq.DEALER)
    s.linger = 0
    s.setsockopt(zmq.ROUTING_ID, scene.honest.id)
    s.curve_serverkey = scene.controller.key("agent")
    s.curve_publickey, s.curve_secretkey = scene.evil.pair
    s.connect(scene.controller.endpoint("agent"))
    s.send_multipart([b"kedge.window.v1", scene.evil.window("bike", "v1", T0, 1000)])
    scene.is_unharmed()
    s.close()


def test_a08_a_receipt_for_anothers_order_is_dropped_and_written_down(scene):
    scene.attack()
    evil = scene.evil
    evil.seq += 1
    body = wire.encode("kedge.receipt.v1", {
        "boot": evil.boot, "seq": evil.seq, "order": os.urandom(16), "agent": scene.honest.id,
        "sess": os.urandom(16), "token": {"gen": 1, "seq": 1}, "state": "done", "code": "",
        "model": "other", "before_version": "v2", "after_version": "v1",
        "started_ms": 1, "ended_ms": 2, "mono_ms": 3,
        "probe": {"ok": True, "detail": ""}})
    evil.dealer.send("kedge.receipt.v1", body, wire.seal(evil.sign, "kedge.receipt.v1", body))
    evil.wait_acked([evil.seq], 60)
    end = time.monotonic() + 180
    while time.monotonic() < end:
        log = scene.operator.must("audit.log", timeout=60)["log"]
        if any(row["event"] == "receipt.forged" for row in log):
            break
        time.sleep(0.1)
    else:
        pytest.fail("no leaf receipt.forged")
    scene.is_unharmed()


def nested(depth):
    return b"\x81\xa1a" * depth + b"\xc0"


def spoilt(scene, **changes):
    window = wire.decode("kedge.window.v1", scene.evil.window("other", "v1", T0, 10))
    window.update(changes)
    return wire.encode("kedge.window.v1", window)


# Each is one message of an enrolled agent: its frames.
HOSTILE = {
    "a28 array32 of 4 Gi": lambda s: [b"kedge.window.v1", b"\xdd\xff\xff\xff\xff"],
    "a28 map32 of 4 Gi": lambda s: [b"kedge.window.v1", b"\xdf\xff\xff\xff\xff"],
    "a28 bin32 of 4 Gi": lambda s: [b"kedge.window.v1", b"\xc6\xff\xff\xff\xff"],
    "a29 a nest of 100,000": lambda s: [b"kedge.window.v1", nested(100_000)],
    "a29 a MiB of one-byte objects": lambda s: [b"kedge.window.v1",
                                                b"\xdd\0\x10\0\0" + b"\x01" * (1 << 20)],
    "a29 the same key twice": lambda s: [b"kedge.beat.v1", b"\x82\xa2hb\xc4\x10" +
                                         bytes(16) + b"\xa2hb\xc4\x10" + bytes(16)],
    "a29 an extension type": lambda s: [b"kedge.beat.v1", b"\x81\xa2hb\xd8\x01" + bytes(16)],
    "a29 bytes behind the end": lambda s: [b"kedge.window.v1",
                                           s.evil.window("other", "v1", T0, 10) + b"\0"],
    "a29 text that is no UTF-8": lambda s: [b"kedge.notice.v1", b"\x81\xa5model\xa2\xff\xfe"],
    "a30 a frame of 8 MiB": lambda s: [b"kedge.window.v1", bytes(8 << 20)],
    "a30 ten thousand frames": lambda s: [b"kedge.window.v1"] + [b"x"] * 10_000,
    "a message of no frame but one": lambda s: [b""],
    "a type of 64 KiB": lambda s: [b"k" * 65536, b"\x80"],
    "a type with a zero in it": lambda s: [b"kedge.window.v1\0", b"\x80"],
    "a type nobody knows": lambda s: [b"kedge.shell.v1", b"\x80"],
    "the controller's own order": lambda s: [b"kedge.order.v1", b"\x80", b"\x90"],
    "the controller's own welcome": lambda s: [b"kedge.welcome.v1", b"\x80"],
    "the controller's own acknowledgement": lambda s: [b"kedge.ack.v1", b"\x80"],
    "an operator's question": lambda s: list(
        x.encode() if isinstance(x, str) else x
        for x in rig.pack("kedge.query.v1", {"id": 1, "verb": "agent.revoke",
                                             "args": {"agent": "honest"}, "blob": b""})),
    "an empty window": lambda s: [b"kedge.window.v1", b"\x80"],
    "half a window": lambda s: [b"kedge.window.v1",
                                s.evil.window("other", "v1", T0, 10)[:40]],
    "a window that ends before it begins": lambda s: [b"kedge.window.v1", spoilt(
        s, start=T0 * rig.SECOND, end=(T0 - 60) * rig.SECOND)],
    "a window of a million years": lambda s: [b"kedge.window.v1", spoilt(
        s, start=0, end=(1 << 64) - 1)],
    "rows that do not add up": lambda s: [b"kedge.window.v1", spoilt(
        s, rows=1 << 60, observed=1)],
    "a receipt without a signature": lambda s: [b"kedge.receipt.v1", b"\x80"],
    "a body that is a number": lambda s: [b"kedge.window.v1", b"\x01"],
    "a hello in the middle": lambda s: [b"kedge.hello.v1", b"\x80"],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_right_changes_nothing(scene, name):
    dealer = scene.attack()
    before = scene.rss_kib()
    frames = HOSTILE[name](scene)
    for _ in range(3):
        try:
            dealer.socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.ZMQError:
            break
    scene.is_unharmed()
    assert scene.rss_kib() - before < 48 * 1024


NAMES = ["../../etc/passwd", "; rm -rf x", "$(id)", "a\nb", "a\0b", "x" * 200, "-rf", ".",
         "a//../b", "\u202e"]


@pytest.mark.parametrize("name", NAMES)
def test_a26_a_name_that_is_none_goes_nowhere(scene, name):
    operator = scene.controller.operator()
    try:
        code, said = operator.ask("model.add", model=name, timeout=0.3)
        assert code in (2, 3, 4), said
    except TimeoutError:
        pass  # what is no question at all is not answered
    scene.is_unharmed()


def test_a31_a_flood_blocks_nobody(scene):
    dealer = scene.attack()
    body = scene.evil.window("bike", "v1", T0, 1)  # of a model that is not its own
    for _ in range(20_000):
        try:
            dealer.socket.send_multipart([b"kedge.window.v1", body], zmq.DONTWAIT)
        except zmq.ZMQError:
            break
    for _ in range(5):
        scene.is_unharmed()


# --- The log

def test_a35_a_changed_export_is_found(scene, tmp_path):
    env = dict(os.environ, KEDGE_CONFIG=str(scene.controller.folder / "kedge.conf"))
    kedge = rig.BUILD / "kedge"
    whole = subprocess.run([kedge, "audit", "export"], env=env, check=True,
                           stdout=subprocess.PIPE).stdout
    path = tmp_path / "export"

    def verify(data):
        path.write_bytes(data)
        return subprocess.run([kedge, "audit", "verify", "--file", path], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode

    assert verify(whole) == 0
    lines = whole.splitlines(keepends=True)
    rng = random.Random(35)
    rounds = 100 if os.environ.get("KEDGE_LONG") else 8
    for _ in range(rounds):
        at = rng.randrange(len(whole) - 1)
        assert verify(whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) +
                      whole[at + 1:]) != 0, at
        i, k = rng.sample(range(1, len(lines) - 1), 2)
        swapped = list(lines)
        swapped[i], swapped[k] = swapped[k], swapped[i]
        assert verify(b"".join(swapped)) != 0
        assert verify(b"".join(lines[:i] + lines[i + 1:])) != 0
        assert verify(whole[:rng.randrange(1, len(whole) - 2)]) != 0
