"""Executors against doubles: whatever goes wrong, the answer tells the truth.

kedge-exec is asked directly, by the bytes that the agent would send it.

SPDX-License-Identifier: Apache-2.0
"""

import concurrent.futures
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time

import doubles
import pytest
import rig

PROBE, APPLY, FINISH = 1, 2, 3
DONE, ALREADY, PRECOND, TARGET, DIGEST, REFUSED, LATER, EXECUTOR, RELOAD, FAILED = range(1, 11)

KINDS = {
    "mlflow": (doubles.Mlflow, ""),
    "torchserve": (doubles.TorchServe, ""),
    "triton": (doubles.Triton, ""),
    "kserve": (doubles.Kserve, 'namespace = "ml" artifact = "s3://models/bike/{version}/model"'),
    "deployment": (doubles.Deployment, 'namespace = "ml" container = "model" '
                   'artifact = "registry.example/bike:{version}"'),
}


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def text(s):
    return varint(len(s)) + s


def read_varint(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return n, at


class Executor:
    """A file of an executor, and kedge-exec to carry it out."""

    def __init__(self, folder, kind, more):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "it.conf"
        self.path.write_text('executor "it" { kind = "%s" models = {"*"} %s }\n' % (kind, more))
        self.path.chmod(0o644)

    def ask(self, verb, before=b"2", to=b"1", run_ms=60000):
        """(code, version, detail)."""
        digest = hashlib.sha256(self.path.read_bytes()).digest()
        question = (bytes([1, verb]) + text(str(self.path).encode()) + digest +
                    text(b"rollback") + text(b"bike") + text(before) + text(to) + b"\0" +
                    bytes(32) + os.urandom(16) + bytes(16) + run_ms.to_bytes(4, "little"))
        done = subprocess.run(["/bin/sh", "-c", 'exec "$0" execute 3>&1 >/dev/null',
                               rig.BUILD / "kedge-exec"], input=question,
                              stdout=subprocess.PIPE, timeout=180, check=True)
        answer = done.stdout
        n, at = read_varint(answer, 2)
        version = answer[at:at + n].decode()
        at += n + 1 + 32 + 4 + 4 + 1 + 32
        n, at = read_varint(answer, at)
        n, at = read_varint(answer, at + n)
        return answer[1], version, answer[at:at + n].decode()


def made(folder, kind, **more):
    make, options = KINDS[kind]
    double = make(**more)
    return double, Executor(folder, kind, 'base = "%s" %s' % (double.base, options))


@pytest.mark.parametrize("kind", KINDS)
def test_probes_switches_once_and_knows_when_it_is_there(tmp_path, kind):
    double, it = made(tmp_path, kind)
    assert it.ask(PROBE, b"", b"")[:2] == (DONE, "2")
    assert it.ask(FINISH)[0] == PRECOND
    assert it.ask(APPLY, b"3", b"1")[0] == PRECOND
    assert it.ask(APPLY)[:2] == (DONE, "1")
    assert (double.version, double.changes) == ("1", 1)
    assert it.ask(APPLY)[:2] == (ALREADY, "1")
    assert it.ask(FINISH)[:2] == (DONE, "1")
    assert double.changes == 1
    code, version, _ = it.ask(APPLY, b"1", b"77")
    assert version == "1" and double.changes == 1 or kind in ("kserve", "deployment")
    assert code in (TARGET, REFUSED) or kind in ("kserve", "deployment")
    double.close()


def misbehave(folder, kind, fault, times):
    """One switch with the fault, one without; what was not true."""
    double, it = made(folder, kind)
    double.break_with(fault, times)
    code, version, detail = it.ask(APPLY, run_ms=3000 if times > 1 or fault in
                                   ("never", "slow") else 60000)
    said = "%s %s x%d: code %d version %r (%s)" % (kind, fault, times, code, version, detail)
    wrong = []
    if code in (DONE, ALREADY) and double.version != "1":
        wrong.append("said done, and it is not: " + said)
    if version not in ("", double.version):
        wrong.append("told another version: " + said)
    if any("169.254" in r[1] for r in double.requests):
        wrong.append("followed: " + said)
    double.break_with(None, 0)
    code, version, detail = it.ask(APPLY)
    if code not in (DONE, ALREADY) or version != "1" or double.version != "1":
        wrong.append("not well again: %s, then %d %r %s" % (said, code, version, detail))
    if double.changes != 1:
        wrong.append("changed %d times: %s" % (double.changes, said))
    double.close()
    return wrong


def test_tells_the_truth_whatever_the_server_does(tmp_path):
    cases = [(kind, fault, times) for kind in KINDS for fault in doubles.FAULTS
             for times in ((1, 100) if os.environ.get("KEDGE_LONG") else (1,))]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        found = pool.map(lambda c: misbehave(tmp_path / "-".join(map(str, c)), *c), cases)
    assert [line for lines in found for line in lines] == []


def test_a_missing_alias_is_said_in_both_dialects(tmp_path):
    double, _ = made(tmp_path, "mlflow")
    it = Executor(tmp_path, "mlflow", 'base = "%s" alias = "gone"' % double.base)
    code, version, detail = it.ask(PROBE, b"", b"")
    assert (code, version) == (FAILED, "") and "alias gone is not set" in detail
    double.close()


def test_the_token_is_read_from_a_secret_file_each_time(tmp_path):
    double, _ = made(tmp_path, "mlflow")
    secret = tmp_path / "secret"
    secret.write_text("Bearer first\n")
    secret.chmod(0o600)
    it = Executor(tmp_path, "mlflow", 'base = "%s" auth_file = "%s"' % (double.base, secret))
    it.ask(PROBE, b"", b"")
    assert double.requests[-1][2]["Authorization"] == "Bearer first"
    secret.write_text("Bearer second\n")
    it.ask(PROBE, b"", b"")
    assert double.requests[-1][2]["Authorization"] == "Bearer second"
    secret.chmod(0o644)
    assert it.ask(PROBE, b"", b"")[0] == FAILED
    double.close()


def test_an_object_of_gitops_is_left_alone(tmp_path):
    double, it = made(tmp_path, "kserve")
    double.notes = {"argocd.argoproj.io/tracking-id": "x"}
    code, version, detail = it.ask(APPLY)
    assert (code, version, double.changes) == (REFUSED, "2", 0) and "GitOps" in detail
    double.close()


def test_a_metadata_address_is_not_even_connected_to(tmp_path):
    it = Executor(tmp_path, "mlflow", 'base = "http://169.254.169.254"')
    begin = time.monotonic()
    assert it.ask(PROBE, b"", b"")[0] == FAILED
    assert time.monotonic() - begin < 180


# --- TensorFlow Serving is told by a file

def test_tfserving_moves_a_label_in_two_steps_and_leaves_the_rest_alone(tmp_path):
    double = doubles.TfServing(tmp_path)
    it = Executor(tmp_path / "x", "tfserving", 'base = "%s" config = "%s"'
                  % (double.base, double.file))
    assert it.ask(PROBE, b"", b"")[:2] == (DONE, "2")
    assert it.ask(APPLY)[:2] == (DONE, "1")
    assert double.loaded == {"1", "2"}  # what was left stays until it is verified
    assert double.labels == {"stable": "1", "canary": "2"} and double.changes == 1
    for line in doubles.TF_CONFIG.splitlines():
        if "bike" not in line and "version" not in line:
            assert line in double.file.read_text()
    assert it.ask(APPLY)[0] == ALREADY
    assert it.ask(APPLY, b"1", b"2")[:2] == (DONE, "2")
    before = double.file.read_text()
    code, version, _ = it.ask(APPLY, b"2", b"77")
    assert (code, version) == (TARGET, "2")
    assert double.file.read_text() == before  # what could not be loaded is taken out again
    double.close()


def test_tfserving_that_does_not_poll_is_put_back(tmp_path):
    double = doubles.TfServing(tmp_path)
    it = Executor(tmp_path / "x", "tfserving", 'base = "%s" config = "%s"'
                  % (double.base, double.file))
    double.wanted = set()
    double.break_with("never", 1)
    code, version, _ = it.ask(APPLY, run_ms=2000)
    assert code == FAILED and version in ("", "2")
    assert double.file.read_text() == doubles.TF_CONFIG
    double.close()


# --- HAProxy

class HaproxyDouble:
    """The runtime socket with one backend, as HAProxy 2.6 answers."""

    def __init__(self, path):
        self.weight, self.begun = {"v1": 0, "v2": 100, "v3": 0}, []
        self.is_deaf = False
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                words = peer.recv(4096).decode().split()
                peer.sendall(self.answer(words).encode())

    def answer(self, words):
        if words[:3] == ["show", "servers", "state"]:
            if words[3] != "be":
                return "Can't find backend.\n\n"
            rows = "".join("3 be %d %s 127.0.0.1 2 0 %d 1 0 1 0 0 0 0 0 0 - 0 0 0 - - 0\n"
                           % (i + 1, name, w) for i, (name, w) in
                           enumerate(self.weight.items()))
            return "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state " \
                   "srv_admin_state srv_uweight srv_iweight\n" + rows + "\n"
        if words[:2] == ["set", "weight"]:
            name = words[2].partition("/")[2]
            if name not in self.weight:
                return "No such server.\n\n"
            if self.is_deaf:
                return "Permission denied\n\n"
            self.weight[name] = int(words[3])
            self.begun.append((name, int(words[3])))
            return "\n"
        return "Unknown command\n\n"


def test_haproxy_raises_before_it_lowers(tmp_path):
    double = HaproxyDouble(tmp_path / "sock")
    it = Executor(tmp_path, "haproxy", 'socket = "%s" backend = "be"' % (tmp_path / "sock"))
    assert it.ask(PROBE, b"", b"")[:2] == (DONE, "v2")
    assert it.ask(APPLY, b"v2", b"v9")[:2] == (TARGET, "v2")
    double.is_deaf = True
    assert it.ask(APPLY, b"v2", b"v1")[:2] == (REFUSED, "v2")
    double.is_deaf = False
    assert it.ask(APPLY, b"v2", b"v1")[:2] == (DONE, "v1")
    assert double.begun == [("v1", 100), ("v2", 0)]
    assert it.ask(APPLY, b"v2", b"v1")[0] == ALREADY
    double.weight["v2"] = 100  # killed between the two steps on the way back
    assert it.ask(APPLY, b"v1", b"v2")[:2] == (DONE, "v2")
    assert double.weight == {"v1": 0, "v2": 100, "v3": 0}
    double.weight["v3"] = 7
    assert it.ask(PROBE, b"", b"")[0] == FAILED  # who serves cannot be told
    double.socket.close()


HAPROXY = """\
global
    stats socket %(sock)s mode 600 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    retries 3
    option redispatch
frontend in
    bind 127.0.0.1:%(port)d
    default_backend be
backend be
    balance roundrobin
    server v1 %(v1)s weight 0
    server v2 %(v2)s weight 100
"""


def model_server(version):
    class Handler(doubles.http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(version)))
            self.end_headers()
            self.wfile.write(version)

    server = doubles.http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.mark.skipif(not shutil.which("haproxy", path="/usr/sbin:/usr/bin"),
                    reason="haproxy is not installed")
def test_the_real_haproxy_loses_no_request_while_it_is_switched(tmp_path):
    servers = [model_server(b"v1"), model_server(b"v2")]
    port = rig.free_ports()
    sock = tmp_path / "sock"
    conf = tmp_path / "haproxy.cfg"
    conf.write_text(HAPROXY % {"sock": sock, "port": port,
                               "v1": "127.0.0.1:%d" % servers[0].server_address[1],
                               "v2": "127.0.0.1:%d" % servers[1].server_address[1]})
    proxy = subprocess.Popen([shutil.which("haproxy", path="/usr/sbin:/usr/bin"), "-db",
                              "-f", conf], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 180
    while not sock.exists() and time.monotonic() < end:
        time.sleep(0.02)
    seen, is_over, told = [], threading.Event(), []

    def load():
        while not is_over.is_set():
            link = doubles.http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                link.request("GET", "/")
                seen.append((time.monotonic(), link.getresponse().read()))
            except OSError as e:
                seen.append((time.monotonic(), repr(e).encode()))
            link.close()

    threads = [threading.Thread(target=load) for _ in range(4)]
    try:
        for t in threads:
            t.start()
        wait_rows(seen, 100)
        it = Executor(tmp_path / "x", "haproxy", 'socket = "%s" backend = "be"' % sock)
        told = it.ask(APPLY, b"v2", b"v1")
        switched = time.monotonic()
        wait_rows(seen, len(seen) + 200)
    finally:
        is_over.set()
        for t in threads:
            t.join(60)
        proxy.terminate()
        proxy.wait(60)
    assert told[:2] == (DONE, "v1")
    assert {answer for _, answer in seen} <= {b"v1", b"v2"}
    # Those that began before the switch may end a moment behind it.
    late = [a for at, a in seen if at > switched + 1]
    assert b"v2" not in late


def wait_rows(rows, count):
    end = time.monotonic() + 180
    while len(rows) < count and time.monotonic() < end:
        time.sleep(0.01)
