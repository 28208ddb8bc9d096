"""Client: libkedge in C and in Python, against a real agent that is killed, stopped and
started again. No row goes unaccounted for, and no model server notices.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import rig

TOP = pathlib.Path(__file__).parents[2]
PACKAGE = TOP / "agent/client/python"
LIBRARY = rig.BUILD / "libkedge.so.1"
CONF = 'model "bike-demand" { window = "1d"  lateness = "0s" }\n'


class Host:
    """An enrolled agent in a folder."""

    def __init__(self, controller, folder):
        self.folder = folder
        folder.mkdir(mode=0o700)
        line = controller.operator().must("agent.token")["line"]
        subprocess.run([rig.BUILD / "kedge-agent", "enroll", "--dir", folder, "--host",
                        folder.name, "-"], input=line.encode(), check=True,
                       stdout=subprocess.DEVNULL)
        (folder / "agent.conf").write_text(CONF)
        self.process = None

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [rig.BUILD / "kedge-agent", "run", "--dir", self.folder], stderr=self.log)
        wait_for(lambda: (self.folder / "status.sock").exists() and self.status())
        return self

    def status(self):
        got = subprocess.run([rig.BUILD / "kedge-agent", "status", "--dir", self.folder],
                             capture_output=True)
        return json.loads(got.stdout) if got.returncode == 0 else None

    def account(self):
        return self.status()["intake"]["models"][0]

    def lanes(self):
        return next(d for d in self.status()["doors"] if d["kind"] == "lane")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            assert self.process.wait(20) == 0, (self.folder / "log").read_text()

    def env(self):
        return {**os.environ, "KEDGE_SOCKET": str(self.folder / "lane.sock"),
                "KEDGE_LIBRARY": str(LIBRARY), "PYTHONPATH": str(PACKAGE)}


def wait_for(claim, limit=180):
    end = time.monotonic() + limit
    while not (found := claim()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    controller = rig.Controller(tmp_path_factory.mktemp("ctl") / "c").start()
    yield controller
    controller.stop()


@pytest.fixture
def host(controller, tmp_path):
    host = Host(controller, tmp_path / f"h{time.monotonic_ns()}").start()
    yield host
    host.stop()


@pytest.fixture(scope="module")
def observe(tmp_path_factory):
    """The example in C, built as its head says."""
    program = tmp_path_factory.mktemp("c") / "observe"
    include = program.parent / "include"
    include.mkdir()
    (include / "kedge.h").symlink_to(TOP / "agent/client/kedge.h")
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-I", include,
                    TOP / "packaging/examples/observe.c", "-o", program, LIBRARY,
                    f"-Wl,-rpath,{rig.BUILD}"], check=True)
    return program


def told(output):
    """(served, observed, dropped) of an example's last line."""
    return [int(n) for n in re.search(
        r"served (\d+), .* observed (\d+), dropped (\d+)", output).groups()]


def test_rows_of_c_and_of_python_reach_the_windows(host, observe):
    in_c = subprocess.run([observe, "5000", "50000"], env=host.env(), check=True,
                          capture_output=True, text=True)
    in_python = subprocess.run(
        ["/usr/bin/python3", TOP / "packaging/examples/observe.py", "500", "50000"],
        env=host.env(), check=True, capture_output=True, text=True)
    assert told(in_c.stdout) == [5000, 5000, 0] and in_c.stderr == ""
    assert told(in_python.stdout) == [500, 500, 0] and in_python.stderr == ""
    wait_for(lambda: host.account()["open_rows"] == 5500)
    account = host.account()
    assert account["observed"] == 5500 and account["features"] == 3
    assert not any(account["dropped"].values()) and account["type_errors"] == 0
    wait_for(lambda: host.lanes()["processes"] == 0)


def test_a_cplusplus_program_links_it(tmp_path):
    source = tmp_path / "main.cc"
    source.write_text("""
        #include "agent/client/kedge.h"
        int main()
        {
            kedge_feature feature = {"x", KEDGE_NUMBER, KEDGE_INPUT};
            kedge_model *model = nullptr;
            double value = 1;
            return kedge_open("m", "", &feature, 1, &model) != KEDGE_OK ||
                   kedge_observe_f64(model, &value, 1, nullptr) != KEDGE_OK;
        }""")
    subprocess.run(["g++", "-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I",
                    TOP, source, "-o", tmp_path / "main", LIBRARY,
                    f"-Wl,-rpath,{rig.BUILD}"], check=True)
    subprocess.run([tmp_path / "main"], check=True,
                   env={**os.environ, "KEDGE_SOCKET": "/nowhere"})


def test_only_the_public_names_are_exported():
    out = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], check=True,
                         capture_output=True, text=True).stdout
    header = (TOP / "agent/client/kedge.h").read_text()
    public = set(re.findall(r"\b(kedge_[a-z0-9_]+)\(", header))
    names = {line.split()[2].split("@")[0] for line in out.splitlines()} - {"KEDGE_1"}
    assert names == public
    needed = subprocess.run(["objdump", "-p", LIBRARY], check=True, capture_output=True,
                            text=True).stdout
    assert re.findall(r"NEEDED\s+(\S+)", needed) == ["libc.so.6"]
    assert re.findall(r"SONAME\s+(\S+)", needed) == ["libkedge.so.1"]


PREFORK = """
import os, sys, kedge
model = kedge.Model("bike-demand", "v1", inputs=["temp"], strict=True)
model.observe([0.5], 1.0)                       # the parent has a lane of its own
children = []
for worker in range(4):
    child = os.fork()
    if child == 0:
        ok = all(model.observe([i / 1000], 2.0, id=f"{worker}-{i}") for i in range(1000))
        os._exit(0 if ok and model.stats().observed == 1000 else 1)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
model.observe([0.5], 1.0)
assert model.stats().observed == 2
sys.exit(any(codes))
"""


def test_the_workers_of_a_prefork_server_have_their_own_lanes(host):
    subprocess.run(["/usr/bin/python3", "-c", PREFORK], env=host.env(), check=True)
    wait_for(lambda: host.account()["observed"] == 4002)
    assert host.lanes()["malformed"] == 0 and host.lanes()["faults"] == 0


# --- Do no harm

def test_a_killed_and_a_stopped_agent_are_not_noticed(host, observe):
    server = subprocess.Popen([observe, "60000", "10000"], env=host.env(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: host.account()["observed"] > 1000)
    host.kill()
    time.sleep(0.3)
    host.start()
    wait_for(lambda: host.lanes()["rows"] > 0)
    host.process.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    host.process.send_signal(signal.SIGCONT)
    out, err = server.communicate(timeout=300)
    served, observed, dropped = told(out)
    assert server.returncode == 0 and err == "" and served == 60000
    assert observed + dropped == served
    wait_for(lambda: host.lanes()["processes"] == 0)
    account = host.account()
    assert account["observed"] == served
    assert account["dropped"]["lane_full"] == dropped
    assert account["observed"] == account["merged"] + account["late"] + \
        account["open_rows"] + sum(account["dropped"].values())


OVERFLOW = """
import sys, kedge
model = kedge.Model("bike-demand", "v1", inputs=["temp"], strict=True)
def fill():
    return sum(not model.observe([0.5], 1.0) for i in range(40000))
print(fill(), flush=True)
sys.stdin.readline()
print(model.stats().dropped, model.stats().observed, flush=True)
"""


def test_what_a_full_lane_drops_is_told(host):
    host.process.send_signal(signal.SIGSTOP)
    server = subprocess.Popen(["/usr/bin/python3", "-c", OVERFLOW], env=host.env(),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    lost = int(server.stdout.readline())
    assert lost == 40000 - 16384  # a row is one slot of a lane of 1 MiB
    host.process.send_signal(signal.SIGCONT)
    wait_for(lambda: host.account()["dropped"]["lane_full"] == lost)
    assert host.account()["open_rows"] == 16384
    out, _ = server.communicate("\n")
    assert out.split() == [str(lost), "16384"]


# --- The Python package, by what stands in its lane

READ_LANE = """
import math, sys
sys.path.insert(0, %r)
import client_lane, kedge
kedge.setup("/nowhere")
lane = client_lane.rows
""" % str(pathlib.Path(__file__).parent)


def run_python(code):
    env = {**os.environ, "KEDGE_LIBRARY": str(LIBRARY), "PYTHONPATH": str(PACKAGE)}
    subprocess.run(["/usr/bin/python3", "-c", READ_LANE + code], env=env, check=True)


def test_lists_need_no_numpy():
    run_python("""
m = kedge.Model("m", "v", inputs={"x": "number", "c": "category", "t": "text",
                                  "e": "vector"}, strict=True)
assert m.observe({"x": 1, "c": "red", "t": "two words", "e": [3, 4] * 8}, 7.5, id="a")
assert m.observe_batch([[2, None, None, [1] * 16], [None, "blue", "a", [0] * 16]],
                       [1, None], ids=["b", 3], times=[1.5, 2]) == 2
assert "numpy" not in sys.modules
a, b, c = lane()
assert a.id == "a" and a.values == [1, "red", (9, 2, 0, 0), (16, 200, 3.5, 3, 4), 7.5]
assert b.id == "b" and b.t == 1500000000 and b.values[:3] == [2, None, None]
assert c.id == "3" and c.values[1] == "blue" and math.isnan(c.values[0])
""")


def test_arrays_of_numpy_in_every_layout():
    run_python("""
import numpy as np
m = kedge.Model("m", "v", inputs=["a", "b", "c"], strict=True)
x = np.arange(12.0).reshape(4, 3)
y = np.array([10, 20, 30, 40])
for matrix in (x, x.astype(np.float32), np.asfortranarray(x), x.astype("i2"), x[::-1][::-1],
               np.repeat(x, 2, 1)[:, ::2], x.astype(">f8"), x.astype(np.float16)):
    assert m.observe_batch(matrix, y, ids=np.arange(4)) == 4
    rows = lane()
    assert [r.values for r in rows] == [[*x[i], y[i]] for i in range(4)], matrix.dtype
    assert [r.id for r in rows] == ["0", "1", "2", "3"]
assert m.observe_batch(x[::-1], y) == 4 and lane()[0].values == [9, 10, 11, 10]
assert m.observe_batch({"a": x[:, 0], "b": [1, 2, 3, None], "c": y > 15}, y) == 4
assert lane()[3].values[:1] == [9] and m.stats().errors == 0
""")


def test_tables_are_taken_by_their_columns():
    run_python("""
import numpy as np
class Table(dict):
    columns = property(lambda self: list(self))
m = kedge.Model("m", "v", strict=True)
t = Table(x=np.array([1.0, np.nan]), s=np.array(["hot", "cold"]),
          o=np.array(["u", None], object))
t.__class__ = Table
class Frame:
    columns = ["x", "s", "o"]
    def __getitem__(self, name): return t[name]
assert m.observe_batch(Frame(), np.array([1.0, 2.0])) == 2
a, b = lane()
assert a.values == [1, "hot", "u", 1] and b.values[1:] == ["cold", None, 2]
""")


def test_a_decorator_and_a_request_observe_what_was_answered():
    run_python("""
import numpy as np
m = kedge.Model("m", "v", inputs=["x"], strict=True)
@m.watch
def predict(features): return features["x"] * 2 if isinstance(features, dict) else features[:, 0]
assert predict({"x": 4.0}) == 8 and list(predict(np.array([[5.0]]))) == [5]
with m.request({"x": 1.0}, id="r") as r: r.prediction = 3
try:
    with m.request({"x": 1.0}): raise KeyError
except KeyError: pass
assert [r.values for r in lane()] == [[4, 8], [5, 5], [1, 3]]
m.label("r", 2.5); m.metric("latency", 9)
label, metric = lane()
assert label.id == "r" and label.values == [2.5] and metric.values == ["latency", 9]
""")


def test_mistakes_do_not_reach_the_model_server():
    run_python("""
m = kedge.Model("m", "v", inputs=["x"])
assert m.observe({"x": object()}) is False and m.observe([1, 2, 3, 4]) is False
assert m.observe_batch("nonsense") == 0 and m.observe_batch([[1, 2, 3]], [1]) == 0
assert m.label(None, "x") is False
told = m.stats()
assert told.errors == 4 and "Error" in told.last_error and told.refused == 1, told
""")
