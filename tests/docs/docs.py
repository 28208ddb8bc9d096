"""Docs: finds the links and the examples in the tree's Markdown.

SPDX-License-Identifier: Apache-2.0
"""

import pathlib
import re

TOP = pathlib.Path(__file__).parents[2]
SKIPPED = {"node_modules", ".git", ".pytest_cache"}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```+)[ \t]*([^\n`]*)$")


def pages(top=TOP):
    """Every Markdown page of the tree, in order."""
    found = []
    for path in sorted(pathlib.Path(top).rglob("*.md")):
        parts = path.relative_to(top).parts
        if not (set(parts) & SKIPPED or parts[0] == "build" or parts[0].startswith("build-")):
            found.append(path)
    return found


def split(text):
    """(the text without its examples, [(what the fence says, the example)])."""
    prose, examples, inside, mark, kind = [], [], None, "", ""
    for line in text.split("\n"):
        match = FENCE.match(line)
        if inside is None and match:
            inside, mark, kind = [], match[1], match[2].strip()
        elif inside is not None and line.strip() == mark:
            examples.append((kind, "\n".join(inside) + "\n"))
            inside = None
        elif inside is not None:
            inside.append(line)
        else:
            prose.append(line)
    if inside is not None:
        raise ValueError("a fence without its end")
    return "\n".join(prose), examples


def anchors(text):
    """The names that a page's headings can be linked by, as GitHub makes them."""
    names, seen = set(), {}
    for line in split(text)[0].split("\n"):
        match = re.match(r"#{1,6}\s+(.*)$", line)
        if match:
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).strip().lower()
            name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            again = seen.get(name, 0)
            seen[name] = again + 1
            names.add(f"{name}-{again}" if again else name)
    return names


def links(path):
    """(target, anchor) of each link of a page that stays in the tree."""
    prose = re.sub(r"`[^`\n]*`", "", split(path.read_text())[0])
    for target in LINK.findall(prose):
        if not re.match(r"[a-z]+:", target):
            name, _, anchor = target.partition("#")
            yield (path.parent / name).resolve() if name else path.resolve(), anchor


def broken_links(path):
    """What is wrong with the links of a page, one text each."""
    found = []
    for target, anchor in links(path):
        if not target.exists():
            found.append(f"{path.name}: there is no {target.name}")
        elif anchor and anchor not in anchors(target.read_text()):
            found.append(f"{path.name}: {target.name} has no heading #{anchor}")
    return found


def reachable(start):
    """All pages that a reader who begins at `start` can come to."""
    seen, ahead = set(), [start.resolve()]
    while ahead:
        path = ahead.pop()
        if path in seen:
            continue
        seen.add(path)
        ahead += [target for target, _ in links(path)
                  if target.suffix == ".md" and target.exists()]
    return seen
