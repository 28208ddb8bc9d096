# The demo's story as it is, and without the action: the difference must be real.
#
# SPDX-License-Identifier: Apache-2.0
import json
import os
import pathlib
import subprocess
import time

RULES = """
detect { pages_per_week = 2 }
rule "psi-alert" { when = "psi > 0.25" }
rule "sas" { when = "p1 > 5 or p25 > 0" }
rule "sagemaker" { constraints = "constraints.json"  when = "violations > 0" }
rule "never" { when = "rows > 1000000" }
"""
CONSTRAINTS = {"features": [{"name": "temp", "completeness": 1.0,
                             "num_constraints": {"is_non_negative": True}}],
               "monitoring_config": {"distribution_constraints":
                                     {"comparison_threshold": 0.1}}}
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
    look_back(tmp_path / "story" / "controller", tmp_path)


def kedge(controller, *words, code=0):
    build = os.environ.get("KEDGE_BUILD", os.path.join(TOP, "build"))
    done = subprocess.run([os.path.join(build, "kedge"), *words, "-o", "json"], timeout=120,
                          env={**os.environ, "KEDGE_CONFIG": str(controller / "kedge.conf")},
                          capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code < 2 else done.stderr


def look_back(controller, folder):
    """What the store says afterwards, with nothing but its folder."""
    told = kedge(controller, "explain", "1")
    assert told["same"] and told["recomputed"] == "the same, to the bit"
    assert told["cause"] == "bad_version"
    last = [s for s in told["way"] if s["feature"] == "loss"][-1]
    assert last["tier"] == "warn" and last["evidence"] >= 1e4
    assert "no alert 99" in kedge(controller, "explain", "99", code=3)

    (folder / "detection.conf").write_text(RULES)
    (folder / "constraints.json").write_text(json.dumps(CONSTRAINTS))
    words = ["backtest", "--since", "400d", "--policy", str(folder / "detection.conf")]
    tested = kedge(controller, *words)
    assert "v2" in {f["version"] for f in tested["fired"] if f["page"] == "sent"}
    assert not any(f["new"] for f in tested["fired"]) and tested["lost"] == []
    share = {r["rule"]: r["share"] for r in tested["rules"]}
    assert share["psi-alert"] > 0.9 and share["sagemaker"] > 0.9 and share["never"] == 0
    assert tested == kedge(controller, *words)
    (folder / "deaf.conf").write_text("detect { warn_feature = 1e30 page_model = 1e30 }\n")
    deaf = kedge(controller, "backtest", "--since", "400d", "--policy",
                 str(folder / "deaf.conf"))
    assert deaf["fired"] == [] and 1 in {a["alert"] for a in deaf["lost"]}
    (folder / "wrong.conf").write_text('rule "x" { when = "psy > 1" }\n')
    assert "psy" in kedge(controller, "backtest", "--policy", str(folder / "wrong.conf"),
                          code=2)

    quiet = kedge(controller, "calibrate", "--days", "90")
    assert quiet["verdict"] == "every level kept its promise" and quiet["left_out"] > 0
    assert {level["against"] for level in quiet["levels"]} == {"sealed baseline",
                                                              "own first half"}
    budget_shows_what_was_spent(controller)


def budget_shows_what_was_spent(controller):
    build = pathlib.Path(os.environ.get("KEDGE_BUILD", os.path.join(TOP, "build")))
    running = subprocess.Popen([build / "kedge-controller", "run", "--dir", controller],
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                budget = kedge(controller, "budget", "show")
                break
            except AssertionError:
                time.sleep(0.1)
        assert budget["spent"] == 1 and budget["pages_per_week"] == 2
        assert budget["models"] == 1 and budget["digest"] == []
        assert [(p["alert"], p["model"]) for p in budget["pages"]] == [(1, "bike-demand")]
    finally:
        running.terminate()
        running.wait(60)


def test_without_the_action_the_loss_stays_bad(tmp_path):
    done = tell(tmp_path / "story", "--fast", "--no-rollback")
    text = done.stdout.decode()
    assert done.returncode == 0, text[-6000:]
    assert "nobody rolled back" in text
    assert "plan 1 done" not in text
