"""What an operator asks of models, features and windows, by the command.

SPDX-License-Identifier: Apache-2.0
"""

import csv
import io
import json
import subprocess

import pytest
import rig


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A controller with a small swarm's windows of eight models, and one stranger's."""
    controller = rig.Controller(tmp_path_factory.mktemp("query") / "c").start()
    subprocess.run([rig.BUILD / "kedge-swarm", "--config", controller.folder / "kedge.conf",
                    "--agents", "4", "--models", "8", "--features", "5", "--rows", "200",
                    "--rate", "40", "--seconds", "2"],
                   check=True, stdout=subprocess.DEVNULL, timeout=120)
    admin = controller.operator()
    agent = rig.enrolled(controller, admin, "stranger", models="*")
    agent.send(agent.window("nobody-knows-me", "v1", 1_772_460_000, 10))
    assert agent.wait_acked([1])
    yield controller
    controller.kill()


def kedge(controller, *words, code=0):
    done = subprocess.run([rig.BUILD / "kedge", "--config", controller.folder / "kedge.conf",
                           *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def models(controller, *words):
    return kedge(controller, "model", "list", "-o", "name", *words).split()


def test_models_are_found_by_what_they_are(world):
    kedge(world, "model", "add", "swarm-00003", "--version", "v1", "--tag", "pii", "--tag",
          "eu", "--owner", "risk", "--stage", "staging")
    kedge(world, "model", "promote", "swarm-00003@v1", "--to", "production", "--yes")
    everything = models(world)
    assert len(everything) == 9
    assert models(world, "--owner", "risk") == ["swarm-00003"]
    assert models(world, "--tag", "eu") == ["swarm-00003"]
    assert models(world, "--tag", "us") == []
    assert models(world, "--stage", "production") == ["swarm-00003"]
    assert models(world, "--stage", "staging") == []
    assert len(models(world, "--feature", "f002")) == 8
    assert models(world, "--feature", "no-such-feature") == []
    shown = json.loads(kedge(world, "model", "show", "swarm-00005", "-o", "json"))
    digest = shown["versions"][0]["baseline"]
    assert "swarm-00005" in models(world, "--digest", digest[:12])
    assert models(world, "--digest", "sha256:" + "0" * 63 + "1") == []
    kedge(world, "model", "list", "--digest", "abc", code=2)
    assert models(world, "--name", "*-0000?") == [f"swarm-{i:05}" for i in range(8)]
    kedge(world, "model", "promote", "swarm-00003@v9", "--to", "production", "--yes", code=3)


def test_a_model_that_nobody_registered_is_listed_as_unknown(world):
    assert models(world, "--state", "unknown") == ["nobody-knows-me"]
    listed = json.loads(kedge(world, "model", "list", "-o", "json"))["models"]
    row = [m for m in listed if m["model"] == "nobody-knows-me"][0]
    assert row["state"] == "unknown" and row["reported_by"] == "stranger"


def test_a_feature_stands_beside_its_baseline(world):
    shown = json.loads(kedge(world, "feature", "show", "swarm-00001", "f000", "--since", "3m",
                             "-o", "json"))
    figure = {f["figure"]: f for f in shown["figures"]}
    assert shown["windows"] == 3 and figure["rows"]["now"] == 600
    # The swarm's first feature is normal around 50 with sd 10, then as now.
    for name, value in {"mean": 50, "p50": 50, "p05": 33.55, "p95": 66.45}.items():
        assert abs(figure[name]["baseline"] - value) < 1, name
        assert abs(figure[name]["now"] - value) < 4, name
    assert sum(cell["now"] for cell in shown["cells"]) == 600
    assert sum(cell["baseline"] for cell in shown["cells"]) == figure["rows"]["baseline"]
    assert 0 < shown["distance"]["ks"] < 0.2
    listed = json.loads(kedge(world, "feature", "list", "swarm-00001@v1", "-o", "json"))
    assert [f["feature"] for f in listed["features"]] == [
        "f000", "f001", "f002", "f003", "prediction"]
    kedge(world, "feature", "show", "swarm-00001", "f999", code=3)
    kedge(world, "feature", "show", "no-model", "f000", code=3)


def test_series_comparisons_and_scans_of_the_fleet(world):
    text = kedge(world, "query", "mean(swarm-00001@v1 f000), rows(swarm-00002)", "--since",
                 "4m", "-o", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    first = [r for r in rows if r["model"] == "swarm-00001"]
    assert len(first) == 4 and len(rows) == 8
    assert all(40 < float(r["value"]) < 60 for r in first)
    assert first == sorted(first, key=lambda r: r["start"])
    shown = json.loads(kedge(world, "feature", "show", "swarm-00001", "f000", "-o", "json"))
    now = {f["figure"]: f["now"] for f in shown["figures"]}["mean"]
    assert float(first[-1]["value"]) == pytest.approx(now)
    scan = json.loads(kedge(world, "query", "p50(swarm-* f000)", "-o", "json"))["points"]
    assert [p["model"] for p in scan] == [f"swarm-{i:05}" for i in range(8)]
    assert all(44 < p["value"] < 56 for p in scan)
    for wrong in ("mean", "mode(swarm-00001 f000)", "mean(swarm-00001)", "mean(x f"):
        assert "MEASURE(MODEL" in kedge(world, "query", wrong, code=2)
    kedge(world, "query", "mean(no-model f000)", code=3)


def test_history_says_what_served_at_an_instant(world):
    now = json.loads(kedge(world, "model", "history", "swarm-00001", "-o", "json"))
    begin = now["intervals"][0]["from"]
    then = json.loads(kedge(world, "model", "history", "swarm-00001", "--at", begin, "-o",
                            "json"))
    assert [i["host"] for i in then["intervals"]] == ["swarm-00001"]
    before = json.loads(kedge(world, "model", "history", "swarm-00001", "--at",
                              "2001-01-01T00:00:00Z", "-o", "json"))
    assert before["intervals"] == []
