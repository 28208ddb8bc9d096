"""The page on security, held to the tests that it names, and the units to their rating.

SPDX-License-Identifier: Apache-2.0
"""

import re
import shutil
import subprocess

import pytest
import rig

UNITS = sorted((rig.TOP / "packaging" / "systemd").glob("*.service"))


def test_every_test_that_the_page_names_is_there():
    rows = (rig.TOP / "docs" / "security.md").read_text().splitlines()
    named = {name for row in rows if row.startswith("| ")
             for name in re.findall(r"\b[a-z0-9]+(?:_[a-z0-9]+){3,}\b", row.split("|")[3])}
    assert len(named) > 30
    sources = "".join(p.read_text() for p in (rig.TOP / "tests").rglob("*_test.*")
                      if p.suffix in (".py", ".c"))
    missing = [n for n in named if not re.search(r"(def|void) %s\(|CASE\(%s\)" % (n, n),
                                                 sources)]
    assert missing == []


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda u: u.name)
def test_a_unit_gives_away_no_more_than_it_must(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", unit],
                          capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout + done.stderr)
    assert found and float(found[1]) <= 1.2, done.stdout[-2000:]
