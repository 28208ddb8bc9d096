"""kedge-agent enroll: a host becomes known once, and only to the right fleet.

SPDX-License-Identifier: Apache-2.0
"""

import os
import stat
import subprocess
import time

import agent_rig
import pytest


@pytest.fixture
def fleet():
    one = agent_rig.Fleet()
    yield one
    one.close()


@pytest.fixture
def host(tmp_path, fleet):
    one = agent_rig.Host(tmp_path / "host", fleet)
    yield one
    one.kill_all()


def test_makes_its_keys_here_and_says_who_it_is(fleet, host):
    done = host.enroll()
    assert done.returncode == 0, done.stdout
    words = done.stdout.decode().split()
    assert words[0] == "enrolled" and words[1] == fleet.agent.hex()
    assert "host=h1" in words and "models=bike-*" in words
    keys = host.agent_folder / "keys"
    assert stat.S_IMODE(os.stat(keys).st_mode) == 0o700
    for name in ("curve.key", "sign.key"):
        assert stat.S_IMODE(os.stat(keys / name).st_mode) == 0o400
    assert not [f for f in os.listdir(host.agent_folder) if f.startswith(".enrol")]
    claim = fleet.claims[0]
    assert claim["host"] == "h1" and abs(claim["agent_time_ms"] / 1000 - time.time()) < 60
    check = subprocess.run([agent_rig.PROGRAM, "run", "--check", "--dir", host.agent_folder])
    assert check.returncode == 0  # the example agent.conf is good as it stands


def test_is_done_already_the_second_time(fleet, host):
    assert host.enroll().returncode == 0
    again = host.enroll()
    assert again.returncode == 0 and again.stdout.startswith(b"already enrolled")
    assert len(fleet.claims) == 1


def test_keeps_an_agent_conf_that_is_there(host):
    host.agent_folder.mkdir()
    (host.agent_folder / "agent.conf").write_text("# mine\n")
    assert host.enroll().returncode == 0
    assert (host.agent_folder / "agent.conf").read_text() == "# mine\n"


def test_a_crash_in_the_middle_ends_in_the_same_keys(fleet, host):
    fleet.drop_request = 1
    first = subprocess.Popen(
        [agent_rig.PROGRAM, "enroll", "--dir", host.agent_folder, "--host", "h1", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first.stdin.write(fleet.line().encode())
    first.stdin.close()
    fleet.wait("a request", lambda: fleet.claims)
    first.kill()
    first.wait()
    assert host.enroll().returncode == 0
    assert fleet.claims[0]["agent_curve"] == fleet.claims[1]["agent_curve"]
    assert fleet.claims[0]["agent_sign"] == fleet.claims[1]["agent_sign"]
    assert fleet.claims[0]["nonce"] != fleet.claims[1]["nonce"]


@pytest.mark.parametrize("left", [("keys",), ("keys", "roots"), ("keys", "roots", "host")])
def test_a_crash_while_it_goes_live_is_mended(fleet, host, left):
    """As if it had died between two renames: what had moved already stays."""
    assert host.enroll().returncode == 0
    staging = host.agent_folder / f".enrol-{fleet.token_id.hex()}"
    staging.mkdir(mode=0o700)
    for name in {"roots", "host", "grant"} - set(left):
        (host.agent_folder / name).rename(staging / name)
    done = host.enroll()
    assert done.returncode == 0, done.stdout
    assert len(fleet.claims) == 1 and not staging.exists()


def test_another_host_with_the_same_line_is_refused(fleet, host, tmp_path):
    assert host.enroll().returncode == 0
    thief = agent_rig.Host(tmp_path / "thief", fleet)
    done = thief.enroll()
    assert done.returncode == 1 and b"409 used" in done.stdout
    assert not (thief.agent_folder / "grant").exists()


def test_a_line_with_a_letter_wrong_is_refused_before_anything_is_sent(fleet, host):
    line = fleet.line()
    for at in list(range(0, len(line), 7)) + [len(line) - 1]:
        wrong = line[:at] + ("A" if line[at] != "A" else "B") + line[at + 1:]
        done = host.enroll(wrong)
        assert done.returncode == 1 and b"mistyped" in done.stdout
    assert host.enroll("").returncode == 1
    assert not fleet.claims and not (host.agent_folder / "keys").exists()


def test_a_door_with_other_roots_is_not_believed(fleet, host):
    fleet.keyring_seed = os.urandom(32)
    done = host.enroll()
    assert done.returncode == 1 and b"root keys" in done.stdout
    assert not fleet.claims  # it was told nothing


def test_a_grant_of_another_key_is_not_believed(fleet, host):
    fleet.grant_seed = os.urandom(32)
    done = host.enroll()
    assert done.returncode == 1 and b"not signed by this fleet" in done.stdout
    assert not (host.agent_folder / "grant").exists()


def test_gives_up_on_a_controller_that_does_not_answer(fleet, host):
    fleet.drop_request = 100
    begin = time.monotonic()
    done = host.enroll(timeout="300ms")
    assert done.returncode == 1 and b"no answer from tcp://" in done.stdout
    assert time.monotonic() - begin < 120
    fleet.drop_request = 0
    assert host.enroll().returncode == 0


def test_is_not_moved_to_another_fleet_by_accident(host):
    assert host.enroll().returncode == 0
    other = agent_rig.Fleet()
    done = host.enroll(other.line())
    other.close()
    assert done.returncode == 1 and b"another fleet" in done.stdout


def test_secrets_that_others_may_read_stop_the_agent(host):
    assert host.enroll().returncode == 0
    os.chmod(host.agent_folder / "keys" / "sign.key", 0o444)
    run = subprocess.run([agent_rig.PROGRAM, "run", "--dir", host.agent_folder],
                         stderr=subprocess.PIPE, timeout=120)
    assert run.returncode != 0 and b"chmod" in run.stderr
