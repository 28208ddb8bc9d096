# The demo's story as it is, and without the action: the difference must be real.
#
# SPDX-License-Identifier: Apache-2.0
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def tell(folder, *options):
    story = os.path.join(TOP, "packaging", "story", "story.py")
    return subprocess.run(["/usr/bin/python3", "-B", story, "--folder", str(folder),
                           *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=600)


def test_the_story_really_happens(tmp_path):
    done = tell(tmp_path / "story")
    text = done.stdout.decode()
    assert done.returncode == 0, text[-6000:]
    for words in ("$ kedge fleet status", "$ kedge why --model bike-demand",
                  "$ kedge audit verify", "canary recovered", "plan 1 done"):
        assert words in text
    assert "NO " not in text.split("Did it really happen?")[1].split("$ kedge")[0]


def test_without_the_action_the_loss_stays_bad(tmp_path):
    done = tell(tmp_path / "story", "--fast", "--no-rollback")
    text = done.stdout.decode()
    assert done.returncode == 0, text[-6000:]
    assert "nobody rolled back" in text
    assert "plan 1 done" not in text
