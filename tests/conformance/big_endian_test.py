"""Sketches on a big-endian machine: the same answers and the same bytes to the bit.

An emulated s390x, whose order of bytes is the other one, reads every vector and broken
blob, makes sketches of its own, and must print what this machine prints. A part of the
long tests, since it needs a second compiler and an emulator (packaging/setup long).

SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(os.environ.get("KEDGE_BUILD", TOP / "build-asan"))
COMPILER, EMULATOR = "s390x-linux-gnu-gcc", "qemu-s390x"
VECTORS = ["tests/data/kll", "tests/data/hll_fi"]
FLAGS = ["-std=c17", "-O1", "-static", "-ffp-contract=off", "-fno-strict-aliasing",
         "-D_GNU_SOURCE", '-DKEDGE_VERSION="0"', "-I."]


def printed_by(command):
    return subprocess.run([*map(str, command), *VECTORS], cwd=TOP, check=True, text=True,
                          capture_output=True, timeout=1800).stdout.splitlines()


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    if not (shutil.which(COMPILER) and shutil.which(EMULATOR)):
        pytest.fail("packaging/setup long installs what this needs")
    program = tmp_path_factory.mktemp("s390x") / "sketch-echo"
    sources = [p for room in ("base", "sketch")
               for p in sorted((TOP / "common" / room).glob("*.c"))]
    subprocess.run([COMPILER, *FLAGS, *sources, "tests/conformance/sketch_echo.c", "-lm",
                    "-o", program], cwd=TOP, check=True, timeout=1800)
    return [EMULATOR, program]


@pytest.mark.skipif(not os.environ.get("KEDGE_LONG"), reason="long")
def test_a_big_endian_machine_prints_the_same(there):
    ours = printed_by([HERE / "tests/conformance/sketch-echo"])
    theirs = printed_by(there)
    assert len(ours) > 1000
    for mine, yours in zip(ours, theirs):
        assert mine == yours
    assert len(ours) == len(theirs)


def test_every_vector_is_echoed():
    ours = printed_by([HERE / "tests/conformance/sketch-echo"])
    files = {p.name for folder in VECTORS for p in (TOP / folder).glob("*.sk")}
    assert files <= set(ours)
    assert sum(line.startswith("made ") for line in ours) == 6
