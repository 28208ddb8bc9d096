"""Signals of servers by their doors: StatsD, OpenTelemetry, metrics pages, access logs,
processes; and files of labels and of BentoML. Each from what goes in to the figures that
come out.

SPDX-License-Identifier: Apache-2.0
"""

import http.server
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import doors_rig
import pytest

FIRST = doors_rig.FIRST_S
NS = 10**9

# What has no time of its own is counted when it comes, in windows of at least ten seconds:
# the figures of these are looked at in the long run alone.
LONG = bool(os.environ.get("KEDGE_LONG"))
is_long = pytest.mark.skipif(not LONG, reason="takes a minute")


class Page:
    """A server with a page of metrics, which grows with each look."""

    def __init__(self):
        page = self
        self.looks = 0
        self.status = 200

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                page.looks += 1
                n = page.looks
                body = (f'# HELP x\nnv_inference_request_success{{model="scraped",version="1"}} {100 * n}\n'
                        f'nv_inference_request_failure{{model="scraped",version="1"}} {25 * n}\n'
                        f'nv_inference_request_duration_us{{model="scraped",version="1"}} {4e5 * n}\n'
                        f'nv_inference_request_success{{model="other",version="1"}} {7 * n}\n'
                        ).encode()
                self.send_response(page.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://localhost:{self.server.server_address[1]}/metrics"


def conf(folder, page):
    files = pathlib.Path(folder)
    (files / "cgroup").mkdir(parents=True)
    (files / "schema.log").write_text(json.dumps({"columns": [
        {"name": "age", "role": "feature", "type": "numerical"},
        {"name": "plan", "role": "feature", "type": "categorical"},
        {"name": "churn", "role": "prediction", "type": "numerical"}]}))
    return doors_rig.conf("kpi", doors="") + "".join(
        f'model "{m}" {{ window = "10s"  lateness = "0s"  version = "v1" }}\n'
        for m in ("counted", "scraped", "probed")) + (
        'model "told" { window = "60s"  lateness = "0s"  version = "v1" }\n'
        'model "churn" { window = "60s"  lateness = "0s"  version = "v1"  performance = "binary" }\n'
        'model "access" { window = "60s"  lateness = "0s"  version = "v1" }\n'
        'door "statsd" { listen = "127.0.0.1:0" }\n'
        'door "http" { listen = "127.0.0.1:0"  model = "told" }\n'
        f'door "scrape" {{ url = "{page.url}"  interval = "1s"  model = "scraped"  version = "v1" }}\n'
        f'door "probe" {{ model = "probed"  pidfile = "{files}/server.pid"'
        f'  cgroup = "{files}/cgroup"  interval = "1s" }}\n'
        f'door "nginx" {{ kind = "tail"  format = "nginx"  path = "{files}/access.log"'
        '  model = "access" }\n'
        f'door "bento" {{ kind = "tail"  format = "bentoml"  path = "{files}/data.1.log"'
        f'  schema = "{files}/schema.log"  model = "churn" }}\n'
        f'door "later" {{ kind = "tail"  format = "labels"  path = "{files}/labels.jsonl"'
        '  model = "churn"  id = "/rid"  time = "/at" }\n')


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signals")
    page = Page()
    d = doors_rig.Doors(folder / "host", conf(folder / "files", page))
    d.files, d.page = folder / "files", page
    yield d
    page.server.shutdown()
    d.close()


def means(rig, model, name, role=3):
    """The mean of each window that has the feature, in order."""
    found = []
    for w in rig.windows(model):
        for f in w["features"]:
            if (f["name"], f["role"]) == (name, role):
                figures = doors_rig.figures(f["profile"])
                if "mean" in figures:
                    found.append(figures["mean"])
    return found


def stamp(second):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(FIRST + second))


def test_a_metrics_page_becomes_rates(rig):
    rig.wait("three pages", lambda: rig.door("scrape")["pages"] >= 3)
    door = rig.door("scrape")
    assert door["failures"] == 0 and door["strangers"] > 0 and door["malformed"] == 0
    rig.wait("its signals", lambda: rig.model("scraped")["features"] == 3)


@is_long
def test_the_rates_of_a_metrics_page_are_right(rig):
    rig.wait("signals", lambda: means(rig, "scraped", "latency_ms"), 120)
    assert means(rig, "scraped", "latency_ms")[0] == pytest.approx(4.0)
    assert means(rig, "scraped", "error_rate")[0] == pytest.approx(0.2)
    assert means(rig, "scraped", "requests_per_s")[0] > 0


def test_a_page_that_does_not_come_is_counted_and_tried_again(rig):
    before = rig.door("scrape")["failures"]
    rig.page.status = 503
    rig.wait("a failure", lambda: rig.door("scrape")["failures"] > before)
    rig.page.status = 200
    pages = rig.door("scrape")["pages"]
    rig.wait("a page", lambda: rig.door("scrape")["pages"] > pages)


def test_an_access_log_becomes_latency_errors_and_throughput(rig):
    lines = []
    for second in range(0, 180):
        at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(FIRST + second))
        for i in range(4):
            status = 503 if i == 3 else 200
            lines.append(f'10.1.2.3 - - [{at}] "POST /v1/models/access:predict HTTP/1.1" {status}'
                         f' 118 "-" "curl" 0.0{i + 1}0 0.009 id{second}-{i}\n')
    (rig.files / "access.log").write_text("".join(lines))
    seen = rig.features("access", FIRST + 60 - FIRST % 60)
    assert seen["latency_ms", 3]["mean"] == pytest.approx(25)
    assert (seen["latency_ms", 3]["min"], seen["latency_ms", 3]["max"]) == (10, 40)
    assert seen["error", 3]["mean"] == pytest.approx(0.25)
    assert seen["requests_per_s", 3]["mean"] == pytest.approx(4)
    assert seen["requests_per_s", 3]["rows"] == 6
    assert rig.model("access")["observed"] == 0  # signals stand outside of the account


def test_a_monitor_of_bentoml_and_its_labels_become_rows_and_losses(rig):
    rows, labels = [], []
    for i in range(120):
        rows.append(json.dumps({"age": 20 + i % 10, "plan": "pro", "churn": 0.25,
                                "timestamp": stamp(i)[:-1] + ".5", "request_id": f"q{i}"}))
        labels.append(json.dumps({"rid": f"q{i}", "label": i % 2, "at": stamp(i + 60)}))
    (rig.files / "data.1.log").write_text("\n".join(rows) + "\n")
    rig.wait("the rows", lambda: rig.model("churn")["observed"] == 120)
    (rig.files / "labels.jsonl").write_text("\n".join(labels) + "\n")
    rig.wait("the labels", lambda: rig.model("churn")["labels"]["seen"] == 120)
    seen = rig.features("churn", FIRST)
    assert seen["age", 0]["mean"] == pytest.approx(24.5)
    assert seen["churn", 1]["mean"] == pytest.approx(0.25)
    assert seen["plan", 0]["rows"] == 60
    assert rig.model("churn")["labels"]["joined"] > 0


def test_statsd_lines_are_counted(rig):
    to = ("127.0.0.1", rig.door("statsd")["port"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"model.counted.latency:12.5|ms\nmodel.counted.latency:7.5|ms\n", to)
        s.sendto(b"no such thing", to)
        s.sendto(b"model.counted.requests:5|c", to)
    rig.wait("the lines", lambda: rig.door("statsd")["lines"] == 4)
    rig.wait("the signal", lambda: rig.model("counted")["features"] == 1)
    assert rig.door("statsd")["malformed"] == 1


@is_long
def test_statsd_counters_become_rates(rig):
    to = ("127.0.0.1", rig.door("statsd")["port"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"model.counted.latency:12.5|ms\nmodel.counted.latency:7.5|ms\n", to)
        until = time.monotonic() + 100
        while not (means(rig, "counted", "latency_ms") and means(rig, "counted", "requests_per_s")):
            assert time.monotonic() < until, rig.door("statsd")
            s.sendto(b"model.counted.requests:5|c|@0.5", to)
            time.sleep(0.1)
    assert means(rig, "counted", "latency_ms")[0] == pytest.approx(10)
    assert max(means(rig, "counted", "requests_per_s")) > 0
    door = rig.door("statsd")
    assert door["rates"] >= 1 and door["lost"] == 0


def otlp(name, kind, point):
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": name, kind: {"dataPoints": [point], "aggregationTemporality": 2}}]}]}]})


def test_histograms_and_totals_of_opentelemetry(rig):
    now = FIRST * NS
    begin = now - 1000 * NS  # of old: what came before the first look is not told
    for i, counts in enumerate(([1, 0, 0], [1, 10, 0], [1, 10, 30])):
        times = {"startTimeUnixNano": str(begin), "timeUnixNano": str(now + i * NS)}
        queue = dict(times, count=str(sum(counts)), sum=1.0, explicitBounds=[2, 4],
                     bucketCounts=[str(c) for c in counts])
        for body in (otlp("queue_s", "histogram", queue),
                     otlp("calls", "sum", dict(times, asInt=str(100 * i)))):
            assert rig.post("/v1/metrics", body) == (200, b"{}")
    for second in (3, 70):
        gauge = {"timeUnixNano": str(now + second * NS), "asDouble": 7.5}
        rig.post("/v1/metrics", otlp("depth", "gauge", gauge))
    seen = rig.features("told", FIRST)
    assert seen["depth", 3]["mean"] == pytest.approx(7.5)
    # 10 between 2 and 4, and 30 from 4 on; 100 calls a second.
    assert seen["queue_s", 3]["rows"] == 40
    assert seen["queue_s", 3]["mean"] == pytest.approx((10 * 3 + 30 * 4) / 40)
    assert seen["calls_per_s", 3]["mean"] == pytest.approx(100)


def test_a_process_and_its_cgroup(rig):
    group = rig.files / "cgroup"
    (group / "cpu.stat").write_text("usage_usec 1000\nnr_periods 10\nnr_throttled 1\n")
    (group / "memory.current").write_text(f"{64 << 20}\n")
    (group / "memory.events").write_text("low 0\noom_kill 0\n")
    busy = ["/usr/bin/python3", "-c", "import time\nwhile 1: time.sleep(.01)"]
    servers = [subprocess.Popen(busy)]
    try:
        (rig.files / "server.pid").write_text(f"{servers[0].pid}\n")
        rig.wait("a look", lambda: rig.door("probe")["pid"] == servers[0].pid)
        rig.wait("two looks", lambda: rig.model("probed")["features"] >= 10)
        if LONG:
            rig.wait("its figures", lambda: means(rig, "probed", "rss_mib"))
            assert 1 < means(rig, "probed", "rss_mib")[-1] < 500
            assert means(rig, "probed", "fds")[-1] >= 3
            assert means(rig, "probed", "cgroup.memory_mib")[-1] == pytest.approx(64)
        servers[0].kill()
        servers[0].wait()
        absences = rig.door("probe")["absences"]
        rig.wait("its absence", lambda: rig.door("probe")["absences"] > absences)
        servers.append(subprocess.Popen(busy))
        (rig.files / "server.pid").write_text(f"{servers[1].pid}\n")
        rig.wait("its return", lambda: rig.door("probe")["restarts"] == 1)
        rig.wait("recovery_s", lambda: rig.model("probed")["features"] >= 11)
        if LONG:
            rig.wait("the recovery", lambda: means(rig, "probed", "recovery_s"))
            assert means(rig, "probed", "recovery_s")[-1] > 0
            assert min(means(rig, "probed", "up")) < 1
            assert means(rig, "probed", "cpu")[0] >= 0
    finally:
        for s in servers:
            s.kill()
            s.wait()
