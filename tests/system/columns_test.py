"""Columns: what is personal stays on the host, and what changes is told by name.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import re
import socket
import subprocess

import agent_rig
import client_test
import pytest
import rig

PLANTED = ["erika.mustermann@example.org", "Mustermann", "DE44500105175407324931",
           "+49 151 23456789", "4711-0815", "Hauptstrasse 17", "hypertension"]
CONF = """
door unix { path = "agent.sock" }
door lane { path = "lane.sock" }
door log { kind = tail  path = "rows.log"  model = "bike-demand" }
"""


@pytest.fixture
def pair(tmp_path):
    fleet, host = agent_rig.running(tmp_path / "host", extra=CONF)
    fleet.wire = []
    yield fleet, host
    host.kill_all()
    fleet.close()


def row(i, **features):
    """A row with everything that a careless server would put into it."""
    return {"model": agent_rig.MODEL, "version": "v2", "ts": 1341100800 + i * 60,
            "id": f"4711-0815/{i % 3}", "prediction": i % 24, "features": {
                "hr": i % 24, "mail": "erika.mustermann@example.org",
                "iban": "DE44500105175407324931", "phone": "+49 151 23456789",
                "note": "Frau Mustermann from Hauptstrasse 17 has a hypertension " * 3,
                **features}}


LANE = """
import kedge
model = kedge.Model("bike-demand", "v2", inputs={"mail": "category", "note": "text",
                                                 "hr": "number"})
for i in range(300):
    model.observe({"mail": "erika.mustermann@example.org", "hr": i % 24,
                   "note": "Frau Mustermann, Hauptstrasse 17, +49 151 23456789"},
                  prediction=1.0, id="4711-0815", time=1341100800 + (600 + i) * 60)
model.label("4711-0815", 3)
"""


def test_planted_personal_data_is_not_on_the_wire(pair):
    fleet, host = pair
    def counted(rows):
        fleet.wait(f"{rows} rows",
                   lambda: host.status()["intake"]["models"][0]["observed"] >= rows, 60)

    def lines(first):
        return "".join(json.dumps(row(first + i)) + "\n" for i in range(300))

    (host.agent_folder / "rows.log").write_text(lines(0))
    counted(300)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(host.agent_folder / "agent.sock"))
        s.sendall(lines(300).encode())
        # A label, a line that is none, and a column whose name is new.
        s.sendall(json.dumps({"model": agent_rig.MODEL, "id": "4711-0815/1",
                              "ts": 1341100800 + 599 * 60, "label": 5}).encode() + b"\n")
        s.sendall(b'{"model":"bike-demand","mail":"erika.mustermann@example.org\n')
    counted(601)  # the line that is none among them
    subprocess.run(["/usr/bin/python3", "-c", LANE], check=True, env={
        **os.environ, "KEDGE_SOCKET": str(host.agent_folder / "lane.sock"),
        "KEDGE_LIBRARY": str(agent_rig.BUILD / "libkedge.so.1"),
        "PYTHONPATH": str(client_test.PACKAGE)})
    counted(901)
    host.feed(4, first=1341100800 + 8 * 86400)  # one row alone would be taken for a slip
    fleet.wait("the windows", lambda: fleet.windows
               and host.status()["spool"]["entries"] == 0, 60)
    assert sum(w["rows"] for w in fleet.windows) >= 900
    names = {f["name"] for w in fleet.windows for f in w.get("features", ())}
    assert {"mail", "note.chars", "prediction", "hr"} <= names
    host.stop()
    told = b"\n".join(fleet.wire)
    # What lies on the disk meanwhile leaves with a backup of the host.
    kept = b"".join(p.read_bytes() for p in host.agent_folder.rglob("*")
                    if p.is_file() and p.name != "rows.log")
    assert len(told) > 10000 and len(kept) > 10000
    for secret in PLANTED:
        for text in {secret, secret.lower(), secret.upper(), secret.split()[0]}:
            found = re.search(re.escape(text.encode()), told)
            assert not found, f"{text} is on the wire"
            assert text.encode() not in kept, f"{text} is on the disk"


def test_a_category_travels_in_clear_when_it_is_listed(pair):
    fleet, host = pair
    conf = host.agent_folder / "agent.conf"
    conf.write_text(conf.read_text().replace(
        "executor =", 'reveal = {"season"}  executor =', 1))
    assert host.stop() == 0
    host.start()
    fleet.wait("the door", host.is_listening)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(host.agent_folder / "agent.sock"))
        for i in range(130):
            s.sendall(json.dumps(row(i, season="springtime")).encode() + b"\n")
    fleet.wait("a window", lambda: fleet.windows)
    told = b"\n".join(fleet.wire)
    assert b"springtime" in told and b"erika" not in told


def test_a_changed_schema_reaches_the_operator_and_can_be_accepted(tmp_path):
    controller = rig.Controller(tmp_path / "c").start()
    host = client_test.Host(controller, tmp_path / "h")
    (host.folder / "agent.conf").write_text(
        'model "bike-demand" { window = "1h"  lateness = "0s" }\n')
    host.start()

    def feed(first, count, **more):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(host.folder / "agent.sock"))
            for i in range(count):
                features = {"hr": i % 24, "season": f"s{i % 4}", **more}
                s.sendall(json.dumps({
                    "model": "bike-demand", "version": "v2", "features": features,
                    "ts": 1341100800 + (first + i) * 6, "prediction": 1.5}).encode() + b"\n")

    feed(0, 1200)
    feed(1200, 1200, colour="red")
    operator = controller.operator()

    def changes():
        events = operator.must("event.list")["events"]
        return [e for e in events if e["kind"] == "schema_changed"]

    client_test.wait_for(changes, 60)
    assert "added: column colour of version v2 is new" in changes()[0]["text"]
    assert changes()[0]["model"] == "bike-demand" and changes()[0]["host"] == "h"
    done = subprocess.run([rig.BUILD / "kedge-agent", "accept", "--dir", host.folder,
                           "bike-demand"], check=True, capture_output=True)
    assert json.loads(done.stdout)["accepted"]
    feed(2400, 1300, colour="red")

    def columns():
        schema = host.account()["schema"]
        return schema["state"] == "frozen" and [c["name"] for c in schema["columns"]]

    assert "colour" in client_test.wait_for(columns, 60)
    assert len(changes()) == 1
    host.stop()
    controller.stop()


