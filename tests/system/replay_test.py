"""kedge replay: the detector's front door, on real data and on broken input.

SPDX-License-Identifier: Apache-2.0
"""

import csv
import gzip
import json
import os
import pathlib
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("KEDGE_BUILD", TOP / "build-asan"))
BIKE = TOP / "tests/data/bike"

sys.path.insert(0, str(TOP / "packaging/story"))
import train  # noqa: E402


def replay(*words):
    return subprocess.run([BUILD / "kedge", "replay", *map(str, words)], timeout=120,
                          capture_output=True, text=True)


def result(*words):
    done = replay(*words, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def seconds(day):
    return train.day(day)


@pytest.fixture(scope="module")
def bike():
    return result(BIKE / "bike.csv.gz", "--manifest", BIKE / "manifest.json")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """The demo's rows: v1 serves, v2 is deployed on 15 August and fed the hour plus four."""
    home = tmp_path_factory.mktemp("story")
    with gzip.open(BIKE / "bike.csv.gz", "rt") as f:
        rows = list(csv.DictReader(f))
    fitted = {name: train.fit([r for r in rows if int(r["ts"]) < seconds(plan["before"])])
              for name, plan in train.VERSIONS.items()}
    with open(home / "story.csv", "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(["ts", *train.INPUTS, "pred_v1", "pred_v2", "y"])
        for r in rows:
            out.writerow([r["ts"], *(r[c] for c in train.INPUTS),
                          "%.4f" % train.predict(fitted["v1"], r),
                          "%.4f" % train.predict(fitted["v2"], r, 4), r["y"]])

    def first(day):
        return next(i for i, r in enumerate(rows) if int(r["ts"]) >= seconds(day))

    categorical = ["workingday", "weathersit"]
    entry = {
        "name": "story", "file": "story.csv", "timestamp": "ts",
        "numeric": [c for c in train.INPUTS if c not in categorical],
        "categorical": categorical, "outputs": ["pred_v1", "pred_v2"], "label": "y",
        "label_delay_s": 3600, "window_s": 86400, "window_rows": None,
        "reference_rows": first("2012-07-01"), "performance": "regression",
        "versions": [{"column": "pred_v1", "trained_rows": [0, first("2012-07-01")]},
                     {"column": "pred_v2", "trained_rows": [0, first("2012-08-15")]}],
    }
    (home / "manifest.json").write_text(json.dumps({"streams": [entry]}))
    return result(home / "story.csv", "--manifest", home / "manifest.json")


def test_the_result_has_the_documented_form(bike):
    assert bike["stream"] == "bike"
    assert bike["windows"] > 300 and bike["feature_windows"] > 3000
    for alarm in bike["alarms"]:
        assert {"tier", "row", "ts", "feature", "signal", "direction", "effect",
                "evidence", "cleared_ts"} <= set(alarm)
        assert alarm["direction"] in ("up", "down") and alarm["evidence"] >= 1e4
    assert {"ts", "champion", "challenger", "verdict"} <= set(bike["contest"][0])
    assert bike["summary"]["rows"] == 17379


def test_bike_shows_no_covariate_alarm_and_v2_failing_in_the_warm_season(bike):
    signals = {(a["feature"], a["signal"]) for a in bike["alarms"]}
    assert signals == {("pred_v1", "loss"), ("pred_v1", "bias"),
                       ("pred_v2", "loss"), ("pred_v2", "bias")}
    # v2 is live from 15 February 2012 and goes wrong from about 10 March on
    v2 = [a["ts"] for a in bike["alarms"] if a["feature"] == "pred_v2"]
    assert seconds("2012-03-01") < min(v2) <= seconds("2012-03-15")
    verdicts = [(c["champion"], c["verdict"]) for c in bike["contest"]]
    assert verdicts == [("pred_v2", "champion better"), ("pred_v2", "challenger better")]


def test_the_same_input_gives_the_same_bytes():
    words = (BIKE / "bike.csv.gz", "--manifest", BIKE / "manifest.json", "-o", "json")
    assert replay(*words).stdout == replay(*words).stdout


def test_plain_and_packed_streams_are_the_same(bike, tmp_path):
    plain = tmp_path / "bike.csv"
    plain.write_bytes(gzip.decompress((BIKE / "bike.csv.gz").read_bytes()))
    again = result(plain, "--manifest", BIKE / "manifest.json", "--name", "bike")
    assert again == bike


def test_the_story_is_quiet_before_the_deployment_and_told_within_days(story):
    deployed = seconds("2012-08-15")
    assert all(a["ts"] > deployed for a in story["alarms"])
    loss = [a for a in story["alarms"] if a["signal"] == "loss"]
    hour = [a for a in story["alarms"] if a["signal"] == "contribution"]
    assert loss[0]["ts"] - deployed <= 3 * 86400 and loss[0]["direction"] == "up"
    assert hour[0]["feature"] == "hr" and hour[0]["direction"] == "down"
    assert hour[0]["ts"] - deployed <= 7 * 86400
    inputs = {"location", "scale", "tail", "distance", "missing"}
    assert not [a for a in story["alarms"] if a["signal"] in inputs]
    assert story["deploy"][0]["verdict"] == "worse" and not story["deploy"][0]["withheld"]


def test_nothing_is_read_ahead(story, tmp_path):
    """A stream that is cut after an alarm shows the same alarms up to there."""
    with gzip.open(BIKE / "bike.csv.gz", "rt") as f:
        lines = f.read().splitlines()
    cut = tmp_path / "bike.csv"
    cut.write_text("\n".join(lines[:1 + 9240]) + "\n")
    short = result(cut, "--manifest", BIKE / "manifest.json", "--name", "bike")
    whole = result(BIKE / "bike.csv.gz", "--manifest", BIKE / "manifest.json")
    before = [a for a in whole["alarms"] if a["row"] < 9200]
    assert len(before) >= 2
    assert [a for a in short["alarms"] if a["row"] < 9200] == before


def test_what_is_wrong_is_said_in_one_line(tmp_path):
    manifest = BIKE / "manifest.json"
    cases = [
        ([BIKE / "none.csv", "--manifest", manifest, "--name", "bike"], 3, "none.csv"),
        ([BIKE / "bike.csv.gz", "--manifest", manifest, "--name", "x"], 3, "no stream x"),
        ([BIKE / "bike.csv.gz", "--manifest", tmp_path / "none"], 3, "none"),
        ([BIKE / "bike.csv.gz"], 2, "usage"),
        ([], 2, "usage"),
    ]
    for words, code, said in cases:
        done = replay(*words)
        assert done.returncode == code, (words, done)
        assert said in done.stderr and done.stdout == ""


def broken(tmp_path, text, **changes):
    entry = {"name": "s", "timestamp": "ts", "numeric": ["v"], "window_rows": 10,
             "reference_rows": 100, **changes}
    (tmp_path / "m.json").write_text(json.dumps({"streams": [entry]}))
    (tmp_path / "s.csv").write_text(text)
    return replay(tmp_path / "s.csv", "--manifest", tmp_path / "m.json", "-o", "json")


def rows(n, value=lambda i: i % 7):
    return "ts,v\n" + "".join(f"{i},{value(i)}\n" for i in range(n))


def test_broken_streams_name_the_line(tmp_path):
    assert "line 3" in broken(tmp_path, "ts,v\n1,2\nx,2\n").stderr
    assert "line 2" in broken(tmp_path, "ts,v\n1,2,3\n").stderr
    assert "no column v" in broken(tmp_path, "ts,w\n1,2\n").stderr
    assert "reference" in broken(tmp_path, rows(20)).stderr
    assert "window" in broken(tmp_path, rows(300), window_s=5).stderr
    assert "reference_rows" in broken(tmp_path, rows(300), reference_rows="many").stderr


def test_odd_values_are_taken_for_what_they_are(tmp_path):
    odd = ["nan", "", "1e999", "text", "-0", "\"7\"", "1e308"]
    done = broken(tmp_path, rows(600, lambda i: odd[i % 7] if i % 40 == 0 else i % 9))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["alarms"] == []
    back = rows(300) + "5,1\n" + "".join(f"{i},1\n" for i in range(300, 400))
    done = broken(tmp_path, back)
    assert json.loads(done.stdout)["summary"]["late_rows"] == 1


def test_a_feature_that_dies_is_told(tmp_path):
    done = broken(tmp_path, rows(1000, lambda i: "" if i >= 600 else i % 7))
    alarms = json.loads(done.stdout)["alarms"]
    assert alarms and alarms[0]["signal"] in ("missing", "dead")
    assert 600 <= alarms[0]["row"] <= 700
