"""Server: a model server in Python (http.server, threads), which observes.

usage: server.py [observe]   prints its port; a line on stdin asks for the figures

SPDX-License-Identifier: Apache-2.0
"""

import http.server
import sys
import threading

NAMES = [f"f{i}" for i in range(20)]
model = None
if len(sys.argv) > 1:
    import kedge
    model = kedge.Model("bike-demand", "v2", inputs=NAMES)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one packet an answer; two of them wait for each other
    disable_nagle_algorithm = True
    turn = 0

    def do_GET(self):
        Handler.turn += 1
        row = [float((Handler.turn + i) % 97) for i in range(20)]
        answer = sum(row)
        if model:
            model.observe(row, answer)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
for _ in sys.stdin:
    told = model.stats() if model else None
    print(told.observed if told else 0, told.dropped if told else 0, flush=True)
