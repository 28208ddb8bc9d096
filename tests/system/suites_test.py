"""tests/suites.py: what it counts, and when it is content.

SPDX-License-Identifier: Apache-2.0
"""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import suites

JUNIT = """<testsuite>
<testcase name="a"/><testcase name="b" status="run"><system-out>x</system-out></testcase>
<testcase name="c"><failure/></testcase><testcase name="d"><error/></testcase>
<testcase name="e" status="fail"/><testcase name="f"><skipped/></testcase>
<testcase name="g" status="notrun"/>
</testsuite>"""


def test_counts_the_cases_of_a_report(tmp_path):
    report = tmp_path / "junit.xml"
    report.write_text(JUNIT)
    assert suites.count_junit(report, 1) == (2, 3, 2)


def test_a_runner_that_died_is_a_failure(tmp_path):
    report = tmp_path / "junit.xml"
    assert suites.count_junit(report, -11) == (0, 1, 0)
    report.write_text("<testsuite><testcase/>")
    assert suites.count_junit(report, 1) == (0, 1, 0)
    report.write_text("<testsuite><testcase/></testsuite>")
    assert suites.count_junit(report, 1) == (1, 1, 0)


def test_a_command_that_hangs_is_stopped_with_its_children():
    assert suites.run(["sh", "-c", "sleep 60 & wait"], 0.2) == -1


def outcome(monkeypatch, capsys, chosen, **results):
    table = {name: (None, lambda counts=counts: counts, "")
             for name, counts in results.items()}
    monkeypatch.setattr(suites, "SHORT", table)
    monkeypatch.setattr(suites, "LONG", {"slow": (None, lambda: (1, 0, 0), "")})
    monkeypatch.setattr(sys, "argv", ["tests/run", *chosen])
    code = suites.main()
    return code, capsys.readouterr().out.strip().split("\n")[-1]


@pytest.mark.parametrize("chosen, results, code, line", [
    ([], {"a": (2, 0, 0), "b": (3, 0, 1)}, 0, "5 passed, 0 failed"),
    ([], {"a": (2, 0, 0), "b": (3, 1, 0)}, 1, "5 passed, 1 failed"),
    ([], {"a": (2, 0, 0), "b": (0, 0, 0)}, 1, "2 passed, 1 failed"),
    ([], {"a": (2, 0, 0), "b": (0, 0, 5)}, 1, "2 passed, 1 failed"),
    (["a"], {"a": (2, 0, 0), "b": (0, 1, 0)}, 0, "2 passed, 0 failed"),
    (["--long"], {"a": (2, 0, 0)}, 0, "3 passed, 0 failed"),
    (["slow"], {"a": (2, 9, 0)}, 0, "1 passed, 0 failed"),
])
def test_the_closing_line_and_the_exit_code(monkeypatch, capsys, chosen, results, code,
                                            line):
    assert outcome(monkeypatch, capsys, chosen, **results) == (code, line)


def test_a_build_that_fails_is_a_failure_once_for_each_suite(monkeypatch, capsys):
    calls = []

    def make():
        calls.append(1)
        return False

    monkeypatch.setattr(suites, "SHORT", {"a": (make, None, ""), "b": (make, None, "")})
    monkeypatch.setattr(suites, "LONG", {})
    monkeypatch.setattr(sys, "argv", ["tests/run"])
    assert suites.main() == 1
    assert capsys.readouterr().out.strip().endswith("0 passed, 2 failed")
    assert calls == [1]


def test_an_unknown_suite_is_a_wrong_command_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tests/run", "nosuch"])
    with pytest.raises(SystemExit) as stop:
        suites.main()
    assert stop.value.code == 2
