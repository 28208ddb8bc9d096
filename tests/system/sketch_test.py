"""`kedge sketch` from a shell: vectors, broken files, numbers from stdin, edges of k.

The short run takes every tenth file of the manifests, the long one all (KEDGE_LONG=1).
That every one is read or refused rightly is also tested without the command, in
tests/unit/common/sketch.

SPDX-License-Identifier: Apache-2.0
"""

import json
import math
import os
import pathlib
import struct
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
KEDGE = pathlib.Path(os.environ.get("KEDGE_BUILD", TOP / "build-asan")) / "kedge"
KLL, OTHER = TOP / "tests/data/kll", TOP / "tests/data/hll_fi"
STEP = 1 if os.environ.get("KEDGE_LONG") else 10
MANIFEST = json.loads((KLL / "manifest.json").read_text())


def sketch(*args, stdin=b""):
    """(exit code, stdout as bytes, stderr as text)"""
    done = subprocess.run([KEDGE, "sketch", *map(str, args)], input=stdin,
                          capture_output=True, timeout=120)
    return done.returncode, done.stdout, done.stderr.decode()


def answer(*args, stdin=b""):
    code, out, err = sketch(args[0], "-o", "json", *args[1:], stdin=stdin)
    assert code == 0, err
    return json.loads(out)


def build(path, numbers, *options):
    text = " ".join(map(str, numbers)).encode()
    code, _, err = sketch("build", "-O", path, *options, stdin=text)
    assert code == 0, err
    return path


def number(value):
    return float(value) if isinstance(value, str) else value


def test_shows_what_the_manifest_says():
    for entry in MANIFEST["vectors"][::STEP]:
        shown = answer("show", KLL / entry["file"], "--type", entry["type"])
        assert shown["type"] == entry["type"]
        for key, name in (("k", "k"), ("n", "n"), ("min_k", "min_k"),
                          ("retained", "retained"), ("levels", "num_levels")):
            assert shown[key] == entry[name], (entry["file"], key)
        if entry["n"]:
            single = (lambda x: struct.unpack("f", struct.pack("f", x))[0])
            cast = single if entry["type"] == "float" else float
            assert number(shown["min"]) == cast(number(entry["min"]))
            assert number(shown["max"]) == cast(number(entry["max"]))


def test_quantiles_and_ranks_are_those_of_the_reference():
    for entry in MANIFEST["vectors"][1::STEP]:
        if not entry.get("quantiles"):
            continue
        ranks = [q["rank"] for q in entry["quantiles"]]
        rows = answer("quantile", KLL / entry["file"], *map(repr, ranks))
        assert [row["rank"] for row in rows] == ranks
        for row, want in zip(rows, entry["quantiles"]):
            assert number(row["value"]) == pytest.approx(number(want["incl"]), rel=1e-6)


def test_every_broken_file_is_refused_with_a_reason():
    for i, entry in enumerate(MANIFEST["reject"][::STEP]):
        for verb in (("show",), ("merge", "-O", "/dev/null"))[:2 if i % 4 == 0 else 1]:
            code, out, err = sketch(*verb, KLL / entry["file"], "--type", entry["type"])
            assert code == 1 and not out, entry
            assert entry["file"] in err and "no KLL sketch of " in err


def test_both_reasons_are_given_where_no_type_is(tmp_path):
    path = tmp_path / "bad.sk"
    entry = next(e for e in MANIFEST["vectors"] if e["type"] == "double" and e["n"] > 99)
    whole = (KLL / entry["file"]).read_bytes()
    nan = struct.pack("<d", math.nan)
    for blob, word in ((whole[:-1], "the length is not what the levels say"),
                       (whole[:-8] + nan, "of floats, "), (whole[:-8] + nan, "NaN"),
                       (b"abc", "shorter than a preamble"),
                       (whole[:6] + b"\x07" + whole[7:], "m is not 8")):
        path.write_bytes(blob)
        code, out, err = sketch("show", path)
        assert code == 1 and not out and word in err


def test_merges_the_manifest():
    for entry in MANIFEST["merges"]:
        files = [KLL / name for name in entry["inputs"]]
        code, out, err = sketch("merge", *files, "--k", entry["k"])
        assert code == 0, err
        shown = answer("show", "-", stdin=out)
        for key in ("k", "n", "min_k", "type"):
            assert shown[key] == entry[key]
        bound = entry["rank_error"] + 2 / entry["n"]
        points = [repr(number(want["incl"])) for want in entry["quantiles"]]
        rows = answer("rank", "-", "--", *points, stdin=out)
        for row, want in zip(rows, entry["quantiles"]):
            assert row["exclusive"] - 2 * bound <= want["rank"] <= row["rank"] + 2 * bound


def test_other_families_are_shown():
    manifest = json.loads((OTHER / "manifest.json").read_text())
    singles = [entry for entry in manifest["hll"] if "lg_k" in entry]
    for entry in singles[::STEP]:
        shown = answer("show", OTHER / entry["file"])
        assert (shown["type"], shown["lg_k"]) == ("hll", entry["lg_k"])
        assert entry["lb2"] <= shown["estimate"] <= entry["ub2"] or entry["n"] == 0
    for path in sorted(OTHER.glob("fi_*.sk"))[::STEP]:
        shown = answer("show", path)
        assert shown["type"] == "items"
        assert all(i["lower"] <= i["upper"] <= shown["total"] for i in shown["items"])


def test_a_broken_one_of_another_family_is_refused(tmp_path):
    for name in ("hll_f64_lgk12_t4_n50000.sk", "fi_lg10_n1000.sk"):
        cut = tmp_path / name
        cut.write_bytes((OTHER / name).read_bytes()[:-1])
        code, out, err = sketch("show", cut)
        assert code == 1 and not out and name in err


@pytest.mark.parametrize("kind", ["float", "double"])
def test_what_is_no_number_is_counted_apart(tmp_path, kind):
    path = tmp_path / "a.sk"
    code, _, err = sketch("build", "--type", kind, "-O", path,
                          stdin=b"1, 2;nan\n3\tinf -inf -0.0\n")
    assert code == 0 and "1 NaN, 1 +inf, 1 -inf" in err
    shown = answer("show", path)
    assert (shown["n"], shown["min"], shown["max"]) == (4, 0, 3)
    assert shown["type"] == kind
    for bad in (b"1 2 abc", b"1.5.2", b"0x", b"1" * 100):
        code, out, err = sketch("build", "-O", "/dev/null", stdin=bad)
        assert code == 2 and "is no number" in err


def test_the_edges_of_k(tmp_path):
    for k in (7, 65536, -1, "x"):
        code, _, err = sketch("build", "--k", k, stdin=b"1")
        assert code == 2 and "k" in err
    values = [(i * 7919) % 10007 for i in range(10007)]
    for k in (8, 65535):
        path = build(tmp_path / f"{k}.sk", values, "--k", k, "--type", "double")
        shown = answer("show", path)
        assert (shown["k"], shown["n"]) == (k, 10007)
        middle = answer("quantile", path, 0.5)[0]["value"]
        assert abs(middle / 10007 - .5) <= shown["rank_error"] + 1e-4
    assert answer("quantile", tmp_path / "65535.sk", 0, .5, 1) == [
        {"rank": 0, "value": 0}, {"rank": .5, "value": 5003}, {"rank": 1, "value": 10006}]


def test_empty_sketches_go_with_all(tmp_path):
    for kind in ("float", "double"):
        path = build(tmp_path / f"{kind}.sk", [], "--type", kind)
        assert path.stat().st_size == 8
        assert answer("show", path)["n"] == 0
        assert answer("quantile", path, 0.5) == [{"rank": 0.5, "value": None}]
        assert answer("rank", path, 1)[0]["rank"] is None
        assert [s["share"] for s in answer("pmf", path, 1)] == [None, None]
    full = build(tmp_path / "full.sk", range(100), "--type", "double")
    for files in ([tmp_path / "float.sk", full], [full, tmp_path / "float.sk"]):
        code, out, err = sketch("merge", *files)
        assert code == 0, err
        assert answer("show", "-", stdin=out)["n"] == 100
    code, out, _ = sketch("merge", tmp_path / "float.sk", tmp_path / "double.sk")
    assert code == 0 and len(out) == 8


def test_merging_any_k_and_no_other_type(tmp_path):
    small = build(tmp_path / "small.sk", range(1000), "--k", 50)
    large = build(tmp_path / "large.sk", range(1000, 5000), "--k", 400)
    code, out, _ = sketch("merge", large, small)
    shown = answer("show", "-", stdin=out)
    assert code == 0
    assert (shown["k"], shown["min_k"], shown["n"]) == (400, 50, 5000)
    double = build(tmp_path / "double.sk", range(10), "--type", "double")
    code, out, err = sketch("merge", large, double)
    assert code == 2 and not out and "float and double sketches do not merge" in err


def test_ranks_and_shares(tmp_path):
    path = build(tmp_path / "a.sk", [-2, -1, 0, 1, 2])
    rows = answer("rank", path, "--", -2, 0.5, 3, "inf")
    assert [r["rank"] for r in rows] == [.2, .6, 1, 1]
    assert [r["exclusive"] for r in rows] == [0, .6, 1, 1]
    rows = answer("pmf", path, "--", -1, 1)
    assert [r["share"] for r in rows] == pytest.approx([.4, .4, .2])
    assert [r["upto"] for r in rows] == [-1, 1, "inf"]
    assert all(math.isclose(r["error"], .016515619, rel_tol=1e-6) for r in rows)
    code, _, err = sketch("pmf", path, 2, 1)
    assert code == 2 and "ascend" in err
    code, _, err = sketch("rank", path, -2)
    assert code == 2 and "write -- before a negative number" in err
    for rank in ("1.5", "-0.1", "nan", "p50"):
        code, _, err = sketch("quantile", "--", path, rank)
        assert code == 2 and "is no rank" in err
