"""Who may ask what: every role against every verb, and people bound to some models.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import subprocess

import pytest
import rig
import zmq
from zmq.utils import z85

# A few verbs of each kind over the wire: who may. The whole table is a unit test.
EVERYBODY = {"viewer", "operator", "approver", "admin", "auditor"}
TABLE = {
    "model.list": EVERYBODY, "event.record": {"operator", "approver", "admin"},
    "rollback.resume": {"approver", "admin"}, "audit.verify": {"admin", "auditor"},
    "agent.approve": {"admin"}, "agent.note": set(),
}


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    c = rig.Controller(tmp_path_factory.mktemp("rights") / "controller").start()
    yield c
    c.kill()


def person(controller, name, role, **more):
    pair = zmq.curve_keypair()
    controller.operator().must("operator.add", name=name, role=role,
                               curve=z85.decode(pair[0]).hex(), **more)
    return rig.Operator(controller, pair=pair)


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_role_may_what_the_table_says_and_nothing_else(controller, role):
    who = person(controller, "one-" + role, role)
    for verb, roles in TABLE.items():
        # Without arguments what is allowed is then refused for want of them, or done.
        code, said = who.ask(verb, timeout=60)
        is_denied = code == 4
        assert is_denied == (role not in roles), (role, verb, code, said)


def test_an_unknown_verb_and_a_foreign_key_get_nothing(controller):
    who = person(controller, "curious", "operator")
    assert who.ask("shelf.dump", timeout=60)[0] == 4
    stranger = rig.Dealer(controller.endpoint("op"), controller.key("op"))
    stranger.send(*rig.pack("kedge.query.v1", {"id": 1, "verb": "fleet.status",
                                               "args": {}, "blob": b""}))
    assert stranger.take(1) is None


def test_who_is_bound_to_models_must_name_one_of_them(controller):
    admin = controller.operator()
    for model in ("credit-a", "fraud-b"):
        admin.must("model.add", model=model)
    who = person(controller, "bound", "operator", models="credit-*")
    assert who.must("model.show", model="credit-a")["model"] == "credit-a"
    other = who.ask("model.show", model="fraud-b", timeout=60)
    nothing = who.ask("model.show", model="fraud-nowhere", timeout=60)
    assert other == nothing and other[0] == 3  # it does not tell that it exists
    assert who.ask("fleet.status", timeout=60)[0] == 3
    assert who.ask("model.list", timeout=60)[0] == 3
    assert who.ask("rollback.plan", model="fraud-b", timeout=60)[0] == 3


def test_a_person_goes_at_once_and_the_log_says_who_did_it(controller):
    who = person(controller, "leaver", "viewer")
    assert who.must("model.list", timeout=60)["models"] is not None
    admin = controller.operator()
    admin.must("operator.revoke", name="leaver")
    try:
        code, _ = who.ask("model.list", timeout=2)
        assert code == 4
    except TimeoutError:
        pass  # the connection itself was cut
    events = [leaf["event"] for leaf in admin.must("audit.log")["log"]]
    assert "operator.add" in events and "operator.revoke" in events


def kedge(controller, *words):
    env = dict(os.environ, KEDGE_CONFIG=str(controller.folder / "kedge.conf"))
    done = subprocess.run([rig.BUILD / "kedge", *words, "-o", "json"], env=env,
                          capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def test_kedge_makes_the_key_and_lets_the_person_in(controller):
    code, out, err = kedge(controller, "user", "add", "ines", "--role", "viewer")
    assert code == 0, err
    key = controller.folder / "operators" / "ines.key"
    assert key.stat().st_mode & 0o777 == 0o400
    assert rig.Operator(controller, "ines").must("model.list", timeout=60) is not None
    code, out, _ = kedge(controller, "user", "list")
    rows = {o["name"]: o for o in json.loads(out)["operators"]}
    assert rows["ines"]["role"] == "viewer" and rows["admin"]["role"] == "admin"
    assert kedge(controller, "user", "add", "ines", "--role", "viewer")[0] == 6
    code, _, err = kedge(controller, "user", "add", "max", "--role", "emperor")
    assert code == 2 and not (controller.folder / "operators" / "max.key").exists()
    assert kedge(controller, "user", "revoke", "ines", "--yes")[0] == 0
