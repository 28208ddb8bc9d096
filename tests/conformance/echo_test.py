"""Random messages and mangled bytes: C and Python must agree on each.

SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import random
import subprocess

import pytest
import wire

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KEDGE_BUILD", TOP / "build-asan"))
ECHO = BUILD / "tests" / "conformance" / "wire-echo"

MESSAGES = sorted(wire.MESSAGES)


@pytest.fixture(scope="module")
def echo():
    program = subprocess.Popen([ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(kind, body):
        program.stdin.write(f"{kind} {body.hex()}\n")
        program.stdin.flush()
        verdict, rest = program.stdout.readline().rstrip("\n").split(" ", 1)
        return bytes.fromhex(rest) if verdict == "ok" else None

    yield ask
    program.stdin.close()
    assert program.wait(timeout=120) == 0


def text(rng, most):
    size = rng.randint(1, min(most, 12))
    return "".join(rng.choice("abcXYZ089_ä") for _ in range(size))[:max(1, most // 2)]


def name(rng, i=0):
    return f"{rng.choice('abcXYZ')}{i:04d}{rng.choice('._@/+:-')}x"


def make_value(rng, kind):
    if isinstance(kind, wire.Num):
        return rng.getrandbits(64) % (kind.most + 1) >> rng.randint(0, 63)
    if isinstance(kind, wire.Int):
        return rng.randint(-2**63, 2**63 - 1) >> rng.randint(0, 62)
    if isinstance(kind, wire.Bool):
        return rng.random() < 0.5
    if isinstance(kind, wire.Id):
        return rng.randbytes(kind.size)
    if isinstance(kind, wire.Name):
        return name(rng)
    if isinstance(kind, wire.Text):
        return text(rng, kind.most)
    if isinstance(kind, wire.Bytes):
        return rng.randbytes(rng.randint(0, 40))
    return make_many(rng, kind)


def make_many(rng, kind):
    count = rng.randint(0, min(4, getattr(kind, "most", 4)))
    if isinstance(kind, wire.Map):
        number = kind.check is not wire.utf8_item
        return {f"k{i}": rng.randint(0, 2**40) if number else text(rng, 40) for i in range(count)}
    if isinstance(kind, wire.Part):
        return make(rng, kind.of)
    if isinstance(kind, wire.Parts):
        parts = [make(rng, kind.of) for _ in range(count)]
        for i, part in enumerate(parts):
            if kind.by:
                part[kind.by] = f"a{i:04d}"
        return parts
    samples = {"utf8_item": lambda: text(rng, 40)}
    if kind.check.__name__ in samples:
        return [samples[kind.check.__name__]() for _ in range(count)]
    if isinstance(kind.check.__self__, wire.Id):
        return [rng.randbytes(32) for _ in range(count)]
    return [rng.getrandbits(64) for _ in range(count)]


def make(rng, record):
    out = {}
    for key, kind in record.fields.items():
        if isinstance(kind, wire.Version):
            continue
        if kind.need == "must" or rng.random() < 0.7:
            out[key] = make_value(rng, kind)
    return out


@pytest.mark.parametrize("kind", MESSAGES)
def test_random_messages_are_the_same_bytes(echo, kind):
    rng = random.Random(f"{kind} 20261122")
    for _ in range(60):
        body = wire.encode(kind, make(rng, wire.MESSAGES[kind]))
        assert echo(kind, body) == body


def mangle(rng, body):
    body = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(body))
        what = rng.randrange(4)
        if what == 0:
            body[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            body[at] = rng.choice((0xC0, 0xC1, 0xC4, 0xDD, 0x91, 0x81, 0xA1, 0xFF, 0x00))
        elif what == 2:
            del body[at]
        else:
            body[at:at] = bytes([rng.randrange(256)])
        if not body:
            return b"\xc0"
    return bytes(body)


def judge(kind, body):
    """What Python makes of these bytes: the canonical encoding, or None."""
    try:
        return wire.encode(kind, wire.decode(kind, body))
    except wire.WireError:
        return None


@pytest.mark.parametrize("kind", MESSAGES)
def test_both_refuse_the_same_bytes(echo, kind):
    rng = random.Random(f"{kind} mangled")
    refused = 0
    for _ in range(150):
        body = mangle(rng, wire.encode(kind, make(rng, wire.MESSAGES[kind])))
        ours, theirs = judge(kind, body), echo(kind, body)
        assert ours == theirs, body.hex()
        refused += ours is None
    assert refused > 20


def packed(*pairs):
    import msgpack
    out = bytes([0x80 | len(pairs)])
    for key, value in pairs:
        out += msgpack.packb(key) + msgpack.packb(value)
    return out


@pytest.mark.parametrize("extra, is_fine", [
    ((("later", [1, {"x": None}]),), True),
    ((("!later", 1),), False),
    ((("later", 1), ("later", 1)), False),
    ((("code", 1),), False),
    (((7, 1),), False),
    ((("later", -1.5),), True),
])
def test_strangers(echo, extra, is_fine):
    kind = "kedge.enrol.refusal.v1"
    body = packed(("code", 409), *extra)
    assert (echo(kind, body) is not None) == is_fine
    assert (judge(kind, body) is not None) == is_fine


@pytest.mark.parametrize("lie", [
    "dd80000000", "dd0fffffff", "dffffffff0", "81dd80000000", "81a4636f6465dfffffffff",
    "91" * 64 + "00", "c1", "d40100", "80" * 2,
])
def test_lies_are_refused(echo, lie):
    for kind in MESSAGES:
        assert echo(kind, bytes.fromhex(lie)) is None
        assert judge(kind, bytes.fromhex(lie)) is None
