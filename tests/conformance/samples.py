"""The samples of tests/unit/proto/messages/golden_test.c once more, as dicts.

SPDX-License-Identifier: Apache-2.0
"""

EVENT_NS = 1344988800000000000
WALL_MS = 1795359600000


def id_(first, size=16):
    return bytes([first]) + bytes(size - 1)


GLOBS = ["bike-demand", "credit/*"]
LABELS = {"env": "prod", "site": "fra"}
ENDPOINTS = ["tcp://ctl1:7602", "tcp://[::1]:7602"]
ACTIONS = ["probe", "rollback"]
PLACE = {"boot": id_(0xB0)}

SAMPLES = {
    "hello": ("kedge.hello.v1", {
        "boot": id_(0xB0), "sess": id_(0x5E), "host": "web-17", "software": "0.1.0",
        "time_ms": WALL_MS, "ring": 3,
        "executors": [{"name": "bike-symlink", "kind": "symlink", "digest": id_(0xE1, 32)}],
        "can": ["order", "window"]}),
    "welcome": ("kedge.welcome.v1", {
        "fleet": id_(0xF1), "agent": id_(0xA1), "server_ms": WALL_MS, "credit": 4,
        "window_max": 131072, "jitter_ms": 5000}),
    "beat": ("kedge.beat.v1", {
        "hb": id_(0xBE), "time_ms": WALL_MS, "spool_entries": 2, "spool_bytes": 4096,
        "models": [
            {"model": "bike-demand", "version": "v2", "digest": id_(0xD2, 32),
             "watermark": EVENT_NS},
            {"model": "silent"}]}),
    "window": ("kedge.window.v1", {
        **PLACE, "seq": 2**32, "model": "bike-demand", "version": "v2", "start": EVENT_NS,
        "end": EVENT_NS + 86400 * 10**9, "watermark": EVENT_NS, "sent": WALL_MS * 10**6,
        "flags": 2, "rows": 24, "observed": 70026, "late": 0,
        "dropped": {"ancient": 2, "bad_row": 70000},
        "features": [
            {"name": "hr", "role": 0, "kind": 0, "profile": b"\1\2\3"},
            {"name": "prediction", "role": 1, "kind": 0, "profile": b""},
            {"name": "season", "role": 0, "kind": 1, "profile": b"\xff\0"}]}),
    "silence": ("kedge.window.v1", {
        **PLACE, "seq": 1, "model": "m", "version": "1", "start": 0, "end": 60 * 10**9,
        "watermark": 60 * 10**9, "sent": 0, "rows": 0, "observed": 0, "late": 0}),
    "attest": ("kedge.attest.v1", {
        **PLACE, "seq": 2, "model": "bike-demand", "version": "v2",
        "digest": id_(0xD2, 32), "at": EVENT_NS, "wall": WALL_MS * 10**6,
        "cause": "switch"}),
    "notice": ("kedge.notice.v1", {
        **PLACE, "seq": 3, "model": "bike-demand", "at": EVENT_NS,
        "kind": "schema_changed", "detail": "temp: number -> text (ä)"}),
    "receipt": ("kedge.receipt.v1", {
        **PLACE, "seq": 5, "order": id_(0x0D), "agent": id_(0xA1), "sess": id_(0x5E),
        "token": {"gen": 1, "seq": 42}, "state": "done", "model": "bike-demand",
        "before_version": "v2", "after_version": "v1", "after_digest": id_(0xD1, 32),
        "started_ms": WALL_MS, "ended_ms": WALL_MS + 12, "mono_ms": 1000,
        "exec": {"exit": -1, "signal": 15, "timeout": True, "out_tail": "switched"},
        "probe": {"ok": True}, "prev_receipt_hash": id_(0x9C, 32)}),
    "ack": ("kedge.ack.v1", {
        **PLACE, "done": [1, 255, 65536],
        "refused": [{"seq": 9, "code": "scope", "why": "not your model"}]}),
    "reference": ("kedge.reference.v1", {
        "model": "bike-demand", "version": "v1", "baseline": id_(0xBA, 32),
        "key": id_(0x1E), "window_ns": 86400 * 10**9, "sketch_every": 10,
        "features": [{"name": "hr", "role": 0, "kind": 0, "grid": b"grid"},
                     {"name": "label", "role": 2, "kind": 0}]}),
    "order": ("kedge.order.v1", {
        "fleet": id_(0xF1), "agent": id_(0xA1), "agent_key": id_(0xA2, 8),
        "order": id_(0x0D), "token": {"gen": 1, "seq": 42}, "sess": id_(0x5E),
        "hb": id_(0xBE), "ring": 3, "issued_ms": WALL_MS, "ttl_ms": 600000,
        "action": "rollback", "model": "bike-demand", "if_version": "v2",
        "if_digest": id_(0xD2, 32), "to_version": "v1", "executor": "bike-symlink",
        "exec_digest": id_(0xE1, 32), "params": {"alias": "champion"}, "run_ms": 60000,
        "plan": id_(0x91), "step": 0, "try": 1, "incident": id_(0x1C), "reason": LABELS,
        "approvals": [{"kid": id_(0x61, 8), "at_ms": WALL_MS, "sig": id_(0x51, 64)}],
        "lease_ms": 0, "dry": False, "prev": id_(0x9E, 32)}),
    "decision": ("kedge.approval.v1", {
        "fleet": id_(0xF1), "plan": id_(0x91),
        "agents": ["a1000000000000000000000000000000"], "action": "rollback",
        "model": "bike-demand", "if_version": "v2", "to_version": "v1",
        "executor": "bike-symlink", "exec_digest": id_(0xE1, 32), "params": {},
        "not_after_ms": WALL_MS}),
    "keyring": ("kedge.keyring.v1", {
        "ring_version": 3, "issued_ms": WALL_MS, "expires_ms": WALL_MS + 1,
        "fleet_id": id_(0xF1), "roots": [{"kid": id_(0x11, 8), "pub": id_(0x12, 32)}],
        "root_threshold": 1,
        "server_curve": [{"role": "agent", "pub": id_(0xC1, 32), "not_after": WALL_MS}],
        "order_keys": [{"kid": id_(0x21, 8), "pub": id_(0x22, 32), "actions": ACTIONS}],
        "approver_keys": [{"kid": id_(0x31, 8), "pub": id_(0x32, 32), "name": "ada",
                           "models": GLOBS, "actions": ACTIONS}],
        "thresholds": {"promote": 1, "rollback": 0}}),
    "enrol-hello": ("kedge.enrol.hello.v1", {
        "token_id": id_(0x70, 8),
        "host_facts": {"hostname": "web-17", "machine_id_hash": id_(0x3A, 32),
                       "os": "Debian 12", "agent_version": "0.1.0"}}),
    "enrol-challenge": ("kedge.enrol.challenge.v1", {
        "nonce": id_(0x4E, 32), "server_time_ms": WALL_MS, "keyring": b"a joined envelope"}),
    "enrol-claim": ("kedge.enrol.v1", {
        "fid": id_(0xF1), "token_id": id_(0x70, 8), "nonce": id_(0x4E, 32),
        "agent_curve": id_(0xAC, 32), "agent_sign": id_(0xA5, 32),
        "server_curve": id_(0xC2, 32), "requested_models": GLOBS, "labels": LABELS,
        "executors": [], "agent_time_ms": WALL_MS, "host": "web-17"}),
    "enrol-request": ("kedge.enrol.request.v1", {
        "body": b"claim", "sig_token": id_(0x61, 64), "sig_agent": id_(0x62, 64)}),
    "enrol-grant": ("kedge.enrol.grant.v1", {
        "fid": id_(0xF1), "agent_id": id_(0xA1), "state": "active", "models": GLOBS,
        "labels": LABELS, "endpoints": ENDPOINTS, "server_curve": id_(0xC1, 32),
        "keyring": b"a joined envelope", "policy_floor": {}}),
    "enrol-refusal": ("kedge.enrol.refusal.v1", {"code": 409, "why": "used"}),
    "join-token": ("join token", {
        "fid": id_(0xF1), "id": id_(0x70, 8), "seed": id_(0x5D, 32), "ep": ENDPOINTS,
        "cpk": id_(0xC2, 32), "root": [b"root-key-root-key-root-key-root!"],
        "exp": 1795363200}),
    "query": ("kedge.query.v1", {
        "id": 7, "verb": "model.list", "args": LABELS, "blob": b"file"}),
    "answer": ("kedge.answer.v1", {"id": 7, "code": 3, "json": b"{}", "last": True}),
    "head": ("kedge.head.v1", {
        "fid": id_(0xF1), "log_id": "main", "size": 1000, "root": id_(0x77, 32),
        "ts_ms": WALL_MS}),
}

SIGNED = {"receipt", "order", "keyring", "enrol-grant", "head"}
SEED = bytes([7]) * 32
