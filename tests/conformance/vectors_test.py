"""Golden frames: what C wrote, Python reads and writes to the byte.

SPDX-License-Identifier: Apache-2.0
"""

import hashlib
import pathlib

import pytest
import wire
from samples import SAMPLES, SEED, SIGNED

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "proto" / "vectors"


def vector(name):
    lines = (VECTORS / f"{name}.txt").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def test_every_vector_has_a_sample_and_the_reverse():
    assert {p.stem for p in VECTORS.glob("*.txt")} == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_python_encodes_what_c_encoded(name):
    kind, value = SAMPLES[name]
    kept = vector(name)
    assert kept["type"] == kind
    assert wire.encode(kind, value).hex() == kept["body"]


@pytest.mark.parametrize("name", SAMPLES)
def test_python_decodes_what_c_encoded(name):
    kind, value = SAMPLES[name]
    # Must-have lists and maps come back empty; what may be absent does not come back.
    assert wire.decode(kind, bytes.fromhex(vector(name)["body"])) == value


@pytest.mark.parametrize("name", sorted(SIGNED))
def test_signatures_of_c_hold_in_python_and_are_the_same(name):
    kind, _ = SAMPLES[name]
    kept = vector(name)
    body, frame = bytes.fromhex(kept["body"]), bytes.fromhex(kept["sigs"])
    pub = wire.public_key(SEED)
    (one,) = wire.seals(frame)
    assert one["kid"] == hashlib.sha256(pub).digest()[:8]
    assert one["alg"] == "ed25519"
    assert wire.verify(pub, kind, body, one["sig"])
    assert not wire.verify(pub, kind, body + b"\0", one["sig"])
    assert not wire.verify(pub, "kedge.other.v1", body, one["sig"])
    assert wire.seal(SEED, kind, body) == frame


@pytest.mark.parametrize("name", SAMPLES)
def test_no_beginning_of_a_message_is_one(name):
    kind, _ = SAMPLES[name]
    body = bytes.fromhex(vector(name)["body"])
    for cut in range(len(body)):
        with pytest.raises(wire.WireError):
            wire.decode(kind, body[:cut])


def test_envelopes_join_and_split():
    for sigs in (b"", b"sigs"):
        joined = wire.join("kedge.order.v1", b"x" * 300, sigs)
        assert wire.split(joined) == ("kedge.order.v1", b"x" * 300, sigs)
        for cut in range(len(joined)):
            with pytest.raises((wire.WireError, UnicodeDecodeError)):
                wire.split(joined[:cut])


def test_a_token_comes_back_from_its_line():
    _, token = SAMPLES["join-token"]
    line = wire.token_line(token)
    assert wire.token_read(f" {line}\n") == token
    with pytest.raises(wire.WireError):
        wire.token_read(line[:-1] + ("0" if line[-1] != "0" else "1"))
