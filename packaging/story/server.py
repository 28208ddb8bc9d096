#!/usr/bin/python3
# The demo's model server: evaluates the model behind a symlink and reports to the agent.
#
# SPDX-License-Identifier: Apache-2.0
"""Usage: server.py --root HOST --agent SOCKET [--port N]

Serves the model in HOST/current (a symlink to HOST/versions/vN). SIGHUP loads it anew.
  POST /predict  {"id", "ts", "hr", "workingday", ...}  ->  {"prediction", "version"}
  POST /truth    {"id", "ts", "label"}                  ->  {}
  GET  /health                                          ->  {"version", "reported", ...}
Every prediction and every truth becomes one JSON line on the agent's socket. Serving never
waits for the agent: while it is away up to 20,000 lines are kept, then the oldest go and
are counted.
"""
import argparse
import collections
import http.server
import json
import os
import signal
import socket
import sys
import threading

import train

KEPT_LINES = 20000


class Model:
    """The version that is served now."""

    def __init__(self, root):
        self.root = root
        self.lock = threading.Lock()
        self.load()

    def load(self):
        target = os.path.realpath(os.path.join(self.root, "current"))
        with open(os.path.join(target, "model.json")) as f:
            found = json.load(f)
        with self.lock:
            self.version = found["version"]
            self.weights = found["weights"]
            self.hour_offset = found["hour_offset"]

    def predict(self, row):
        with self.lock:
            value = train.predict(self.weights, row, self.hour_offset)
            return value, self.version


class Reporter(threading.Thread):
    """Sends lines to the agent's socket, in order, over its restarts."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.lines = collections.deque()
        self.ready = threading.Condition()
        self.reported = 0
        self.dropped = 0

    def put(self, record):
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        with self.ready:
            if len(self.lines) >= KEPT_LINES:
                self.lines.popleft()
                self.dropped += 1
            self.lines.append(line)
            self.ready.notify()

    def run(self):
        link = None
        while True:
            with self.ready:
                while not self.lines:
                    self.ready.wait()
                line = self.lines[0]
            try:
                if link is None:
                    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                    link.connect(self.path)
                link.sendall(line)
            except OSError:
                if link is not None:
                    link.close()
                link = None
                threading.Event().wait(0.05)
                continue
            with self.ready:
                if self.lines and self.lines[0] is line:
                    self.lines.popleft()
                self.reported += 1


def handler_of(model, reporter):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *args):
            pass

        def answer(self, code, body):
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            self.answer(200, {"version": model.version, "pid": os.getpid(),
                              "reported": reporter.reported,
                              "waiting": len(reporter.lines),
                              "dropped": reporter.dropped})

        def do_POST(self):
            size = int(self.headers.get("Content-Length", 0))
            row = json.loads(self.rfile.read(size))
            if self.path == "/truth":
                reporter.put({"model": "bike-demand", "id": row["id"],
                              "ts": row["ts"], "label": row["label"]})
                self.answer(200, {})
                return
            value, version = model.predict(row)
            features = {name: row[name] for name in train.INPUTS}
            reporter.put({"model": "bike-demand", "version": version,
                          "id": row["id"], "ts": row["ts"], "features": features,
                          "prediction": round(value, 4)})
            self.answer(200, {"prediction": value, "version": version})

    return Handler


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--root", required=True)
    args.add_argument("--agent", required=True)
    args.add_argument("--port", type=int, default=0)
    args = args.parse_args()

    model = Model(args.root)
    signal.signal(signal.SIGHUP, lambda *_: model.load())
    reporter = Reporter(args.agent)
    reporter.start()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", args.port),
                                             handler_of(model, reporter))
    server.daemon_threads = True
    for name, text in (("server.port", server.server_address[1]),
                       ("server.pid", os.getpid())):
        whole = os.path.join(args.root, name)
        with open(whole + ".new", "w") as f:
            f.write("%d\n" % text)
        os.replace(whole + ".new", whole)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
