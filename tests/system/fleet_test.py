"""What `kedge fleet status` says of agents and models that stop, hang, drift or are copied.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import subprocess
import time

import pytest
import rig


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    c = rig.Controller(tmp_path_factory.mktemp("fleet") / "c")
    with open(c.folder / "controller.conf", "a") as conf:
        conf.write('\nagent-silence = "4s"\nagent-grace = "500ms"\nmodel-silence = "1s"\n')
    c.start()
    yield c
    c.kill()


@pytest.fixture(scope="module")
def admin(controller):
    return controller.operator()


def status(controller):
    done = subprocess.run([rig.BUILD / "kedge", "--config", controller.folder / "kedge.conf",
                           "fleet", "status", "-o", "json"], capture_output=True, text=True,
                          timeout=60, check=True)
    return json.loads(done.stdout)


def breathe(agent, skew_ms=0):
    agent.dealer.send(*rig.pack("kedge.beat.v1", {
        "hb": os.urandom(16), "time_ms": int(time.time() * 1000) + skew_ms,
        "spool_entries": 0, "spool_bytes": 0}))
    agent.drain()


def wait_for(controller, wanted, turn, timeout=180):
    """Until the status says what is wanted of hosts and models; `turn` keeps others alive."""
    end = time.monotonic() + timeout
    while True:
        turn()
        shown = status(controller)
        seen = {a["host"]: a["state"] for a in shown["agents"]}
        seen |= {m["model"]: m["state"] for m in shown["models"]}
        if all(seen.get(name) == state for name, state in wanted.items()):
            return shown
        assert time.monotonic() < end, (wanted, seen)
        time.sleep(0.3)


def test_four_states_are_told_apart(controller, admin):
    admin.must("model.add", model="quiet")
    admin.must("model.add", model="talks")
    alive, dead, away, skewed = (rig.enrolled(controller, admin, host, models="*")
                                 for host in ("alive", "dead", "away", "skewed"))
    start = int(time.time()) // 60 * 60 - 3600

    def turn():
        breathe(alive)
        breathe(skewed, 3_600_000)
        alive.send(alive.window("talks", "v1", start + alive.seq, 5, length_s=1))

    alive.send(alive.window("quiet", "v1", start, 5, length_s=1))
    assert alive.wait_acked([1])
    dead.close()  # its end of the connection is closed, as when its process is killed
    # `away` keeps its connection and says nothing, as behind a cable that was pulled
    shown = wait_for(controller, {"alive": "alive", "dead": "dead", "away": "link down",
                                  "skewed": "skewed", "quiet": "silent", "talks": "ok"}, turn)
    assert shown["summary"]["silent_agents"] == 2
    assert shown["summary"]["silent_models"] == 1
    rows = {m["model"]: m for m in shown["models"]}
    assert rows["quiet"]["why"] == "no rows"
    clock = {a["host"]: a["clock_skew_ms"] for a in shown["agents"]}
    assert 3_500_000 < clock["skewed"] < 3_700_000 and abs(clock["alive"]) < 60_000
    text = controller.text()
    assert "state=dead" in text and "state=link down" in text and "model=quiet" in text
    # What comes back is alive, and a silent model's next row makes it well.
    dead.connect()
    assert dead.welcome()
    alive.send(alive.window("quiet", "v1", start + 600, 5, length_s=1))
    breathe(away)
    wait_for(controller, {"dead": "alive", "away": "alive", "quiet": "ok"},
             lambda: (turn(), breathe(dead), breathe(away),
                      alive.send(alive.window("quiet", "v1", start + 600 + alive.seq, 5,
                                              length_s=1))))


def test_a_copied_key_is_named_with_both_machines(controller, admin):
    line = admin.must("agent.token", models="*")["line"]
    one = rig.Agent(controller, "web-1", line).connect()
    assert one.welcome()
    copy = rig.Agent(controller, "web-2", pair=one.pair, sign=one.sign).connect()
    assert copy.welcome()
    one.close()
    one.connect()  # the same start as before: it had not gone
    assert one.welcome()
    shown = wait_for(controller, {}, lambda: None)
    cloned = [a["cloned"] for a in shown["agents"] if "cloned" in a]
    assert [(c["host"], c["other_host"]) for c in cloned] == [("web-1", "web-2")]
    end = time.monotonic() + 120
    while not (found := [e for e in admin.must("event.list")["events"]
                         if e["kind"] == "identity_cloned"]):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert "web-1" in found[0]["text"] and "web-2" in found[0]["text"]
