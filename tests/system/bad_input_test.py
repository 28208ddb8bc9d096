# Bad input at the agent's door, and a controller that is away: each has its counter, the
# rest goes on, and the account of rows stays exact, from the socket to `kedge audit
# counts`.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import socket
import subprocess
import sys
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "packaging", "story"))
import host as stage  # noqa: E402

BEGIN = 1_700_000_040  # a whole minute
AGENT_CONF = """
model "m" { window = "60s"  lateness = "0s"  performance = "regression" }
link { backoff_min = "50ms"  backoff_max = "200ms" }
"""


class Fleet:
    """A controller, and one agent for the model `m` with a window of a minute."""

    def __init__(self, folder):
        self.controller = stage.Controller(os.path.join(folder, "controller"))
        self.controller.start()
        stage.wait_for("the controller", self.controller.is_answering)
        self.controller.kedge("model", "add", "m", "--version", "v1")
        self.folder = os.path.join(folder, "agent")
        line = self.controller.kedge("agent", "token", "--models", "m")["line"]
        subprocess.run([stage.program("kedge-agent"), "enroll", "--dir", self.folder,
                        "--host", "h1", "-"], input=line.encode(), check=True,
                       stdout=subprocess.DEVNULL)
        with open(os.path.join(self.folder, "agent.conf"), "w") as f:
            f.write(AGENT_CONF)
        self.agent = stage.Process("agent", [stage.program("kedge-agent"), "run",
                                             "--dir", self.folder],
                                   os.path.join(folder, "agent.log"))
        self.agent.start()
        self.door = None
        stage.wait_for("the door", self.connect)

    def connect(self):
        self.door = socket.socket(socket.AF_UNIX)
        try:
            self.door.connect(os.path.join(self.folder, "agent.sock"))
            return True
        except OSError:
            return False

    def send(self, *lines):
        for line in lines:
            raw = line if isinstance(line, bytes) else json.dumps(line).encode()
            self.door.sendall(raw + b"\n")

    def ask_status(self):
        done = subprocess.run([stage.program("kedge-agent"), "status", "--dir",
                               self.folder, "-o", "json"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def status(self):
        # A moment after its start the doors are open and the status is not yet.
        return stage.wait_for("the agent's status", self.ask_status, 10)

    def model(self):
        return self.status()["intake"]["models"][0]

    def until(self, what, ready):
        stage.wait_for(what, ready)

    def counts(self):
        return self.controller.kedge("audit", "counts")["total"]

    def close(self):
        self.agent.stop()
        self.controller.stop()


@pytest.fixture
def fleet(tmp_path):
    f = Fleet(str(tmp_path))
    yield f
    f.close()


def row(second, **more):
    body = {"model": "m", "version": "v1", "id": str(second), "ts": BEGIN + second,
            "features": {"x": second % 7, "c": "a"}, "prediction": 1.0}
    body.update(more)
    return body


def is_exact(counts):
    return counts["observed"] == (counts["merged"] + counts["late"]
                                  + sum(counts["dropped"].values()))


BAD = [
    ("malformed", b'{"model":"m","ts":1700000041,'),
    ("malformed", b"this is no JSON"),
    ("malformed", b'{"model":"m","ts":"whenever","features":{}}'),
    ("malformed", b'{"model":"m","ts":1700000041,"features":[1,2]}'),
    ("malformed", b"[" * 5000),
    ("malformed", b"\x00\xff\xfe"),
    ("oversize", b'{"model":"m","ts":1700000041,"features":{"x":"' + b"y" * 10_000_000
     + b'"}}'),
]


@pytest.mark.parametrize("reason,line", BAD, ids=lambda v: str(v)[:24])
def test_a_bad_line_is_counted_and_the_next_one_counts(fleet, reason, line):
    fleet.send(line, row(1), row(2))
    fleet.until("two rows", lambda: fleet.model()["open_rows"] == 2)
    status = fleet.status()
    dropped = sum(s["dropped"][reason] for s in status["intake"]["models"]
                  + [status["intake"]["unattributed"]])
    assert dropped == 1


def test_a_row_for_an_unknown_model_is_counted_apart(fleet):
    fleet.send(row(1, model="somebody-elses"), row(2))
    fleet.until("one row", lambda: fleet.model()["open_rows"] == 1)
    loose = fleet.status()["intake"]["unattributed"]
    assert loose["dropped"]["unknown_model"] == 1


def test_strange_members_nan_and_wrong_types_cost_the_value_not_the_row(fleet):
    fleet.send(row(1, features={"x": 1, "c": "a"}))
    fleet.send(b'{"model":"m","version":"v1","ts":1700000042,'
               b'"features":{"x":NaN,"c":"b"},"prediction":1}')
    fleet.send(row(3, features={"x": "seven", "c": "b"}))
    fleet.send(row(4, colour="blue", features={"x": None, "c": "b"}))
    fleet.until("four rows", lambda: fleet.model()["open_rows"] == 4)
    m = fleet.model()
    assert m["unknown"] >= 1 and m["type_errors"] >= 1
    assert sum(m["dropped"].values()) == 0


def test_the_far_past_and_the_future(fleet):
    fleet.send(*[row(s) for s in range(0, 180, 10)])
    fleet.until("the first windows", lambda: fleet.model()["merged"] > 0)
    fleet.send(row(-10_000_000))
    fleet.send(row(0, ts=time.time() + 10 * 365 * 86400))
    fleet.until("both", lambda: fleet.model()["future"] == 1)
    m = fleet.model()
    assert m["late"] + m["dropped"]["too_old"] == 1
    # The future row must not have moved the clock of everybody else.
    assert m["watermark"].startswith("2023-") or m["future"] == 1


def test_the_account_is_exact_at_the_controller(fleet):
    for s in range(0, 300, 5):
        fleet.send(row(s))
        if s % 50 == 0:
            fleet.send(b"nonsense", row(s, model="other"))
    fleet.send(row(0))  # an hour of event time behind by then
    fleet.until("the windows", lambda: fleet.counts()["observed"] >= 40)
    counts = fleet.counts()
    assert is_exact(counts), counts


def test_an_hour_without_a_controller_loses_nothing(fleet):
    fleet.send(*[row(s) for s in range(0, 130, 5)])
    fleet.until("a window", lambda: fleet.counts()["observed"] > 0)
    fleet.controller.kill()
    for s in range(130, 3730, 5):
        fleet.send(row(s))
    sealed = (3730 - 1) // 60 * 60 // 5
    fleet.until("the spool", lambda: fleet.model()["merged"] >= sealed - 12)
    waiting = fleet.status()["spool"]["windows"]
    assert 0 < waiting <= 64
    fleet.controller.start()
    fleet.until("the spool to empty", lambda: fleet.status()["spool"]["windows"] == 0)
    fleet.until("the counts", lambda: fleet.counts()["observed"]
                == fleet.model()["merged"])
    assert is_exact(fleet.counts())


def test_killed_agents_and_controllers_double_nothing(fleet):
    for k in range(6):
        fleet.send(*[row(k * 120 + s) for s in range(0, 120, 5)])
        fleet.until("the rows", lambda: fleet.model()["watermark"] is not None)
        victim = fleet.agent if k % 2 else fleet.controller
        victim.kill()
        victim.start()
        if victim is fleet.agent:
            fleet.until("the door", fleet.connect)
        else:
            fleet.until("the controller", fleet.controller.is_answering)
    fleet.send(row(6 * 120))
    fleet.until("all windows", lambda: fleet.status()["spool"]["windows"] == 0)
    counts = fleet.counts()
    assert is_exact(counts), counts
    assert counts["observed"] <= 6 * 24
