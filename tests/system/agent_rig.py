"""A controller that is only Python, for the real kedge-agent to enrol at and obey.

It has the three things that matter: a ZAP handler that knows keys, an enrolment door, and
the agents' port; and it does exactly what a test tells it to, good or evil.

SPDX-License-Identifier: Apache-2.0
"""

import atexit
import collections
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import wire
import zmq
from zmq.utils import z85

BUILD = pathlib.Path(os.environ.get(
    "KEDGE_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build-asan"))
PROGRAM = BUILD / "kedge-agent"
MODEL = "bike-demand"


class Fleet:
    """Keys, a keyring, and both ports, worked by one thread."""

    def __init__(self, agent_curve=None):
        self.id = os.urandom(16)
        self.root, self.order_seed, self.token_seed = (os.urandom(32) for _ in range(3))
        self.token_id = os.urandom(8)
        self.curves = {"agent": zmq.curve_keypair(), "enrol": zmq.curve_keypair()}
        self.known = set()      # client keys that the agents' port lets in
        self.used_by = None     # the curve key that used the token
        self.claims, self.hellos, self.beats = [], [], []
        self.entries = {}       # (boot, seq) -> (type, body dict), as last sent
        self.sendings = 0
        self.receipts, self.attests, self.windows = [], [], []
        self.notices = []
        self.wire = None        # a list: every frame of an agent, as it came out of CURVE
        self.is_acking = True
        self.peer = None        # routing id of the newest agent
        self.order_seq = 0
        self.skew_s = 0         # how far its clock is ahead
        self.drop_request = 0   # enrolment requests that get no answer
        self.grant_seed = None  # signs grants instead of the order key
        self.keyring_seed = None
        self.outbox = collections.deque()  # sockets belong to the one thread
        self.context = zmq.Context()
        self.sockets = {}
        self.running = True
        self.zap = self.context.socket(zmq.REP)
        self.zap.bind("inproc://zeromq.zap.01")
        self.ports = {}
        for which in ("agent", "enrol"):
            self.bind(which)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()
        atexit.register(self.close)

    def bind(self, which):
        s = self.context.socket(zmq.ROUTER)
        s.linger = 0
        s.curve_server = True
        s.curve_secretkey = self.curves[which][1]
        s.zap_domain = which.encode()
        if which in self.ports:
            for _ in range(200):
                try:
                    s.bind(f"tcp://127.0.0.1:{self.ports[which]}")
                    break
                except zmq.ZMQError:
                    time.sleep(0.02)
        else:
            self.ports[which] = s.bind_to_random_port("tcp://127.0.0.1")
        self.sockets[which] = s

    def close(self):
        self.running = False
        self.thread.join(5)
        for s in [*self.sockets.values(), self.zap]:
            s.close(0)

    # The controller goes away, and comes back at the same port.

    def leave(self):
        self.command("leave")

    def come_back(self):
        self.command("come back")

    def command(self, word):
        self.pending = word
        until = time.monotonic() + 120
        while self.pending and time.monotonic() < until:
            time.sleep(0.005)
        assert not self.pending

    pending = None
    has_breathed = False

    # --- The thread

    def work(self):
        while self.running:
            if self.pending == "leave":
                self.sockets.pop("agent").close(0)
                self.peer = None
                self.pending = None
            elif self.pending == "come back":
                self.bind("agent")
                self.pending = None
            while self.outbox and self.peer:
                self.sockets["agent"].send_multipart([self.peer, *self.outbox.popleft()])
            poller = zmq.Poller()
            for s in [self.zap, *self.sockets.values()]:
                poller.register(s, zmq.POLLIN)
            for s, _ in poller.poll(5):
                if s is self.zap:
                    self.judge()
                elif s is self.sockets.get("enrol"):
                    self.enrol(s.recv_multipart())
                elif s is self.sockets.get("agent"):
                    self.hear(s.recv_multipart())

    def judge(self):
        frames = self.zap.recv_multipart()
        domain, key = frames[2], frames[6]
        fine = domain == b"enrol" or key in self.known
        self.zap.send_multipart([b"1.0", frames[1], b"200" if fine else b"400", b"",
                                 z85.encode(key), b""])

    def keyring(self):
        body = wire.encode("kedge.keyring.v1", {
            "ring_version": 1, "issued_ms": 1, "expires_ms": 4102444800000,
            "fleet_id": self.id, "roots": [{"kid": wire.kid(wire.public_key(self.root)),
                                            "pub": wire.public_key(self.root)}],
            "root_threshold": 1,
            "server_curve": [{"role": "agent", "pub": z85.decode(self.curves["agent"][0])}],
            "order_keys": [{"kid": wire.kid(wire.public_key(self.order_seed)),
                            "pub": wire.public_key(self.order_seed),
                            "actions": ["rollback", "probe"]}]})
        seed = self.keyring_seed or self.root
        return wire.join("kedge.keyring.v1", body, wire.seal(seed, "kedge.keyring.v1", body))

    def line(self):
        return wire.token_line({
            "fid": self.id, "id": self.token_id, "seed": self.token_seed,
            "ep": [f"tcp://127.0.0.1:{self.ports['enrol']}"],
            "cpk": z85.decode(self.curves["enrol"][0]),
            "root": [wire.public_key(self.root)], "exp": int(time.time()) + 600})

    def enrol(self, frames):
        peer, kind, body = frames[0], frames[1].decode(), frames[2]
        if kind == "kedge.enrol.hello.v1":
            hello = wire.decode(kind, body)
            assert hello["token_id"] == self.token_id
            self.answer("enrol", peer, "kedge.enrol.challenge.v1", {
                "nonce": os.urandom(32), "server_time_ms": int(time.time() * 1000),
                "keyring": self.keyring()})
            return
        request = wire.decode(kind, body)
        claim = wire.decode("kedge.enrol.v1", request["body"])
        assert wire.verify(wire.public_key(self.token_seed), "kedge.enrol.v1",
                           request["body"], request["sig_token"])
        assert wire.verify(claim["agent_sign"], "kedge.enrol.v1", request["body"],
                           request["sig_agent"])
        self.claims.append(claim)
        if self.drop_request > 0:
            self.drop_request -= 1
            return
        if self.used_by not in (None, claim["agent_curve"]):
            self.answer("enrol", peer, "kedge.enrol.refusal.v1",
                        {"code": 409, "why": "used"})
            return
        self.used_by = claim["agent_curve"]
        self.known.add(claim["agent_curve"])
        self.agent_sign = claim["agent_sign"]
        self.agent = wire.agent_id(self.id, claim["agent_sign"])
        grant = wire.encode("kedge.enrol.grant.v1", {
            "fid": self.id, "agent_id": self.agent, "state": "active",
            "models": ["bike-*"], "labels": {}, "policy_floor": {},
            "endpoints": [f"tcp://127.0.0.1:{self.ports['agent']}"],
            "server_curve": z85.decode(self.curves["agent"][0]), "keyring": self.keyring()})
        seed = self.grant_seed or self.order_seed
        self.sockets["enrol"].send_multipart(
            [peer, b"kedge.enrol.grant.v1", grant,
             wire.seal(seed, "kedge.enrol.grant.v1", grant)])

    def answer(self, which, peer, kind, value):
        self.sockets[which].send_multipart([peer, kind.encode(), wire.encode(kind, value)])

    def hear(self, frames):
        peer, kind, body = frames[0], frames[1].decode(), frames[2]
        if self.wire is not None:
            self.wire.extend(frames[1:])
        message = wire.decode(kind, body)
        if kind == "kedge.hello.v1":
            self.peer, self.has_breathed = peer, False
            self.hellos.append(message)
            self.answer("agent", peer, "kedge.welcome.v1", {
                "fleet": self.id, "agent": self.agent, "credit": 4, "window_max": 262000,
                "server_ms": int((time.time() + self.skew_s) * 1000)})
        elif kind == "kedge.beat.v1":
            if peer == self.peer:  # and not of a connection that was just lost
                self.beats.append(message)
                self.has_breathed = True
        else:
            self.keep(kind, message, body, frames[3:])
            if self.is_acking:
                self.answer("agent", peer, "kedge.ack.v1",
                            {"boot": message["boot"], "done": [message["seq"]]})

    def keep(self, kind, message, body, sigs):
        """Once each, as the controller's high-water marks would have it."""
        self.sendings += 1
        place = (message["boot"], message["seq"])
        if place in self.entries:
            assert self.entries[place] == body, "sent again, but not byte for byte"
            return
        self.entries[place] = body
        if kind == "kedge.receipt.v1":
            one = wire.seals(sigs[0])[0]
            assert wire.verify(self.agent_sign, kind, body, one["sig"])
            message["hash"] = hashlib.sha256(body).digest()
            self.receipts.append(message)
        elif kind == "kedge.attest.v1":
            self.attests.append(message)
        elif kind == "kedge.window.v1":
            self.windows.append(message)
        elif kind == "kedge.notice.v1":
            self.notices.append(message)

    # --- Orders

    def order(self, host, **more):
        """A good order to roll back from v2 to v1, and whatever is to be wrong with it."""
        self.order_seq += 1
        order = {
            "fleet": self.id, "agent": self.agent, "agent_key": wire.kid(self.agent_sign),
            "token": {"gen": 1, "seq": self.order_seq},
            "sess": self.hellos[-1]["sess"], "hb": self.beats[-1]["hb"], "ring": 1,
            "issued_ms": int(time.time() * 1000), "ttl_ms": 60000, "action": "rollback",
            "model": MODEL, "if_version": "v2", "to_version": "v1",
            "to_digest": host.digest("v1"), "executor": "bike-symlink",
            "exec_digest": host.executor_digest(), "params": {}, "run_ms": 10000,
            "plan": b"p" * 16, "step": 1, "try": self.order_seq, "incident": b"i" * 16,
            "reason": {"why": "test"}, "approvals": [], "lease_ms": 0, "dry": False,
            "prev": b"x" * 32, **more}
        order.setdefault("order", wire.order_id(
            order["fleet"], order["model"], order["incident"], order["action"],
            order["plan"], order["step"], order["try"]))
        return order

    def send(self, order, seed=None):
        body = wire.encode("kedge.order.v1", order)
        sigs = wire.seal(seed or self.order_seed, "kedge.order.v1", body)
        return self.send_frames([b"kedge.order.v1", body, sigs])

    def send_frames(self, frames):
        self.outbox.append(frames)
        return frames

    def wait(self, what, ready, seconds=180):
        until = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < until, f"waited {seconds} s for {what}"
            time.sleep(0.005)

    def wait_connected(self, since=0):
        self.wait("a beat after the hello", lambda: len(self.hellos) > since
                  and self.has_breathed and self.peer is not None)


SERVER = """
import os, signal, sys, time
root = sys.argv[1]
def load(*_):
    with open(root + "/loads", "a") as f:
        f.write(os.readlink(root + "/current") + "\\n")
signal.signal(signal.SIGHUP, load)
load()
with open(root + "/server.pid.new", "w") as f:
    f.write("%d\\n" % os.getpid())
os.rename(root + "/server.pid.new", root + "/server.pid")
while True:
    time.sleep(60)
"""


class Host:
    """A folder with versions, a link, a server that loads on SIGHUP, and an agent."""

    def __init__(self, folder, fleet):
        self.folder, self.fleet = pathlib.Path(folder), fleet
        self.agent_folder = self.folder / "agent"
        self.process = self.server = None
        for version in ("v1", "v2", "v3"):
            at = self.folder / "versions" / version
            at.mkdir(parents=True)
            body = f"model {version}\n".encode()
            (at / "model.json").write_bytes(body)
            (at / "MANIFEST").write_text(f"{hashlib.sha256(body).hexdigest()}  model.json\n")
        self.point("v2")
        atexit.register(self.kill_all)

    def point(self, version):
        new = self.folder / "new"
        new.symlink_to(f"versions/{version}")
        new.rename(self.folder / "current")

    def serves(self):
        return os.path.basename(os.readlink(self.folder / "current"))

    def loads(self):
        return (self.folder / "loads").read_text().split()

    def digest(self, version):
        return hashlib.sha256((self.folder / "versions" / version / "MANIFEST").read_bytes()
                              ).digest()

    def executor_digest(self):
        at = self.agent_folder / "executors.d" / "bike-symlink.conf"
        return hashlib.sha256(at.read_bytes()).digest()

    def configure(self, extra=""):
        (self.agent_folder / "agent.conf").write_text(f"""
model "{MODEL}" {{ window = "1h"  lateness = "0s"  performance = "regression"
                   executor = "bike-symlink" }}
link {{ backoff_min = "50ms"  backoff_max = "400ms"  beat = "1s" }}
local_policy {{ min_interval = "0s"  max_per_hour = 1000  max_per_hour_all = 1000
                veto_dir = "{self.folder}/veto.d" }}
{extra}
""")
        executors = self.agent_folder / "executors.d"
        executors.mkdir(exist_ok=True)
        (executors / "bike-symlink.conf").write_text(f"""
executor "bike-symlink" {{ kind = "symlink"  models = {{"bike-*"}}  root = "{self.folder}"
                           pidfile = "server.pid"  timeout = "10s" }}
""")

    def enroll(self, line=None, timeout="10s", **more):
        return subprocess.run(
            [PROGRAM, "enroll", "--dir", self.agent_folder, "--host", "h1", "--timeout",
             timeout, "-"], input=(self.fleet.line() if line is None else line).encode(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, **more)

    def start_server(self):
        self.server = subprocess.Popen(["/usr/bin/python3", "-c", SERVER, self.folder])
        self.fleet.wait("the server", (self.folder / "server.pid").exists)

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([PROGRAM, "run", "--dir", self.agent_folder],
                                        stderr=log, stdin=subprocess.DEVNULL)
        return self

    def log(self):
        return (self.folder / "log").read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill_all(self):
        for p in (self.process, self.server):
            if p and p.poll() is None:
                p.kill()
                p.wait()

    def status(self, patience=60):
        """What the agent says of itself; a busy machine may need a second question."""
        until = time.monotonic() + patience
        while True:
            done = subprocess.run(
                [PROGRAM, "status", "--dir", self.agent_folder, "-o", "json"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if done.returncode == 0:
                return json.loads(done.stdout)
            assert time.monotonic() < until, done.stderr
            time.sleep(0.1)

    def is_listening(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.agent_folder / "agent.sock")) == 0

    def feed(self, rows, first=1341100800, step=60, version="v2"):
        """Rows of predictions by the socket, in event time."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.agent_folder / "agent.sock"))
            for i in range(rows):
                row = {"model": MODEL, "version": version, "id": str(first + i),
                       "ts": first + i * step, "features": {"hr": i % 24, "kind": "a"},
                       "prediction": float(i % 24)}
                s.sendall(json.dumps(row).encode() + b"\n")


def running(folder, **more):
    """A fleet and a host whose agent is connected."""
    fleet = Fleet()
    host = Host(folder, fleet)
    done = host.enroll()
    assert done.returncode == 0, done.stdout
    host.configure(**more)
    host.start_server()
    host.start()
    fleet.wait_connected()
    return fleet, host
