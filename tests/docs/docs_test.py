"""The documentation holds: its links lead somewhere, its examples do what they say.

An example whose fence says `sh run` is run with bash in an empty folder, with the programs
in PATH; one that says `c compile` is compiled.

SPDX-License-Identifier: Apache-2.0
"""

import os
import re
import subprocess

import docs
import pytest

TOP = docs.TOP
PAGES = docs.pages()
BUILD = os.environ.get("KEDGE_BUILD", str(TOP / "build"))


def examples(kind):
    """Examples of one kind as parameters, each named by its page and its place there."""
    for path in PAGES:
        for number, (what, text) in enumerate(docs.split(path.read_text())[1], 1):
            if what == kind:
                yield pytest.param(text, id=f"{path.relative_to(TOP)}:{number}")


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(TOP)))
def test_links_lead_somewhere(path):
    assert docs.broken_links(path) == []


def test_every_page_can_be_reached_from_the_readme():
    found = docs.reachable(TOP / "README.md")
    lost = [str(path.relative_to(TOP)) for path in PAGES
            if path.is_relative_to(TOP / "docs") and path.resolve() not in found]
    assert lost == []


@pytest.mark.parametrize("text", examples("sh run"))
def test_example_runs(text, tmp_path):
    env = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=tmp_path, env=env,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", examples("c compile"))
def test_example_compiles(text, tmp_path):
    source = tmp_path / "example.c"
    source.write_text(text)
    done = subprocess.run(["gcc", "-std=c17", "-Wall", "-Wextra", "-Werror",
                           "-fsyntax-only", f"-I{TOP}", str(source)],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def readme_commands():
    """The first word of each line in the README's examples that names a file here."""
    for kind, text in docs.split((TOP / "README.md").read_text())[1]:
        for line in text.split("\n") if kind.startswith("sh") else []:
            word = re.match(r"(packaging|tests)/\S+", line)
            if word:
                yield word[0]


def test_the_readme_names_programs_that_exist():
    commands = list(readme_commands())
    assert commands[:2] == ["packaging/demo", "tests/run"]
    for command in commands:
        assert os.access(TOP / command, os.X_OK), command


def test_the_first_screen_says_it_all():
    first = (TOP / "README.md").read_text().split("\n")[:24]
    assert any("packaging/demo" in line for line in first)
    assert any("tests/run" in line for line in first)


def test_usage_is_where_the_readme_says():
    """Each program of the README tells its own usage in its head."""
    for command in set(readme_commands()):
        head = "\n".join((TOP / command).read_text().split("\n")[:12])
        assert f"usage: {command}" in head, command


# The finders find: what they are for is tried on pages that are wrong.

def page(tmp_path, name, text):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_finds_a_broken_link(tmp_path):
    page(tmp_path, "b.md", "# One thing\n## One thing\n```\n# no heading\n```\n")
    path = page(tmp_path, "a.md", "[b](b.md) [c](c.md) [d](b.md#one-thing) `[x](x.md)`\n"
                                  "[e](b.md#one-thing-1) [f](b.md#no-heading)\n"
                                  "[g](https://example.org/x) [h](#nowhere)\n")
    assert docs.broken_links(path) == ["a.md: there is no c.md",
                                       "a.md: b.md has no heading #no-heading",
                                       "a.md: a.md has no heading #nowhere"]


def test_finds_a_lost_page(tmp_path):
    start = page(tmp_path, "README.md", "[a](docs/a.md)\n")
    page(tmp_path, "docs/a.md", "[back](../README.md)\n")
    page(tmp_path, "docs/lost.md", "nobody\n")
    assert {path.name for path in docs.reachable(start)} == {"README.md", "a.md"}


def test_finds_examples_and_open_fences():
    text = "a\n```sh run\ntrue\n```\nb\n````c compile\n```\n````\n"
    assert docs.split(text) == ("a\nb\n", [("sh run", "true\n"), ("c compile", "```\n")])
    with pytest.raises(ValueError, match="without its end"):
        docs.split("```sh\ntrue\n")
