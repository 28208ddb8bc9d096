"""Every door of the agent, from a payload that goes in to the figures that come out.

SPDX-License-Identifier: Apache-2.0
"""

import gzip
import http.client
import json
import os
import pathlib
import socket
import subprocess

import agent_rig
import doors_rig
import msgpack
import pytest

FIRST = doors_rig.FIRST_S
MODELS = sorted({o["model"] or "given" for c in doors_rig.cases() if c["door"] == "http"
                 for o in c["observations"]})
HTTP = 'door "http" { listen = "127.0.0.1:0"  model = "given"  answer_wait = "1h" }\n'


@pytest.fixture(scope="module")
def posted(tmp_path_factory):
    """One agent for all that is posted."""
    d = doors_rig.Doors(tmp_path_factory.mktemp("http") / "host", doors_rig.conf(
        *MODELS, "kpi", "packed", doors=HTTP + 'door "unix" { users = {"4321"} }\n' 'door "small" { kind = "http"  listen = "127.0.0.1:0"'
        '  body = "4KiB"  token = "s3cret" }\n'
        'door "big" { kind = "http"  listen = "127.0.0.1:0"  body = "2GiB"'
        '  model = "given" }\n'))
    yield d
    d.close()


def test_ingest_parse_prints_what_the_manifest_says(tmp_path):
    """The command line, for each payload by its own door."""
    def same(a, b):
        if isinstance(a, dict) and isinstance(b, dict):
            return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
        if isinstance(a, list) and isinstance(b, list):
            return len(a) == len(b) and all(map(same, a, b))
        return a == (pytest.approx(b, rel=1e-6) if isinstance(b, float) else b)
    for case in doors_rig.cases():
        more = ["--format", case["format"]]
        for option in ("mapping", "schema"):
            if case.get(option):
                (tmp_path / option).write_text(json.dumps(case[option]))
                more += [f"--{option}", tmp_path / option]
        out = subprocess.run([agent_rig.BUILD / "kedge", "ingest", "parse",
                              doors_rig.PAYLOADS / case["file"], "--door", case["door"],
                              "-o", "json", *more], stdout=subprocess.PIPE, check=True).stdout
        assert same(json.loads(out), case["observations"]), case["file"]


def test_msgpack_maps_on_the_socket(posted):
    at = str(posted.host.agent_folder / "agent.sock")
    rows = [{"model": "packed", "version": "v1", "id": f"p{i}", "ts": FIRST + i + 0.5,
             "features": {"hr": i, "deep": {"x": 2.0}, "kind": "a", "none": None},
             "prediction": float(i)} for i in range(120)]
    data = b"".join(map(msgpack.packb, rows))
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(at)
        for i in range(0, len(data), 997):
            s.sendall(data[i:i + 997])
    seen = posted.features("packed", FIRST)
    assert seen["hr", 0]["mean"] == pytest.approx(29.5)
    assert seen["deep.x", 0]["rows"] == seen["prediction", 1]["rows"] == 60
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(at)
        s.sendall(msgpack.packb({"model": "packed"}) + b"\x01garbage")
        assert s.recv(1) == b""  # the stream cannot be read any more
    door = posted.door("unix")
    assert (door["lines"], door["malformed"]) == (122, 2)
    assert posted.model("packed")["observed"] == 120 + 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_only_listed_users_may_write(posted):
    at = posted.host.agent_folder / "agent.sock"
    write = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); " \
            "s.sendall(b'{}'); s.shutdown(1); s.recv(1)"
    before = posted.door("unix")
    if pathlib.Path.home() in at.parents:
        pytest.skip("others shall not look into this home")
    os.chmod(at, 0o777)
    for folder in at.parents:
        if folder.stat().st_mode & 0o011 != 0o011:
            os.chmod(folder, folder.stat().st_mode | 0o011)
    for uid in (4321, 4322):
        subprocess.run(["/usr/bin/python3", "-c", write, at], user=uid, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    posted.wait("the refusal", lambda: posted.door("unix")["denied"] == before["denied"] + 1)


def event(second, kind, event_id, rows, model="kpi"):
    """A KServe event as its logger posts it."""
    key = "instances" if kind == "request" else "predictions"
    headers = {"Ce-Id": event_id, "Ce-Specversion": "1.0", "Ce-Source": "http://x/",
               "Ce-Type": f"org.kubeflow.serving.inference.{kind}",
               "Ce-Time": f"2023-11-14T{22 + second // 3600:02}:{second // 60 % 60:02}:"
                          f"{second % 60:02}.{'25' if kind == 'response' else '00'}Z",
               "Ce-Inferenceservicename": model, "Content-Type": "application/json"}
    return json.dumps({key: rows}).encode(), headers


def test_every_payload_of_the_manifest_is_taken_as_posts(posted):
    """Each row of the manifest is in the account of its model."""
    before = {m: posted.model(m)["observed"] for m in MODELS}
    wanted = dict.fromkeys(MODELS, 0)
    for case in doors_rig.cases():
        if case["door"] != "http":
            continue
        path = "/"
        for first, headers, body in doors_rig.messages(case["file"]):
            if first.startswith("POST "):
                path = first.split()[1]
            else:
                headers = {**headers, "Kedge-Side": "output"}
            status, _ = posted.post(path, body, headers)
            assert status == 200
        for o in case["observations"]:
            if o["side"] != "signal":
                wanted[o["model"] or "given"] += len(o["rows"])
    # Requests wait for their answers, and those two are one row then.
    posted.wait("the rows", lambda: posted.door("http")["waiting"] == 0)
    seen = {m: posted.model(m)["observed"] - before[m] for m in MODELS}
    door = posted.door("http")
    assert door["malformed"] == door["shed"] == 0
    assert all(seen[m] <= wanted[m] for m in MODELS), (seen, wanted)
    assert seen["ranker"] == 4 and seen["resnet-18"] == wanted["resnet-18"]
    assert door["joined"] >= 4  # of 01 with 02, and of 03 with 04


def test_requests_and_answers_become_rows_with_their_latency(posted):
    start = 1699999980  # 2023-11-14T22:13:00Z
    for i in range(20):
        body, headers = event(13 * 60 + i, "request", f"r{i}", [[i, 2.0]])
        assert posted.post("/", body, headers)[0] == 200
        body, headers = event(13 * 60 + i, "response", f"r{i}", [i / 2])
        assert posted.post("/", body, headers)[0] == 200
        assert posted.post("/", body, headers)[0] == 200  # delivered again
    later, headers = event(20 * 60, "request", "later", [[0, 0]])
    posted.post("/", later, headers)
    answer, headers = event(20 * 60, "response", "later", [0])
    posted.post("/", answer, headers)
    seen = posted.features("kpi", start)
    assert seen["f0", 0]["rows"] == seen["y", 1]["rows"] == 20
    assert seen["f0", 0]["mean"] == pytest.approx(9.5)
    assert seen["y", 1]["mean"] == pytest.approx(4.75)
    assert seen["latency_ms", 3]["mean"] == pytest.approx(250)
    assert (seen["latency_ms", 3]["rows"], seen["error", 3]["max"]) == (20, 0)
    assert posted.door("http")["repeats"] >= 20


def test_batches_packed_bodies_and_bad_events_among_good_ones(posted):
    before = posted.model("kpi")["observed"]
    def one(i, data):
        return {"specversion": "1.0", "id": f"b{i}", "source": "s", "data": data,
                "type": "org.kubeflow.serving.inference.request",
                "inferenceservicename": "kpi", "time": "2023-11-14T22:30:00Z"}
    batch = [one(0, {"instances": [[1], [2]]}), one(1, {"instances": 7, "inputs": 3}),
             one(2, {"inputs": {"a": [[1], [2], [3]]}})]
    body = gzip.compress(json.dumps(batch).encode())
    status, _ = posted.post("/", body, {
        "Content-Type": "application/cloudevents-batch+json", "Content-Encoding": "gzip"})
    assert status == 200
    posted.wait("the batch to be read", lambda: posted.door("http")["waiting"] == 0)
    assert posted.model("kpi")["observed"] >= before  # they wait for answers
    for i in (0, 2):
        out = dict(one(i, {"predictions": [[1]] * (i + 2 if i == 0 else 3)}),
                   type="org.kubeflow.serving.inference.response")
        posted.post("/", json.dumps(out), {"Content-Type": "application/cloudevents+json"})
    posted.wait("five rows", lambda: posted.model("kpi")["observed"] >= before + 5)


def test_lines_of_a_file_may_be_posted(posted):
    before = posted.model("given")["observed"]  # the door's model goes before the lines'
    body = (doors_rig.PAYLOADS / "12-sagemaker-capture.jsonl").read_bytes()
    assert posted.post("/lines/sagemaker-data-capture", body)[0] == 200
    posted.wait("the rows", lambda: posted.model("given")["observed"] > before)
    foreign = posted.door("http")["foreign"]
    assert posted.post("/lines/no-such-format", b"{}\n")[0] == 200
    posted.wait("the count", lambda: posted.door("http")["foreign"] == foreign + 1)


def test_limits_are_answered_and_counted(posted):
    bearer = {"Authorization": "Bearer s3cret"}
    assert posted.post("/x", b"{}", door="small")[0] == 401
    assert posted.post("/x", b'{"a": 1}', bearer, door="small")[0] == 200
    assert posted.post("/x", b"x" * 5000, bearer, door="small")[0] == 413
    link = http.client.HTTPConnection("127.0.0.1", posted.door("small")["port"], timeout=30)
    for method, path, status in (("GET", "/healthz", 200), ("GET", "/x", 404),
                                 ("DELETE", "/x", 405)):
        link.request(method, path)
        answer = link.getresponse()
        answer.read()
        assert answer.status == status
    link.close()
    def chunks():
        for _ in range(8):
            yield b"y" * 1000
    link = http.client.HTTPConnection("127.0.0.1", posted.door("small")["port"], timeout=30)
    link.request("POST", "/x", chunks(), bearer, encode_chunked=True)
    assert link.getresponse().status == 413
    link.close()
    with socket.create_connection(("127.0.0.1", posted.door("small")["port"])) as s:
        before = posted.door("small")["bytes"]
        s.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\r\n"
                  b"Content-Length: 100\r\n\r\n{")
        posted.wait("its byte", lambda: posted.door("small")["bytes"] == before + 1)
    posted.wait("the broken one", lambda: posted.door("small")["broken"] == 1)
    door = posted.door("small")
    assert (door["too_large"], door["denied"], door["posts"]) == (2, 3, 1)


def test_a_body_that_is_no_json_is_answered_and_counted(posted):
    before = posted.model("given")
    assert posted.post("/invocations", b'{"instances": [[1], [2], oops')[0] == 200
    posted.wait("the drop", lambda: posted.model("given")["dropped"]["malformed"]
                > before["dropped"]["malformed"])


def test_requests_that_wait_for_an_answer_outlive_a_clean_end(posted):
    body, headers = event(50 * 60, "request", "alone", [[1, 2], [3, 4]])
    before = posted.model("kpi")["observed"]
    waiting = posted.door("http")
    assert posted.post("/", body, headers)[0] == 200
    posted.wait("it to be read", lambda: posted.door("http")["posts"] == waiting["posts"] + 1
                and posted.door("http")["waiting"] == 0)
    assert posted.model("kpi")["observed"] == before
    assert posted.host.stop() == 0
    posted.start()
    assert posted.model("kpi")["observed"] >= before + 2  # with what others left waiting


def test_a_long_body_goes_through_in_little_memory(posted):
    """Rows are counted while the body still comes; the agent does not grow with it. In the
    long run the body has 1 GiB, and the bound is that of the release."""
    def resident():
        with open(f"/proc/{posted.host.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
    before = posted.model("given")["observed"]
    row = b'["' + b"x" * 16520 + b'", 2.5],\n'
    rows = 65000 if os.environ.get("KEDGE_LONG") else 500

    def body(n):
        yield b'{"instances": ['
        for _ in range(n - 1):
            yield row
        yield b"[1, 2]]}"

    def post(n):
        size = len(row) * (n - 1) + 23
        link = http.client.HTTPConnection("127.0.0.1", posted.door("big")["port"], timeout=600)
        link.request("POST", "/invocations", body(n), {"Content-Length": str(size)})
        assert link.getresponse().status == 200
        link.close()
    post(100)
    first = resident()
    post(rows)
    posted.wait("the rows", lambda: posted.model("given")["observed"] >= before + rows + 100)
    grown = resident() - first
    print(f"{rows * len(row) >> 20} MiB, grown by {grown} KiB")
    assert grown < (64 << 10 if "asan" in str(agent_rig.BUILD) else 2 << 10)
