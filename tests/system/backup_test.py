"""Backup, restore, check and compact, with the program and under load.

SPDX-License-Identifier: Apache-2.0
"""

import base64
import subprocess
import threading

import pytest
import rig

pytestmark = pytest.mark.threads

T0 = 1_345_000_000


@pytest.fixture
def controller(tmp_path):
    c = rig.Controller(tmp_path / "controller").start()
    yield c
    c.kill()


def ctl(*words):
    done = subprocess.run([rig.BUILD / "kedge", "ctl", *map(str, words)],
                          capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def send_windows(agent, first, count):
    """No more at once than the credit allows."""
    for i in range(count):
        agent.send(agent.window("bike", "v1", T0 + 60 * (first + i), 1))
        if i % 4 == 3 or i == count - 1:
            assert agent.wait_acked(range(1, agent.seq + 1), 60)


def merged(controller):
    return controller.operator().must("audit.counts")["total"]["merged"]


def test_a_backup_under_load_is_whole_and_restores(controller, tmp_path):
    operator = controller.operator()
    operator.must("model.add", model="bike")
    agent = rig.enrolled(controller, operator, "web-1", models="bike")
    send_windows(agent, 0, 200)
    stop = threading.Event()

    def go_on():
        at = 200
        while not stop.is_set():
            send_windows(agent, at, 10)
            at += 10

    load = threading.Thread(target=go_on)
    load.start()
    code, told = ctl("backup", "--with-keys", controller.folder, tmp_path / "b1")
    stop.set()
    load.join()
    assert code == 0, told
    assert ctl("backup", controller.folder, tmp_path / "b1")[0] == 6  # never over another
    code, told = ctl("check", tmp_path / "b1")
    assert code == 0 and "fine" in told, told
    # Today's state follows from the backup's by the log between the two.
    code, told = ctl("rebuild", "--check", "--from", tmp_path / "b1", controller.folder)
    assert code == 0 and "the same" in told, told

    code, told = ctl("restore", tmp_path / "b1", controller.folder)
    assert code == 6 and "runs" in told
    before = merged(controller)
    agent.close()
    controller.stop()
    code, told = ctl("restore", tmp_path / "b1", controller.folder)
    assert code == 0 and "automation is stopped" in told, told
    assert list(controller.folder.glob("store.before-*"))  # nothing is thrown away
    controller.start()
    assert 200 <= merged(controller) <= before
    operator = controller.operator()
    assert operator.must("audit.verify")["result"] == "intact"
    leaves = operator.must("audit.export")["log"]
    assert any(b"automation is stopped" in base64.urlsafe_b64decode(leaf + "==")
               for leaf in leaves)
    # Reports go on where the agent is.
    agent.connect()
    assert agent.welcome()
    send_windows(agent, 2500, 20)  # event time beyond all that was there
    code, told = ctl("rebuild", "--check", controller.folder)
    assert code == 0 and "the same" in told, told
    agent.close()


def test_a_folder_is_made_from_a_backup_with_keys(controller, tmp_path):
    operator = controller.operator()
    operator.must("model.add", model="bike")
    assert ctl("backup", "--compact", "--with-keys", controller.folder, tmp_path / "b")[0] == 0
    controller.stop()
    code, told = ctl("restore", tmp_path / "b", tmp_path / "elsewhere")
    assert code == 0, told
    controller.folder = tmp_path / "elsewhere"
    controller.start()
    assert controller.operator().must("model.list")["models"][0]["model"] == "bike"


def test_a_changed_or_foreign_backup_is_refused(controller, tmp_path):
    assert ctl("backup", controller.folder, tmp_path / "b")[0] == 0
    other = rig.Controller(tmp_path / "other")
    code, told = ctl("restore", tmp_path / "b", other.folder)
    assert code == 6 and "another fleet" in told, told
    data = tmp_path / "b" / "store" / "data.mdb"
    raw = bytearray(data.read_bytes())
    raw[len(raw) // 2] ^= 1
    data.write_bytes(raw)
    controller.stop()
    code, told = ctl("restore", tmp_path / "b", controller.folder)
    assert code == 1 and "not what was backed up" in told, told
    controller.start()  # as it was
    assert controller.operator().ask("fleet.status")[0] == 0


def test_compact_needs_a_stopped_controller_and_keeps_everything(controller, tmp_path):
    operator = controller.operator()
    operator.must("model.add", model="bike")
    agent = rig.enrolled(controller, operator, "web-1", models="bike")
    send_windows(agent, 0, 100)
    agent.close()
    assert ctl("compact", controller.folder)[0] == 6
    controller.stop()
    code, told = ctl("compact", controller.folder)
    assert code == 0, told
    assert not list(controller.folder.glob("store.*"))
    assert ctl("check", controller.folder)[0] == 0
    controller.start()
    assert merged(controller) == 100
    second = subprocess.run([rig.BUILD / "kedge-controller", "run", "--dir",
                             controller.folder], capture_output=True, timeout=60, check=False)
    assert second.returncode == 78  # two on one folder would ruin it
