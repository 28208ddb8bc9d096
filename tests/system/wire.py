"""The wire once more, in Python: written from docs/protocol.md, sharing nothing with C.

A message is a dict. encode() writes the canonical bytes, decode() refuses what the C
reader refuses. Texts are str, bytes are bytes, an id is bytes of its length, a row is a
dict too. Absent optional members are simply not in the dict.

SPDX-License-Identifier: Apache-2.0
"""

import base64
import hashlib
import math
import re

import msgpack
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

DEPTH_MAX = 8
OBJECTS_MAX = 65536
ITEM_MAX = 512
STRANGERS_MAX = 32


class WireError(ValueError):
    """These bytes, or this dict, are no message."""


# ---- types of members: each checks and packs one value

class Kind:
    def __init__(self, need="must", **more):
        self.need = need
        self.__dict__.update(more)

    def absent(self, value):
        return not value

    def pack(self, value):
        return value

    def unpack(self, value):
        return value


class Version(Kind):
    def unpack(self, value):
        if value != 1 or isinstance(value, bool):
            raise WireError("version")
        return value


class Num(Kind):
    def __init__(self, bits, need="must", most=None):
        super().__init__(need)
        self.most = most if most is not None else 2**bits - 1

    def pack(self, value):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= self.most:
            raise WireError(f"number {value!r}")
        return value

    unpack = pack


class Int(Kind):
    def pack(self, value):
        if isinstance(value, bool) or not isinstance(value, int) or not -2**63 <= value < 2**63:
            raise WireError(f"integer {value!r}")
        return value

    unpack = pack


class Bool(Kind):
    def pack(self, value):
        if not isinstance(value, bool):
            raise WireError(f"flag {value!r}")
        return value

    unpack = pack


class Float(Kind):
    def pack(self, value):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise WireError(f"float {value!r}")
        return float(value)

    unpack = pack


class Id(Kind):
    def __init__(self, size, need="must"):
        super().__init__(need)
        self.size = size

    def absent(self, value):
        return value is None or not any(value)

    def pack(self, value):
        if not isinstance(value, bytes) or len(value) != self.size:
            raise WireError(f"id {value!r}")
        return value

    unpack = pack


class Text(Kind):
    def __init__(self, most, need="may"):
        super().__init__(need)
        self.most = most

    def pack(self, value):
        if not isinstance(value, str) or len(value.encode()) > self.most:
            raise WireError(f"text {value!r}")
        if not value and self.need == "must":
            raise WireError("empty text")
        return value

    unpack = pack


class Name(Kind):
    shape = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/+:-]{0,127}")

    def pack(self, value):
        if not isinstance(value, str):
            raise WireError(f"name {value!r}")
        if not value and self.need != "must":
            return value
        if not self.shape.fullmatch(value) or ".." in value:
            raise WireError(f"name {value!r}")
        return value

    unpack = pack


class Bytes(Kind):
    def __init__(self, most, need="may"):
        super().__init__(need)
        self.most = most

    def pack(self, value):
        if not isinstance(value, bytes) or len(value) > self.most:
            raise WireError("bytes")
        return value

    unpack = pack


def utf8_item(value):
    if not isinstance(value, str) or len(value.encode()) > ITEM_MAX:
        raise WireError(f"text {value!r}")
    return value


class Each(Kind):
    """A list of plain values, each checked by a function."""

    def __init__(self, most, check, need="may"):
        super().__init__(need)
        self.most, self.check = most, check

    def pack(self, value):
        if not isinstance(value, list) or len(value) > self.most:
            raise WireError("list")
        return [self.check(v) for v in value]

    unpack = pack


def Texts(most, need="may"):
    return Each(most, utf8_item, need)


def U64s(most, need="may"):
    return Each(most, Num(64).pack, need)


def Blobs(most, need="may"):
    return Each(most, Id(32).pack, need)


class Map(Kind):
    """A map with rising text keys. Rising is by bytes, not by code points."""

    def __init__(self, most, check, need="may"):
        super().__init__(need)
        self.most, self.check = most, check

    def pack(self, value):
        if not isinstance(value, dict) or len(value) > self.most:
            raise WireError("map")
        keys = sorted(value, key=lambda k: k.encode())
        return {utf8_item(k): self.check(value[k]) for k in keys}

    def unpack(self, value):
        if not isinstance(value, Pairs) or len(value) > self.most:
            raise WireError("map")
        keys = [utf8_item(k).encode() for k, _ in value]
        if any(a >= b for a, b in zip(keys, keys[1:])):
            raise WireError("keys do not rise")
        return {k: self.check(v) for k, v in value}


def Pair(most, need="may"):
    return Map(most, utf8_item, need)


def Tally(most, need="may"):
    return Map(most, Num(64).pack, need)


class Part(Kind):
    def __init__(self, of, need="must"):
        super().__init__(need)
        self.of = of

    def absent(self, value):
        return not value or all(
            kind.absent(value.get(name)) for name, kind in self.of.fields.items())

    def pack(self, value):
        return self.of.pack(value)

    def unpack(self, value):
        return self.of.unpack(value)


class Parts(Kind):
    """A list of parts; `by` names the member whose value must rise."""

    def __init__(self, of, most, need="may", by=None):
        super().__init__(need)
        self.of, self.most, self.by = of, most, by

    def check(self, value):
        if not isinstance(value, list) or len(value) > self.most:
            raise WireError("list of parts")

    def order(self, parts):
        keys = [p[self.by].encode() for p in parts] if self.by else []
        if any(a >= b for a, b in zip(keys, keys[1:])):
            raise WireError("parts do not rise")

    def pack(self, value):
        self.check(value)
        self.order(value)
        return [self.of.pack(v) for v in value]

    def unpack(self, value):
        self.check(value)
        parts = [self.of.unpack(v) for v in value]
        self.order(parts)
        return parts


# ---- shapes of messages

class Pairs(list):
    """What a msgpack map becomes while its keys are not yet checked for twins."""


class Record:
    def __init__(self, **fields):
        self.fields = fields

    def pack(self, value):
        strangers = set(value) - set(self.fields)
        if strangers:
            raise WireError(f"no such member: {sorted(strangers)}")
        out = {}
        for name, kind in self.fields.items():
            if isinstance(kind, Version):
                out[name] = 1
                continue
            given = value.get(name)
            if kind.need == "must":
                if given is None:
                    raise WireError(f"{name} is missing")
                out[name] = kind.pack(given)
            elif given is not None and not kind.absent(given):
                out[name] = kind.pack(given)
            elif kind.need == "nil":
                out[name] = None
        return out

    def unpack(self, value):
        if not isinstance(value, Pairs):
            raise WireError("no map")
        out, seen, strangers = {}, set(), 0
        for name, given in value:
            if not isinstance(name, str) or name in seen:
                raise WireError(f"key {name!r}")
            seen.add(name)
            kind = self.fields.get(name)
            if kind is None:
                strangers += 1
                if name.startswith("!") or strangers > STRANGERS_MAX:
                    raise WireError(f"critical or too many strangers: {name}")
            elif given is None and kind.need != "must":
                pass
            else:
                out[name] = kind.unpack(given)
        self.complete(out)
        return out

    def complete(self, out):
        for name, kind in self.fields.items():
            if kind.need == "must" and name not in out:
                raise WireError(f"{name} is missing")
        for name in [n for n, k in self.fields.items() if isinstance(k, Version)]:
            out.pop(name, None)


class Row(Record):
    def pack(self, value):
        out, last = [], 0
        for name, kind in self.fields.items():
            given = value.get(name)
            is_absent = given is None or (kind.need != "must" and kind.absent(given))
            if is_absent and kind.need == "must":
                raise WireError(f"{name} is missing")
            out.append(None if is_absent else kind.pack(given))
            if not is_absent or kind.need == "nil":
                last = len(out)
        return out[:last]

    def unpack(self, value):
        if not isinstance(value, list) or isinstance(value, Pairs):
            raise WireError("no row")
        out = {}
        for (name, kind), given in zip(self.fields.items(), value):
            if given is not None or kind.need == "must":
                out[name] = kind.unpack(given)
        self.complete(out)
        return out


# ---- bytes

def count_objects(value, depth=0):
    if isinstance(value, Pairs):
        if depth >= DEPTH_MAX:
            raise WireError("too deep")
        return 1 + sum(count_objects(k, depth + 1) + count_objects(v, depth + 1) for k, v in value)
    if isinstance(value, list):
        if depth >= DEPTH_MAX:
            raise WireError("too deep")
        return 1 + sum(count_objects(v, depth + 1) for v in value)
    if isinstance(value, (msgpack.ExtType, msgpack.Timestamp)):
        raise WireError("ext type")
    return 1


def unpack_value(data):
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=False, object_pairs_hook=Pairs)
    except (ValueError, msgpack.exceptions.UnpackException, UnicodeDecodeError, RecursionError) as e:
        raise WireError(f"no msgpack: {e}") from e
    if count_objects(value) > OBJECTS_MAX:
        raise WireError("too many objects")
    return value


def encode(kind, value):
    """The canonical body of message `kind` ("kedge.window.v1")."""
    return msgpack.packb(MESSAGES[kind].pack(value), use_bin_type=True)


def decode(kind, body):
    return MESSAGES[kind].unpack(unpack_value(body))


def join(kind, body, sigs=b""):
    """The joined envelope: what lies in a spool, a log, or inside another message."""
    frames = [kind.encode(), body] + ([sigs] if sigs else [])
    out = bytes([len(frames)])
    for frame in frames:
        size, digits = len(frame), []
        while size >= 0x80:
            digits.append(size & 0x7F | 0x80)
            size >>= 7
        out += bytes(digits + [size]) + frame
    return out


def split(joined):
    """(type, body, sigs) of a joined envelope."""
    frames, at = [], 1
    if not joined or joined[0] not in (2, 3):
        raise WireError("frames")
    for _ in range(joined[0]):
        size = shift = 0
        while True:
            if at >= len(joined) or shift > 63:
                raise WireError("cut off")
            byte = joined[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if size > len(joined) - at:
            raise WireError("cut off")
        frames.append(joined[at:at + size])
        at += size
    if at != len(joined):
        raise WireError("left over")
    return frames[0].decode(), frames[1], frames[2] if len(frames) == 3 else b""


# ---- signatures

def pae(kind, body):
    kind = kind.encode()
    return b"KEDGEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def public_key(seed):
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def kid(pub):
    return hashlib.sha256(pub).digest()[:8]


def sign(seed, kind, body):
    return Ed25519PrivateKey.from_private_bytes(seed).sign(pae(kind, body))


def verify(pub, kind, body, sig):
    try:
        Ed25519PublicKey.from_public_bytes(pub).verify(sig, pae(kind, body))
    except InvalidSignature:
        return False
    return True


SIGNATURE = Record(kid=Id(8), alg=Text(16, "must"), sig=Id(64))


def seal(seed, kind, body):
    """The third frame: one signature."""
    one = {"kid": kid(public_key(seed)), "alg": "ed25519", "sig": sign(seed, kind, body)}
    return msgpack.packb([SIGNATURE.pack(one)], use_bin_type=True)


def seals(frame):
    value = unpack_value(frame)
    if not isinstance(value, list) or isinstance(value, Pairs) or len(value) > 16:
        raise WireError("signatures")
    return [SIGNATURE.unpack(v) for v in value]


# ---- ids and lines

def agent_id(fleet, agent_sign):
    return hashlib.sha256(b"kedge.agent" + fleet + agent_sign).digest()[:16]


def order_id(fleet, model, incident, action, plan, step, attempt):
    row = [fleet, model, incident, action, plan, step, attempt]
    return hashlib.sha256(msgpack.packb(row, use_bin_type=True)).digest()[:16]


def order_link(order, gen, seq):
    return hashlib.sha256(
        order + gen.to_bytes(8, "little") + seq.to_bytes(8, "little")).digest()


def token_line(token):
    body = encode("join token", token)
    text = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
    return f"kedge1_{text}_{hashlib.sha256(body).hexdigest()[:8]}"


def token_read(line):
    line = line.strip()
    if not line.startswith("kedge1_") or line[-9:-8] != "_":
        raise WireError("no join token")
    text = line[7:-9]
    body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if hashlib.sha256(body).hexdigest()[:8] != line[-8:]:
        raise WireError("mistyped")
    return decode("join token", body)


# ---- the messages

PLACE = dict(boot=Id(16), seq=Num(64))
TOKEN = Record(gen=Num(64), seq=Num(64))
FEATURE = Row(name=Name(), role=Num(8, most=3), kind=Num(8, most=1), profile=Bytes(98304, "must"))
CELLS = Row(name=Name(), role=Num(8, most=3), kind=Num(8, most=1), grid=Bytes(8192))
APPROVAL = Record(kid=Id(8), at_ms=Num(64), sig=Id(64))
KEYREF = dict(kid=Id(8), pub=Id(32))
CURVE = Record(role=Text(8, "must"), pub=Id(32), not_before=Num(64, "may"), not_after=Num(64, "may"))
SIGNER = Record(**KEYREF, actions=Texts(32), not_after=Num(64, "may"))
PERSON = Record(**KEYREF, name=Text(128, "must"), models=Texts(32), actions=Texts(32))
MODEL = Text(128, "must")  # a name, or "@fleet"

MESSAGES = {
    "kedge.hello.v1": Record(
        boot=Id(16), sess=Id(16), host=Name(), software=Text(64, "must"), time_ms=Num(64),
        ring=Num(64, "may"),
        executors=Parts(Row(name=Name(), kind=Text(32, "must"), digest=Id(32)), 64, by="name"),
        can=Texts(32)),
    "kedge.welcome.v1": Record(
        fleet=Id(16), agent=Id(16), server_ms=Num(64), credit=Num(32, most=64),
        window_max=Num(32), keyring=Bytes(16384), jitter_ms=Num(32, "may")),
    "kedge.beat.v1": Record(
        hb=Id(16), time_ms=Num(64), spool_entries=Num(64, "may"), spool_bytes=Num(64, "may"),
        models=Parts(Row(model=Name(), version=Name("may"), digest=Id(32, "may"),
                         watermark=Num(64, "may")), 1024, by="model"),
        head=Bytes(1024)),
    "kedge.window.v1": Record(
        **PLACE, model=Name(), version=Name(), start=Num(64), end=Num(64), watermark=Num(64),
        sent=Num(64), flags=Num(32, "may", most=7), part=Num(16, "may"), parts=Num(16, "may"),
        rows=Num(64), observed=Num(64), late=Num(64), dropped=Tally(32),
        features=Parts(FEATURE, 512, by="name")),
    "kedge.attest.v1": Record(
        **PLACE, model=Name(), version=Name(), digest=Id(32, "nil"), at=Num(64, "may"),
        wall=Num(64), cause=Text(16, "must"), order=Id(16, "nil")),
    "kedge.notice.v1": Record(
        **PLACE, model=Name("may"), at=Num(64), kind=Text(64, "must"), detail=Text(4096)),
    "kedge.receipt.v1": Record(
        **PLACE, v=Version(), order=Id(16), agent=Id(16), sess=Id(16), token=Part(TOKEN),
        state=Text(16, "must"), code=Text(32), model=MODEL, before_version=Name("nil"),
        after_version=Name("nil"), after_digest=Id(32, "nil"), started_ms=Num(64, "may"),
        ended_ms=Num(64, "may"), mono_ms=Num(64, "may"),
        exec=Part(Record(exit=Int("may"), signal=Num(32, "may"), timeout=Bool("may"),
                         out_sha256=Id(32, "may"), out_tail=Text(4096)), "may"),
        probe=Part(Record(ok=Bool("may"), detail=Text(1024)), "may"),
        prev_receipt_hash=Id(32, "nil"), head=Bytes(1024)),
    "kedge.ack.v1": Record(
        boot=Id(16), done=U64s(1024),
        refused=Parts(Row(seq=Num(64), code=Text(32, "must"), why=Text(256)), 1024)),
    "kedge.reference.v1": Record(
        model=Name(), version=Name(), baseline=Id(32), key=Id(16), window_ns=Num(64),
        sketch_every=Num(32, "may"), features=Parts(CELLS, 512, by="name")),
    "kedge.order.v1": Record(
        v=Version(), fleet=Id(16), agent=Id(16), agent_key=Id(8), order=Id(16),
        token=Part(TOKEN), sess=Id(16), hb=Id(16), ring=Num(64), issued_ms=Num(64),
        ttl_ms=Num(32, most=600000), action=Text(32, "must"), model=MODEL, ns=Name("may"),
        if_version=Name("nil"), if_digest=Id(32, "nil"), to_version=Name("nil"),
        to_digest=Id(32, "nil"), executor=Name("nil"), exec_digest=Id(32, "nil"),
        params=Pair(16, "must"), run_ms=Num(32), plan=Id(16), step=Num(16),
        **{"try": Num(16)}, incident=Id(16), reason=Pair(32, "must"),
        approvals=Parts(APPROVAL, 8, "must"), lease_ms=Num(32), dry=Bool(), prev=Id(32)),
    "kedge.approval.v1": Record(
        v=Version(), fleet=Id(16), plan=Id(16), agents=Texts(512, "must"),
        action=Text(32, "must"), model=MODEL, if_version=Name("nil"), if_digest=Id(32, "nil"),
        to_version=Name("nil"), to_digest=Id(32, "nil"), executor=Name("nil"),
        exec_digest=Id(32, "nil"), params=Pair(16, "must"), not_after_ms=Num(64)),
    "kedge.keyring.v1": Record(
        v=Version(), ring_version=Num(64), issued_ms=Num(64), expires_ms=Num(64),
        fleet_id=Id(16), roots=Parts(Record(**KEYREF), 8, "must"), root_threshold=Num(8),
        server_curve=Parts(CURVE, 32, "must"), order_keys=Parts(SIGNER, 32, "must"),
        log_keys=Parts(SIGNER, 32), approver_keys=Parts(PERSON, 32), thresholds=Tally(32)),
    "kedge.enrol.hello.v1": Record(
        v=Version(), token_id=Id(8),
        host_facts=Part(Record(hostname=Text(255, "must"), machine_id_hash=Id(32, "nil"),
                               os=Text(128), agent_version=Text(64)))),
    "kedge.enrol.challenge.v1": Record(
        v=Version(), nonce=Id(32), server_time_ms=Num(64), keyring=Bytes(16384, "must")),
    "kedge.enrol.v1": Record(
        v=Version(), fid=Id(16), token_id=Id(8), nonce=Id(32), agent_curve=Id(32),
        agent_sign=Id(32), server_curve=Id(32), requested_models=Texts(64, "must"),
        labels=Pair(32, "must"), executors=Texts(64, "must"), agent_time_ms=Num(64),
        host=Name("may")),
    "kedge.enrol.request.v1": Record(
        body=Bytes(8192, "must"), sig_token=Id(64), sig_agent=Id(64)),
    "kedge.enrol.grant.v1": Record(
        v=Version(), fid=Id(16), agent_id=Id(16), state=Text(16, "must"),
        models=Texts(64, "must"), labels=Pair(32, "must"), endpoints=Texts(8, "must"),
        server_curve=Id(32), keyring=Bytes(16384, "must"), policy_floor=Pair(32, "must")),
    "kedge.enrol.refusal.v1": Record(code=Num(32, most=999), why=Text(256)),
    "join token": Record(
        v=Version(), fid=Id(16), id=Id(8), seed=Id(32), ep=Texts(8, "must"), cpk=Id(32),
        root=Blobs(8, "must"), exp=Num(64)),
    "kedge.query.v1": Record(
        id=Num(64), verb=Text(64, "must"), args=Pair(64), blob=Bytes(1048576)),
    "kedge.answer.v1": Record(
        id=Num(64), code=Num(8, "may"), json=Bytes(196608, "must"), part=Num(32, "may"),
        last=Bool()),
    "kedge.head.v1": Record(
        v=Version(), fid=Id(16), log_id=Text(64, "must"), size=Num(64), root=Id(32),
        ts_ms=Num(64), prev_head_hash=Id(32, "nil")),
}
