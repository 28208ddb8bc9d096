# The demo's story, with the controller and agents killed -9 at random moments.
#
# SPDX-License-Identifier: Apache-2.0
import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SEEDS = range(1, 26) if os.environ.get("KEDGE_LONG") else range(1, 3)
KILLS = 20


def tell(folder, *options):
    """Runs the story; its exit status says whether it really happened."""
    story = os.path.join(TOP, "packaging", "story", "story.py")
    return subprocess.run(["/usr/bin/python3", "-B", story, "--fast", "--folder",
                           str(folder), *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)


@pytest.mark.parametrize("seed", SEEDS)
def test_ends_well_after_twenty_kills(tmp_path, seed):
    # And the controller once more right behind an order: the receipt finds nobody.
    behind = 3 if os.environ.get("KEDGE_LONG") else seed % 2
    done = tell(tmp_path / "story", "--kills", str(KILLS), "--kill-seed", str(seed),
                "--order-kills", str(behind))
    text = done.stdout.decode()
    assert done.returncode == 0, text[-6000:]
    assert text.count("kill -9 of the") == KILLS
    assert "no row is counted twice" in text
