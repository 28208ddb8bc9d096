"""Little room: the quota shortens what is kept, and a full disk loses nothing.

SPDX-License-Identifier: Apache-2.0
"""

import os
import subprocess
import time

import pytest
import rig

pytestmark = pytest.mark.threads

T0 = 1_345_000_000
# Some 13 KB in each window: reasons why nothing was dropped.
BALLAST = {f"{'x' * 400}{n:02}": 0 for n in range(32)}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 32 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "kedge-test", place],
                          capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=False)


def send_hours(agent, first, hours):
    """Windows of a minute, as fast as they are acknowledged; the names of those that are."""
    for i in range(hours * 60):
        agent.send(agent.window("bike", "v1", T0 + 60 * (first * 60 + i), 1, dropped=BALLAST))
        if i % 4 == 3:
            assert agent.wait_acked(range(agent.seq - 3, agent.seq + 1), 60)


def begin(controller):
    operator = controller.operator()
    operator.must("model.add", model="bike")
    return operator, rig.enrolled(controller, operator, "web-1", models="bike")


@pytest.mark.skipif(not os.environ.get("KEDGE_LONG"), reason="--long")
def test_at_nine_tenths_of_the_quota_the_finest_goes_first(tmp_path):
    c = rig.Controller(tmp_path / "controller")
    with open(c.folder / "controller.conf", "a", encoding="utf-8") as conf:
        conf.write('store-size = "16MiB"\n')
    c.start()
    try:
        _, agent = begin(c)
        send_hours(agent, 0, 24)  # 23 MB, more than fits
        assert c.operator().must("audit.counts")["total"]["merged"] == 24 * 60
        assert rig.lines_with(c.text(), "windows are kept for a shorter time")
        end = time.monotonic() + 180
        while rig.lines_with(c.text(), "nearly full") and time.monotonic() < end:
            if rig.lines_with(c.text(), "taken again"):
                break
            time.sleep(0.1)
        agent.close()
    finally:
        c.stop()
    done = subprocess.run([rig.BUILD / "kedge", "ctl", "check", c.folder],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "fine" in done.stdout, done.stdout + done.stderr
    used = int(done.stdout.split("bytes, ")[1].split()[0])
    assert used < 16 << 20, done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_full_disk_acknowledges_nothing_and_recovers_alone(small_disk):
    c = rig.Controller(small_disk / "controller").start()
    try:
        _, agent = begin(c)
        send_hours(agent, 0, 2)
        other = small_disk / "other"
        with open(other, "wb") as f:  # somebody else fills the disk, to the last byte
            with pytest.raises(OSError):
                while True:
                    f.write(bytes(65536))
                    f.flush()
        # What is in use inside of the file is used again; in the end nothing is left.
        sent = []
        for i in range(400):
            agent.send(agent.window("bike", "v1", T0 + 60 * (600 + i), 1, dropped=BALLAST))
            sent.append(agent.seq)
            if not agent.wait_acked(sent, 3):
                break
        end = time.monotonic() + 180
        words = "no reports are taken|nothing is acknowledged"
        while not rig.lines_with(c.text(), words) and time.monotonic() < end:
            time.sleep(0.1)
        assert rig.lines_with(c.text(), words)
        assert c.operator().ask("fleet.status")[0] == 0  # it still answers
        other.unlink()
        assert agent.wait_acked(sent, 60)  # nobody has sent anything again
        merged = c.operator().must("audit.counts")["total"]["merged"]
        assert merged == 2 * 60 + len(sent)
        agent.close()
    finally:
        c.kill()
