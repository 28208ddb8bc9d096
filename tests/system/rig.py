"""A controller in a folder of its own, and agents and operators that are only Python.

They speak the wire of wire.py over real CURVE sockets; nothing of the C agent or of the
command `kedge` is needed, so a fault in one of those cannot hide one here.

SPDX-License-Identifier: Apache-2.0
"""

import atexit
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import wire
import zmq
from zmq.utils import z85

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KEDGE_BUILD", TOP / "build-asan"))
SECOND = 1_000_000_000
CONTEXT = zmq.Context()


def free_ports():
    """The first of three ports in a row that nobody uses now."""
    for base in range(21000 + os.getpid() % 20000, 60000, 3):
        try:
            for port in range(base, base + 3):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
    raise RuntimeError("no free ports")


class Dealer:
    """A connection with its own or a given key."""

    def __init__(self, endpoint, server, pair=None):
        self.pair = pair or zmq.curve_keypair()
        self.socket = CONTEXT.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.sndtimeo = 60_000  # a full queue to nobody is an error, not a halt
        self.socket.curve_serverkey = server
        self.socket.curve_publickey, self.socket.curve_secretkey = self.pair
        self.socket.connect(endpoint)

    def send(self, kind, body, *more):
        self.socket.send_multipart([kind.encode(), body, *more])

    def take(self, timeout=180):
        """(type, body, sigs...) or None."""
        if not self.socket.poll(int(timeout * 1000)):
            return None
        kind, *frames = self.socket.recv_multipart()
        return (kind.decode(), *frames)

    def close(self):
        self.socket.close()


class Controller:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.base = free_ports()
        self.process = None
        atexit.register(self.kill)
        subprocess.run([BUILD / "kedge", "ctl", "init", "--port", str(self.base),
                        self.folder], check=True, stdout=subprocess.DEVNULL)

    def key(self, name):
        """A public key of the controller, as Z85 bytes."""
        return (self.folder / "keys" / f"{name}.pub").read_text().split()[1].encode()

    def endpoint(self, which):
        return f"tcp://127.0.0.1:{self.base + ['agent', 'enrol', 'op'].index(which)}"

    def start(self, wait=True, **more):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [BUILD / "kedge-controller", "run", "--dir", self.folder],
            stderr=self.log, stdin=subprocess.DEVNULL, **more)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=120):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode}: {self.text()}")
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.base + 2)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError("not ready")

    def text(self):
        return (self.folder / "log").read_text()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """Asks it to stop; its exit code."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def rebuild(self):
        """Folds the log once more; (exit code, what it says)."""
        done = subprocess.run([BUILD / "kedge", "ctl", "rebuild", "--check", self.folder],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def operator(self, name="admin"):
        return Operator(self, name)


class Operator:
    def __init__(self, controller, name="admin", pair=None):
        if pair is None:
            folder = controller.folder / "operators"
            pair = [(folder / f"{name}.{part}").read_text().split()[1].encode()
                    for part in ("pub", "key")]
        self.dealer = Dealer(controller.endpoint("op"), controller.key("op"), pair)
        self.number = 0

    def ask(self, verb, blob=b"", timeout=180, **args):
        """(exit code, JSON or the line of the refusal)."""
        self.number += 1
        query = {"id": self.number, "verb": verb, "args": args, "blob": blob}
        self.dealer.send(*pack("kedge.query.v1", query))
        document = b""
        while True:
            got = self.dealer.take(timeout)
            if got is None:
                raise TimeoutError(verb)
            answer = wire.decode(got[0], got[1])
            if answer["id"] != self.number:
                continue
            document += answer["json"]
            if answer["last"]:
                code = answer.get("code", 0)
                return code, json.loads(document) if code < 2 else document.decode()

    def must(self, verb, **args):
        code, document = self.ask(verb, **args)
        assert code == 0, document
        return document


def pack(kind, value):
    return kind, wire.encode(kind, value)


class Agent:
    """Enrols with a join line, then sends what it is told to."""

    def __init__(self, controller, host, line=None, pair=None, sign=None):
        self.controller, self.host = controller, host
        self.pair = pair or zmq.curve_keypair()
        self.sign = sign or os.urandom(32)
        self.boot = os.urandom(16)
        self.seq = 0
        self.dealer = None
        self.acked, self.refused, self.other = set(), {}, []
        if line:
            self.enrol(line)

    def enrol(self, line):
        token = wire.token_read(line)
        door = Dealer(token["ep"][0], z85.encode(token["cpk"]), self.pair)
        facts = {"hostname": self.host}
        door.send(*pack("kedge.enrol.hello.v1", {"token_id": token["id"], "host_facts": facts}))
        got = self.answer(door)
        challenge = wire.decode(got[0], got[1])
        claim = wire.encode("kedge.enrol.v1", {
            "fid": token["fid"], "token_id": token["id"], "nonce": challenge["nonce"],
            "agent_curve": z85.decode(self.pair[0]),
            "agent_sign": wire.public_key(self.sign), "server_curve": token["cpk"],
            "requested_models": [], "labels": {}, "executors": [],
            "host": self.host, "agent_time_ms": int(time.time() * 1000)})
        door.send(*pack("kedge.enrol.request.v1", {
            "body": claim,
            "sig_token": wire.sign(token["seed"], "kedge.enrol.v1", claim),
            "sig_agent": wire.sign(self.sign, "kedge.enrol.v1", claim)}))
        got = self.answer(door)
        self.grant = wire.decode(got[0], got[1])
        self.id = self.grant["agent_id"]
        door.close()

    @staticmethod
    def answer(door):
        got = door.take()
        assert got, "no answer to the enrolment"
        if got[0] == "kedge.enrol.refusal.v1":
            refusal = wire.decode(got[0], got[1])
            door.close()
            raise PermissionError(refusal["code"], refusal.get("why", ""))
        return got

    def connect(self):
        self.dealer = Dealer(self.controller.endpoint("agent"),
                             self.controller.key("agent"), self.pair)
        self.sess = os.urandom(16)
        self.dealer.send(*pack("kedge.hello.v1", {
            "boot": self.boot, "sess": self.sess, "host": self.host, "software": "0",
            "time_ms": int(time.time() * 1000)}))
        return self

    def welcome(self, timeout=180):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            got = self.dealer.take(0.2)
            if got and got[0] == "kedge.welcome.v1":
                return wire.decode(got[0], got[1])
            if got:
                self.note(got)
        return None

    def note(self, got):
        message = wire.decode(got[0], got[1])
        if got[0] != "kedge.ack.v1":
            self.other.append((got[0], message))
            return
        if message["boot"] == self.boot:
            self.acked |= set(message.get("done", []))
            self.refused |= {r["seq"]: r["code"] for r in message.get("refused", [])}

    def drain(self, timeout=0.0):
        while (got := self.dealer.take(timeout)) is not None:
            self.note(got)

    def wait_acked(self, seqs, timeout=180):
        """Whether all of them were answered in time."""
        end = time.monotonic() + timeout
        seqs = set(seqs)
        while not seqs <= self.acked | set(self.refused):
            if time.monotonic() > end:
                return False
            got = self.dealer.take(0.2)
            if got:
                self.note(got)
        return True

    def window(self, model, version, start_s, rows, length_s=60, features=(), **more):
        """The body of a window; takes the next number."""
        self.seq += 1
        return wire.encode("kedge.window.v1", {
            "boot": self.boot, "seq": self.seq, "model": model, "version": version,
            "start": start_s * SECOND, "end": (start_s + length_s) * SECOND,
            "watermark": (start_s + length_s) * SECOND, "sent": time.time_ns(),
            "rows": rows, "observed": rows, "late": 0, "features": list(features),
            **more})

    def send(self, body, kind="kedge.window.v1"):
        self.dealer.send(kind, body)

    def close(self):
        if self.dealer:
            self.dealer.close()
        self.dealer = None


def enrolled(controller, operator, host, **args):
    """A fresh agent that has said hello and was welcomed."""
    line = operator.must("agent.token", **args)["line"]
    agent = Agent(controller, host, line).connect()
    assert agent.welcome()
    return agent


def lines_with(text, word):
    return [line for line in text.splitlines() if re.search(word, line)]
