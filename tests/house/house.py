"""House: reads the tree and finds what breaks its rules.

usage: house.py [TOP]      prints "path:line: what" for each finding; exit code 1 if any

The rules: floors and rooms (a file includes downwards or from its own folder), libraries
that stay in their rooms, no circles, no umbrella headers, sizes of files, functions and
CMakeLists.txt, heads of files, a fixed top level, no open ends, no paths of one machine,
and no clock in the rooms whose results must be the same tomorrow.

SPDX-License-Identifier: Apache-2.0
"""

import pathlib
import re
import sys

FLOORS = ("agent", "common", "controller", "proto")
TOP_LEVEL = {"agent", "common", "controller", "docs", "packaging", "proto", "tests",
             "CMakeLists.txt", "LICENSE", "README.md"}
FILE_LINES, FUNCTION_LINES, CMAKE_LINES = 600, 80, 40
LICENCE = "SPDX-License-Identifier: Apache-2.0"

# Rooms below, for each room of common and proto; a room may always include itself.
BELOW = {
    "common/base": (),
    "common/sketch": ("common/base",),
    "common/drift": ("common/base", "common/sketch"),
    "common/trust": ("common/base",),
    "common/setup": ("common/base",),
    "proto": ("common",),
    "proto/messages": ("proto", "common"),
}

# The contract ground of the controller: what its rooms may know of each other.
CONTRACT = "controller/log"
# Rooms that include nothing else of their floor, not even that.
STRANGERS = ("controller/cli",)

# Library headers, and where they may be included. "agent/*" is a file lying in agent/.
LIBRARIES = [
    (r"lmdb\.h", ("controller/store",)),
    (r"openssl/", ("common/trust",)),
    (r"confuse\.h", ("common/setup",)),
    (r"json-c/|json\.h", ("agent/act", "agent/intake", "controller/cli", "controller/*")),
    (r"c?zmq\.h", ("agent/link", "controller/gate", "controller/cli", "agent/*",
                   "controller/*")),
    (r"msgpack", ("proto", "proto/messages")),
    (r"zlib\.h", ("controller/*", "agent/intake")),
    (r"microhttpd\.h", ("controller/api", "agent/intake")),
    (r"curl/", ("agent/act", "controller/watch")),
    (r"libpq", ("controller/log",)),
]
SYSTEM = re.compile(
    r"(sys|linux|net|netinet|arpa|asm|bits)/|"
    r"(assert|ctype|dirent|dlfcn|endian|errno|fcntl|float|fnmatch|getopt|glob|grp|inttypes|"
    r"iconv|libgen|limits|locale|malloc|math|netdb|poll|pthread|pwd|regex|sched|semaphore|setjmp|"
    r"signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|"
    r"stdnoreturn|string|strings|syslog|termios|threads|time|tgmath|ucontext|unistd|utime|"
    r"wchar|wctype|emmintrin|immintrin)\.h$")

# Rooms whose results are recomputed later to the same bits.
PURE = ("common/sketch", "common/drift", "proto", "proto/messages", "controller/fold",
        "controller/watch")
IMPURE = re.compile(r"\b(clock_\w+_ns|clock_gettime|gettimeofday|time|random_os|"
                    r"random_os_bytes|rand|getrandom)\s*\(")
BANNED = re.compile(r"\b(gets|sprintf|vsprintf|strtok|alloca|tmpnam|mktemp|setlocale)\s*\(")

# Spelt in pieces, or this file would find itself.
OPEN_END = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b(?!\(#\d+\))")
PLACES = re.compile("(?<![\\w.])/(" + "work|home|root)/|\\.\\./" + "shared/|"
                    + "npm" + "js\\.(org|com)")
TEXT_ENDINGS = {".c", ".h", ".py", ".md", ".txt", ".cmake", ".sh", ".json", ".conf", ".in",
                ".service", ".js", ".css", ".html", ".yaml", ".yml", ""}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class Tree:
    """The files of the tree, read once, as lines."""

    def __init__(self, top):
        self.top = pathlib.Path(top)
        self.lines = {}
        for path in sorted(self.top.rglob("*")):
            name = path.relative_to(self.top).as_posix()
            if is_ours(name) and path.is_file() and not path.is_symlink():
                text = read(path)
                if text is not None:
                    self.lines[name] = text.split("\n")

    def sources(self, *endings):
        """The C files of the floors."""
        return [name for name in self.lines
                if name.split("/")[0] in FLOORS and name.endswith(endings or (".c", ".h"))]


def is_ours(name):
    parts = name.split("/")
    return not (parts[0] == ".git" or re.match(r"build(-|$)", parts[0])
                or "node_modules" in parts or "__pycache__" in parts
                or ".pytest_cache" in parts)


def read(path):
    """The text of a file; None for what is no text (data, corpora)."""
    if path.suffix not in TEXT_ENDINGS or "corpus" in path.parts:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def room_of(name):
    """The folder that a C file counts for: agent/intake, common/base, proto, agent/*."""
    parts = name.split("/")[:-1]
    if len(parts) == 1 and parts[0] in ("agent", "controller"):
        return parts[0] + "/*"
    if parts[0] == "proto":
        return "/".join(parts[:2])
    return "/".join(parts[:2])


def is_below(room, other):
    """May a file of `room` include one of `other`?"""
    if room == other:
        return True
    floor, other_floor = room.split("/")[0], other.split("/")[0]
    if room in BELOW:
        return any(other == low or other.startswith(low + "/") for low in BELOW[room])
    if floor not in ("agent", "controller"):
        return False  # a folder of common or proto that no rule knows
    if other_floor in ("proto", "common"):
        return True
    if room == floor + "/*":
        return other_floor == floor and other != room or other == room
    return other == CONTRACT and floor == "controller" and room not in STRANGERS


def includes(tree, name):
    """(line number, is it ours, path) of each include."""
    for number, line in enumerate(tree.lines[name], 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1] == '"', match[2]


def check_includes(tree):
    for name in tree.sources():
        room = room_of(name)
        if room not in BELOW and not room.startswith(("agent/", "controller/")):
            yield name, 1, f"{room} is no room that the house knows"
        for number, is_our, path in includes(tree, name):
            if not is_our:
                yield from check_library(name, number, room, path)
            elif path not in tree.lines:
                yield name, number, f'"{path}" is no path from the repository\'s root'
            elif not is_below(room, room_of(path)):
                yield name, number, f"{room} may not look into {room_of(path)} ({path})"


def check_library(name, number, room, path):
    if SYSTEM.match(path):
        return
    for pattern, rooms in LIBRARIES:
        if re.match(pattern, path):
            if room not in rooms:
                yield name, number, f"<{path}> outside its rooms: {', '.join(rooms)}"
            return
    yield name, number, f"<{path}> belongs to no library that the house knows"


def check_circles(tree):
    """Headers that include each other, by a walk with colours."""
    state, found = {}, []

    def visit(name, trail):
        state[name] = "open"
        for number, is_our, path in includes(tree, name):
            if not is_our or path not in tree.lines:
                continue
            if state.get(path) == "open":
                circle = " -> ".join([*trail[trail.index(path):], path])
                found.append((name, number, f"a circle of includes: {circle}"))
            elif path not in state:
                visit(path, [*trail, path])
        state[name] = "done"

    for name in tree.sources(".h"):
        if name not in state:
            visit(name, [name])
    return found


def check_own_header(tree):
    for name in tree.sources(".c"):
        own = name[:-2] + ".h"
        ours = [path for _, is_our, path in includes(tree, name) if is_our]
        everything = [path for _, _, path in includes(tree, name)]
        if own in tree.lines and own in ours and everything[0] != own:
            yield name, 1, f'the first include is not its own "{own}"'


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def check_umbrella(tree):
    for name in tree.sources(".h"):
        text = without_comments("\n".join(tree.lines[name]))
        code = [line for line in text.split("\n")
                if line.strip() and not line.lstrip().startswith("#")]
        macros = re.search(r"^\s*#\s*define\s+\w+[ (]", text, re.M)
        if not code and not macros:
            yield name, 1, "an umbrella: it declares nothing, it only includes"


def check_heads(tree):
    for name in tree.lines:
        lines = tree.lines[name]
        is_c = name.endswith((".c", ".h"))
        is_script = lines[0].startswith("#!") or name.endswith(".py")
        if (is_c or is_script) and not any(LICENCE in line for line in lines[:30]):
            yield name, 1, f"no line {LICENCE}"
        # A source whose header lies beside it says there what it is for.
        if is_c and not (name.endswith(".c") and name[:-2] + ".h" in tree.lines):
            yield from check_sentence(name, lines)
    for name in tree.sources(".h"):
        if name.endswith("_template.h"):
            continue  # included more than once, by its nature
        guard = "KEDGE_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()
        text = "\n".join(tree.lines[name])
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield name, 1, f"no include guard {guard}"


def check_sentence(name, lines):
    comment = []
    for line in lines:
        if not line.startswith("// ") or LICENCE in line:
            break
        comment.append(line[3:])
    if not re.search(r"[\w)\]\"'][.!?](\s|$)", " ".join(comment)):
        yield name, 1, "the first line is no sentence that says what the file is for"


def functions(lines):
    """(first line, lines) of each function: its brace stands alone in column 0."""
    for at, line in enumerate(lines):
        if line != "{":
            continue
        first = at
        while first > 0 and lines[first - 1] and lines[first - 1][0] not in "#/};":
            first -= 1
        end = next((i for i in range(at, len(lines)) if lines[i].startswith("}")), at)
        yield first + 1, end - first + 1


def check_sizes(tree):
    for name in tree.sources():
        lines = tree.lines[name]
        if len(lines) - 1 > FILE_LINES:
            yield name, 1, f"{len(lines) - 1} lines; {FILE_LINES} are the ceiling"
        for first, size in functions(lines):
            if size > FUNCTION_LINES:
                yield name, first, (f"a function of {size} lines; {FUNCTION_LINES} are "
                                    "the ceiling")
    for name, lines in tree.lines.items():
        if name.endswith("CMakeLists.txt") and len(lines) - 1 > CMAKE_LINES:
            yield name, 1, f"{len(lines) - 1} lines; {CMAKE_LINES} are the ceiling"


def check_top_level(tree):
    for path in sorted(tree.top.iterdir()):
        if path.name not in TOP_LEVEL and path.name[0] != "." and is_ours(path.name):
            yield path.name, 1, "nothing is added at the top level"


def check_words(tree):
    for name, lines in tree.lines.items():
        for number, line in enumerate(lines, 1):
            if OPEN_END.search(line):
                yield name, number, "an open end that names no issue, like (#12)"
            if PLACES.search(line):
                yield name, number, "a path or host of one machine"


def check_calls(tree):
    for name in tree.sources():
        is_pure = room_of(name) in PURE
        for number, line in enumerate(tree.lines[name], 1):
            code = re.sub(r'//.*|"(\\.|[^"\\])*"', "", line)
            match = BANNED.search(code)
            if match:
                yield name, number, f"{match[1]}() is banned"
            match = is_pure and IMPURE.search(code)
            if match:
                yield name, number, (f"{match[1]}() in {room_of(name)}, whose results "
                                     "must be the same tomorrow")


RULES = (check_includes, check_circles, check_own_header, check_umbrella, check_heads,
         check_sizes, check_top_level, check_words, check_calls)


def check(top):
    """All findings, as (path, line, what)."""
    tree = Tree(top)
    return [finding for rule in RULES for finding in rule(tree)]


def share_of_functions(top):
    """(how many functions, the share of at most 15 lines, of at most 60)."""
    tree = Tree(top)
    sizes = [size for name in tree.sources(".c") for _, size in functions(tree.lines[name])]
    count = len(sizes)
    if count == 0:
        return 0, 1.0, 1.0
    return count, sum(s <= 15 for s in sizes) / count, sum(s <= 60 for s in sizes) / count


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
    findings = check(top)
    for path, line, what in findings:
        print(f"{path}:{line}: {what}")
    count, brief, fair = share_of_functions(top)
    print(f"{count} functions: {brief:.0%} of at most 15 lines, {fair:.1%} of at most 60; "
          f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
