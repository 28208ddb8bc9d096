"""packaging/setup: installs only what is missing, and refuses clearly when it may not.

apt-get, dpkg-query and id are stood in for by small scripts, so nothing is installed.

SPDX-License-Identifier: Apache-2.0
"""

import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).parents[2]

DPKG_QUERY = """#!/bin/sh
for last; do :; done
grep -qx "$last" {home}/installed && printf installed
"""
APT_GET = """#!/bin/sh
echo "$@" >> {home}/calls
case $1 in install) ;; *) exit 0 ;; esac
[ ! -e {home}/broken ] || exit 100
shift
for word; do
    case $word in -*|*=*) ;; *) [ -e {home}/lame ] || echo "$word" >> {home}/installed ;; esac
done
"""


class Machine:
    """A machine with a set of packages, run as root or not."""

    def __init__(self, home):
        self.home = home
        self.bin = home / "bin"
        self.bin.mkdir()
        self.calls = home / "calls"
        (home / "installed").write_text("")
        for name in ("dirname", "grep", "sh", "bash", "env", "cat", "id"):
            target = subprocess.run(["bash", "-c", f"type -P {name}"], check=True,
                                    capture_output=True, text=True).stdout.strip()
            (self.bin / name).symlink_to(target)
        self.script("dpkg-query", DPKG_QUERY)
        self.script("apt-get", APT_GET)
        self.user(0)

    def script(self, name, text):
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(text.format(home=self.home))
        path.chmod(0o755)

    def user(self, number):
        self.script("id", f"#!/bin/sh\necho {number}\n")

    def has(self, packages):
        (self.home / "installed").write_text("".join(f"{p}\n" for p in packages))

    def setup(self, *words):
        return subprocess.run(["bash", str(TOP / "packaging/setup"), *words],
                              env={"PATH": str(self.bin)}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def packages_of(part):
    """The packages of a part, as the script itself lists them."""
    text = (TOP / "packaging/setup").read_text()
    return [word.split("=")[0] for word in
            re.search(rf'^{part}="([^"]*)"', text, re.M)[1].split()]


def test_installs_everything_on_a_bare_machine(machine):
    done = machine.setup("build", "test")
    wanted = packages_of("build") + packages_of("test")
    assert done.returncode == 0, done.stderr
    assert "setup: installing with apt-get: " + " ".join(wanted) in done.stdout
    assert sorted((machine.home / "installed").read_text().split()) == sorted(wanted)


def test_says_what_it_installs_before_it_does(machine):
    machine.script("apt-get", "#!/bin/sh\necho APT \"$@\"\n")
    words = machine.setup().stdout
    assert words.index("setup: installing") < words.index("APT")


def test_installs_only_what_is_missing(machine):
    have = packages_of("build")
    machine.has([p for p in have if p != "cmake"])
    assert machine.setup("build").returncode == 0
    calls = machine.calls.read_text().split("\n")
    assert calls[1].endswith(" cmake")
    assert not any(f" {p}" in calls[1] for p in have if p != "cmake")


def test_touches_nothing_when_all_is_there(machine):
    machine.has(packages_of("build"))
    machine.user(1000)
    assert machine.setup("build").returncode == 0
    assert machine.setup().returncode == 0  # build is the default
    assert not machine.calls.exists()


def test_refuses_without_root_and_lists_the_packages(machine):
    machine.has([p for p in packages_of("build") if p not in ("gcc", "liblmdb-dev")])
    machine.user(1000)
    done = machine.setup("build")
    assert done.returncode == 1
    assert "    apt-get install --no-install-recommends gcc liblmdb-dev\n" in done.stderr
    assert not machine.calls.exists()


def test_fails_when_apt_fails(machine):
    (machine.home / "broken").touch()
    done = machine.setup("build")
    assert done.returncode == 1 and "apt-get failed" in done.stderr


def test_fails_when_apt_installed_nothing(machine):
    (machine.home / "lame").touch()
    done = machine.setup("build")
    assert done.returncode == 1 and "still missing: gcc" in done.stderr


def test_refuses_where_there_is_no_apt(machine):
    (machine.bin / "apt-get").unlink()
    done = machine.setup("build")
    assert done.returncode == 1 and "liblmdb-dev" in done.stderr


def test_takes_node_from_wherever_it_came(machine):
    machine.script("node", "#!/bin/sh\n")
    machine.script("npm", "#!/bin/sh\n")
    assert machine.setup("web").returncode == 0
    assert not machine.calls.exists()


def test_refuses_an_unknown_part(machine):
    done = machine.setup("bulid")
    assert done.returncode == 2 and "usage: packaging/setup" in done.stderr
    assert not machine.calls.exists()
