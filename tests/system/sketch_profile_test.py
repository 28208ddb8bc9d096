# `kedge sketch profile` on a file and on numbers, against numpy.
#
# SPDX-License-Identifier: Apache-2.0
import csv
import gzip
import json
import os
import pathlib
import subprocess

import numpy
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
KEDGE = pathlib.Path(os.environ.get("KEDGE_BUILD", TOP / "build-asan")) / "kedge"


def profile(*args, text=None):
    done = subprocess.run([KEDGE, "sketch", "profile", *args, "-o", "json"], input=text,
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def columns_of(*args, text=None):
    code, out, err = profile(*args, text=text)
    assert code == 0, err
    return {c["column"]: c for c in json.loads(out)["columns"]}


@pytest.fixture(scope="module")
def bike(tmp_path_factory):
    path = tmp_path_factory.mktemp("bike") / "bike.csv"
    path.write_bytes(gzip.decompress((TOP / "tests/data/bike/bike.csv.gz").read_bytes()))
    with open(path) as f:
        return path, list(csv.DictReader(f))


def test_every_column_is_as_numpy_says(bike):
    path, rows = bike
    columns = columns_of(str(path))
    assert set(columns) == set(rows[0])
    for name, column in columns.items():
        values = [row[name] for row in rows]
        assert column["rows"] == len(rows)
        assert sum(column["cells"]) == len(rows) - column["missing"]
        if column["kind"] == "categorical":
            assert column["distinct"] == len(set(values))
            for item in column["values"]:
                assert item["least"] <= values.count(item["value"]) <= item["most"]
            continue
        x = numpy.array(values, dtype=float)
        assert column["mean"] == pytest.approx(x.mean(), rel=1e-9)
        assert column["sd"] == pytest.approx(x.std(ddof=1), rel=1e-9)
        assert (column["min"], column["max"]) == (x.min(), x.max())
        assert column["zero"] == (x == 0).sum()
        for name_of, rank in (("p05", .05), ("p50", .5), ("p99", .99)):
            below, upto = (x < column[name_of]).mean(), (x <= column[name_of]).mean()
            assert below - 0.01 <= rank <= upto + 0.01
        bounds = column["upper_bounds"]
        # With fewer values each may have a cell, which depends on what the sketch kept.
        if len(set(values)) > 200:
            assert len(column["cells"]) == 64
            want = numpy.bincount(numpy.searchsorted(bounds, x), minlength=64)
            assert list(want) == column["cells"]


def test_numbers_from_stdin():
    column = columns_of("-", text="1 2,3;4\n 5 , nan inf\n")["value"]
    assert (column["rows"], column["missing"], column["pos_inf"]) == (7, 1, 1)
    assert (column["min"], column["max"], column["mean"]) == (1, 5, 3)
    assert columns_of(text="")["value"]["rows"] == 0


@pytest.mark.skipif(not os.environ.get("KEDGE_LONG"), reason="long")
@pytest.mark.parametrize("shift", [0, 1e6])
def test_ten_million_rows_as_numpy_says(shift):
    x = numpy.random.default_rng(7).lognormal(size=10_000_000) + shift
    text = "\n".join(map(repr, x.tolist()))
    done = subprocess.run([KEDGE, "sketch", "profile", "-", "-o", "json"], text=True,
                          input=text, capture_output=True, timeout=1800, check=True)
    [column] = json.loads(done.stdout)["columns"]
    assert column["rows"] == len(x)
    assert (column["min"], column["max"]) == (x.min(), x.max())
    for ours, theirs in ((column["mean"], x.mean()), (column["sd"], x.std(ddof=1))):
        print(f"relative difference {ours / theirs - 1:.1e}")
        assert ours == pytest.approx(theirs, rel=1e-9)


def test_what_is_wrong_is_said(tmp_path):
    code, _, err = profile(text="1 two 3")
    assert code == 2 and "'two'" in err
    code, _, err = profile(str(tmp_path / "none.csv"))
    assert code == 3 and "none.csv" in err
    torn = tmp_path / "torn.csv"
    torn.write_text("a,b\n1,2\n3\n")
    code, _, err = profile(str(torn))
    assert code == 2 and "torn.csv:3" in err


def test_odd_columns(tmp_path):
    odd = tmp_path / "odd.csv"
    odd.write_text('empty,text,one\n,"a, b",1\nNaN,"a, b",1\n,c,1\n')
    columns = columns_of(str(odd))
    assert columns["empty"]["missing"] == 3 and columns["empty"]["cells"] == []
    assert columns["text"]["values"][0] == {"value": "a, b", "least": 2, "most": 2}
    assert columns["one"]["constant"] and columns["one"]["run_longest"] == 3
