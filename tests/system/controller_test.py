"""The controller as a process: enrolment, exactly once over kills, revocation, a full disk.

SPDX-License-Identifier: Apache-2.0
"""

import os
import random
import resource
import signal
import threading
import time

import pytest
import rig

pytestmark = pytest.mark.threads

T0 = 1_345_000_000


@pytest.fixture
def controller(tmp_path):
    c = rig.Controller(tmp_path / "controller").start()
    yield c
    c.kill()


@pytest.fixture
def operator(controller):
    o = controller.operator()
    o.must("model.add", model="bike")
    yield o


def totals(operator):
    return operator.must("audit.counts")["total"]


def test_a_host_enrols_reports_and_is_acknowledged(controller, operator):
    agent = rig.enrolled(controller, operator, "web-1", models="bike")
    agent.send(agent.window("bike", "v1", T0, 10))
    assert agent.wait_acked([1])
    assert totals(operator) == {"observed": 10, "merged": 10, "late": 0, "dropped": {}}
    agent.send(agent.window("fraud", "v1", T0, 10))
    assert agent.wait_acked([2])
    assert agent.refused == {2: "scope"}
    assert operator.must("audit.verify")["result"] == "intact"
    assert controller.stop() == 0


def test_a_token_is_good_for_one_host_and_the_same_host_may_ask_again(controller, operator):
    line = operator.must("agent.token")["line"]
    first = rig.Agent(controller, "web-1", line)
    with pytest.raises(PermissionError) as refused:
        rig.Agent(controller, "web-2", line)
    assert refused.value.args[0] == 409
    again = rig.Agent(controller, "web-1", line, first.pair, first.sign)
    assert again.id == first.id
    with pytest.raises(PermissionError) as refused:
        rig.Agent(controller, "web-3", other_seed(line))
    assert refused.value.args[0] == 403


def other_seed(line):
    token = rig.wire.token_read(line)
    token["seed"] = os.urandom(32)
    return rig.wire.token_line(token)


def test_many_hosts_enrol_at_once_and_guessers_are_stopped(controller, operator):
    hosts = 40
    lines = [operator.must("agent.token", models="bike")["line"] for _ in range(hosts)]
    agents, faults = [], []

    def join(n, line):
        try:
            agents.append(rig.Agent(controller, f"web-{n}", line))
        except Exception as e:  # what it is matters only to the reader of the failure
            faults.append(e)

    threads = [threading.Thread(target=join, args=(n, line)) for n, line in enumerate(lines)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults
    assert len({a.id for a in agents}) == hosts
    codes = []
    for n in range(12):
        with pytest.raises(PermissionError) as refused:
            rig.Agent(controller, f"guess-{n}", other_seed(lines[0]))
        codes.append(refused.value.args[0])
    assert codes == [403] * 10 + [429] * 2


def test_a_revoked_agent_is_cut_off_and_nothing_more_is_stored(controller, operator):
    agent = rig.enrolled(controller, operator, "web-1", models="bike")
    stop = threading.Event()

    def stream():
        while not stop.is_set():
            if agent.seq - len(agent.acked) < 4:
                agent.send(agent.window("bike", "v1", T0 + 60 * agent.seq, 1))
            agent.drain(0.001)

    thread = threading.Thread(target=stream)
    thread.start()
    end = time.monotonic() + 180
    while not agent.acked and time.monotonic() < end:
        time.sleep(0.01)
    operator.must("agent.revoke", agent="web-1", why="stolen")
    then = totals(operator)
    time.sleep(0.5)
    stop.set()
    thread.join()
    assert totals(operator) == then
    assert then["merged"] > 0
    controller.stop()
    controller.start()
    operator = controller.operator()
    late = rig.Agent(controller, "web-1", pair=agent.pair).connect()
    assert late.welcome(1) is None
    assert totals(operator) == then


class Streamer:
    """An agent that keeps what is not acknowledged and sends it again, as a spool does."""

    CREDIT = 4

    def __init__(self, agent, n):
        self.agent = agent
        self.bodies = {}
        for i in range(n):
            body = agent.window("bike", "v1", T0 + 60 * i, i % 7 + 1)
            self.bodies[agent.seq] = body
        self.rows = sum(i % 7 + 1 for i in range(n))
        self.flying = {}

    def left(self):
        return [s for s in self.bodies if s not in self.agent.acked]

    def connect(self):
        self.agent.close()
        self.agent.connect()
        self.flying = {}
        return self.agent.welcome(2) is not None

    def step(self):
        self.agent.drain()
        for seq in self.left()[:self.CREDIT]:
            if seq not in self.flying:
                self.agent.send(self.bodies[seq])
                self.flying[seq] = True
        self.agent.drain(0.002)


def test_kills_lose_nothing_acknowledged_and_count_nothing_twice(controller, operator):
    rounds = 20
    streams = [Streamer(rig.enrolled(controller, operator, f"web-{i}", models="bike"), 400)
               for i in range(3)]
    dice = random.Random(5)
    for _ in range(rounds):
        end = time.monotonic() + dice.uniform(0.01, 0.15)
        while time.monotonic() < end:
            for s in streams:
                s.step()
        controller.kill()
        controller.start()
        for s in streams:
            assert s.connect()
    end = time.monotonic() + 180
    while any(s.left() for s in streams) and time.monotonic() < end:
        for s in streams:
            s.step()
    assert not any(s.left() for s in streams)
    operator = controller.operator()
    rows = sum(s.rows for s in streams)
    assert totals(operator) == {"observed": rows, "merged": rows, "late": 0, "dropped": {}}
    assert operator.must("audit.verify")["result"] == "intact"
    # What is stored follows from the log alone, to the byte; also while it runs.
    code, told = controller.rebuild()
    assert code == 0, told
    controller.stop()
    code, told = controller.rebuild()
    assert code == 0 and "the same" in told, told


def test_a_full_disk_stops_acknowledgements_and_recovers_alone(tmp_path):
    c = rig.Controller(tmp_path / "controller")
    c.start(preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
    try:
        operator = c.operator()
        operator.must("model.add", model="bike")
        agent = rig.enrolled(c, operator, "web-1", models="bike")
        size = (c.folder / "store" / "data.mdb").stat().st_size
        resource.prlimit(c.process.pid, resource.RLIMIT_FSIZE,
                         (size + 65536, resource.RLIM_INFINITY))
        for i in range(60):
            agent.send(agent.window("bike", "v1", T0 + 60 * i, 1,
                                    dropped={f"{'x' * 400}{n}": 0 for n in range(10)}))
        assert not agent.wait_acked(range(1, 61), 3)
        assert operator.ask("fleet.status")[0] == 0  # it still answers
        code, why = operator.ask("model.add", model="other")
        assert code == 7 and "store" in why
        acked = len(agent.acked)
        assert totals(operator)["merged"] == acked
        assert rig.lines_with(c.text(), "nothing is acknowledged")
        resource.prlimit(c.process.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert agent.wait_acked(range(1, 61), 10)  # nobody has sent anything again
        assert totals(operator)["merged"] == 60
        assert rig.lines_with(c.text(), "takes entries again")
    finally:
        c.kill()


def test_it_refuses_what_it_cannot_guard(tmp_path):
    c = rig.Controller(tmp_path / "controller")
    key = c.folder / "keys" / "order.key"
    key.chmod(0o644)
    c.start(wait=False)
    assert c.process.wait(20) == 78
    assert "order.key" in c.text() and "chmod" in c.text()
    key.chmod(0o400)
    c.start(wait=False)
    c.wait_ready()
    second = rig.subprocess.run(
        [rig.BUILD / "kedge-controller", "run", "--dir", c.folder, "--check"],
        capture_output=True, check=False)
    assert second.returncode == 0
    c.stop()
    nowhere = rig.subprocess.run(
        [rig.BUILD / "kedge-controller", "run", "--dir", tmp_path / "none"],
        capture_output=True, text=True, check=False)
    assert nowhere.returncode == 78
    assert "kedge ctl init" in nowhere.stderr


def test_hostile_operators_get_nothing(controller, operator):
    assert operator.ask("no.such.verb") == (2, "no such command")
    stranger = rig.Operator(controller, pair=rig.zmq.curve_keypair())
    with pytest.raises(TimeoutError):
        stranger.ask("fleet.status", timeout=1)
    operator.dealer.send("kedge.query.v1", b"\xdd\x08\x00\x00\x00")
    operator.dealer.send("kedge.query.v1", os.urandom(100_000))
    assert operator.ask("fleet.status")[0] == 0
