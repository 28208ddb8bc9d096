# The controller killed, and its machine's power cut, at random moments under load: what
# was acknowledged is there once, and all that is stored follows from the log.
#
# SPDX-License-Identifier: Apache-2.0
import array
import fcntl
import os
import pathlib
import random
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import rig  # noqa: E402

LONG = bool(os.environ.get("KEDGE_LONG"))
KILLS = 500 if LONG else 8
CUTS = 25 if LONG else 2
SEEDS = [int(s) for s in os.environ.get("KEDGE_CRASH_SEEDS", "1").split(",")]
T0 = 1_345_000_000
SHUTDOWN = 0x8004587d  # _IOR('X', 125, u32): as xfs and ext4 have it
WITHOUT_THE_JOURNAL = 2

pytestmark = pytest.mark.threads


class Spool:
    """An agent that keeps what is not acknowledged and sends it again, for ever."""

    CREDIT = 4

    def __init__(self, agent, dice):
        self.agent, self.dice = agent, dice
        self.kept = {}     # seq -> (body, rows): not acknowledged yet
        self.flying = set()
        self.rows = 0      # of what is acknowledged

    def draw(self):
        rows = self.dice.randrange(1, 98)
        body = self.agent.window("bike", "v1", T0 + 60 * self.agent.seq, rows)
        self.kept[self.agent.seq] = (body, rows)

    def settle(self):
        for seq in [s for s in self.kept if s in self.agent.acked]:
            self.rows += self.kept.pop(seq)[1]
            self.flying.discard(seq)
        assert not self.agent.refused

    def step(self, draws=True):
        self.agent.drain(0.002)
        self.settle()
        while draws and len(self.kept) < self.CREDIT:
            self.draw()
        for seq, (body, _) in list(self.kept.items())[:self.CREDIT]:
            if seq not in self.flying:
                self.agent.send(body)
                self.flying.add(seq)

    def connect(self):
        self.flying = set()
        for _ in range(30):  # a hello may be lost with its connection: agents say it again
            self.agent.close()
            self.agent.connect()
            if self.agent.welcome(20):
                return
        raise AssertionError("nobody welcomes the agent")


class Life:
    """A controller with three hosts, until it has crashed often enough."""

    def __init__(self, folder, seed):
        self.dice = random.Random(seed)
        self.controller = rig.Controller(folder)
        with open(self.controller.folder / "controller.conf", "a", encoding="utf-8") as conf:
            # So that all of the log can be folded again.
            conf.write("".join(f'keep-{what} = "400d"\n' for what in ("raw", "hour", "day")))
        self.controller.start()
        operator = self.controller.operator()
        operator.must("model.add", model="bike")
        self.spools = [Spool(rig.enrolled(self.controller, operator, f"web-{i}",
                                          models="bike"), self.dice) for i in range(3)]

    def load(self):
        end = time.monotonic() + self.dice.uniform(0.01, 0.2)
        while time.monotonic() < end:
            for spool in self.spools:
                spool.step()

    def merged(self):
        return self.controller.operator().must("audit.counts")["total"]["merged"]

    def come_back(self):
        self.controller.start()
        for spool in self.spools:
            spool.connect()
            spool.settle()
        # Nothing that was acknowledged is missing; what is more was stored and not yet
        # told.
        acked = sum(s.rows for s in self.spools)
        known = acked + sum(rows for s in self.spools for _, rows in s.kept.values())
        assert acked <= self.merged() <= known

    def end(self):
        end = time.monotonic() + 120
        while any(s.kept for s in self.spools) and time.monotonic() < end:
            for spool in self.spools:
                spool.step(draws=False)
        assert not any(s.kept for s in self.spools)
        rows = sum(s.rows for s in self.spools)
        total = self.controller.operator().must("audit.counts")["total"]
        assert total == {"observed": rows, "merged": rows, "late": 0, "dropped": {}}
        assert self.controller.operator().must("audit.verify")["result"] == "intact"
        code, told = self.controller.rebuild()
        assert code == 0 and "the same" in told, told
        for spool in self.spools:
            spool.agent.close()
        self.controller.stop()
        print(f"{sum(s.agent.seq for s in self.spools)} windows of {rows} rows, each once; "
              f"{told.strip()}")


@pytest.mark.parametrize("seed", SEEDS)
def test_kills_under_load_lose_nothing_and_double_nothing(tmp_path, seed):
    life = Life(tmp_path / "controller", seed)
    try:
        for _ in range(KILLS):
            life.load()
            life.controller.kill()
            life.come_back()
        life.end()
    finally:
        life.controller.kill()


class Disk:
    """A small ext4 in a file, whose power can be cut."""

    def __init__(self, folder):
        self.image, self.place = folder / "image", folder / "disk"
        self.place.mkdir()
        with open(self.image, "wb") as f:
            f.truncate(512 << 20)
        self.must("mkfs.ext4", "-q", "-F", self.image)
        self.mount()

    @staticmethod
    def must(*words):
        done = subprocess.run([str(w) for w in words], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise OSError(done.stderr)

    def mount(self):
        self.must("mount", "-o", "loop", self.image, self.place)

    def cut(self):
        """From now on nothing reaches the disk, not even the journal in memory."""
        fd = os.open(self.place, os.O_RDONLY)
        fcntl.ioctl(fd, SHUTDOWN, array.array("I", [WITHOUT_THE_JOURNAL]))
        os.close(fd)

    def unmount(self):
        for _ in range(100):
            if subprocess.run(["umount", self.place], capture_output=True,
                              check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise OSError("it is still in use")


@pytest.fixture
def disk(tmp_path):
    try:
        made = Disk(tmp_path)
    except OSError as why:
        pytest.skip(f"no file system can be mounted here: {why}")
    yield made
    subprocess.run(["umount", "-l", made.place], capture_output=True, check=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_power_cuts_lose_nothing_and_double_nothing(disk, seed):
    life = Life(disk.place / "controller", seed)
    os.sync()  # the folder was made long ago
    try:
        for _ in range(CUTS):
            life.load()
            disk.cut()
            life.controller.kill()
            life.controller.log.close()
            disk.unmount()
            disk.mount()
            life.come_back()
        life.end()
    finally:
        life.controller.kill()
