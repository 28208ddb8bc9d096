"""The house's rules hold here, and each of them finds what it is meant to find.

SPDX-License-Identifier: Apache-2.0
"""

import pathlib

import house
import pytest

TOP = pathlib.Path(__file__).parents[2]
LICENCE = "// SPDX-License-Identifier: " + "Apache-2.0\n"


def header(path, body="int one(void);\n", first="// One: it says what it is for.\n"):
    guard = "KEDGE_" + path.upper().replace("/", "_").replace(".", "_")
    return f"{first}//\n{LICENCE}#ifndef {guard}\n#define {guard}\n\n{body}\n#endif\n"


def source(body="int one(void)\n{\n    return 1;\n}\n"):
    return f"// One: it says what it is for.\n//\n{LICENCE}{body}"


def function(lines):
    return "int long_one(void)\n{\n" + "    one();\n" * (lines - 3) + "}\n"


# A small tree that keeps every rule.
CLEAN = {
    "LICENSE": "Apache-2.0\n",
    "README.md": "# Kedge\n",
    "CMakeLists.txt": "project(kedge)\n",
    "common/base/span.h": header("common/base/span.h"),
    "common/base/span.c": source('#include "common/base/span.h"\n#include <string.h>\n'),
    "common/sketch/topk.h": header("common/sketch/topk.h",
                                   '#include "common/base/span.h"\nint topk(void);\n'),
    "common/trust/sign.c": source("#include <openssl/evp.h>\n"),
    "proto/codec.h": header("proto/codec.h", '#include "common/sketch/topk.h"\nint c;\n'),
    "proto/messages/order.h": header("proto/messages/order.h",
                                     '#include "proto/codec.h"\nint o;\n'),
    "agent/spool/spool.h": header("agent/spool/spool.h",
                                  '#include "proto/messages/order.h"\nint s;\n'),
    "agent/agent.c": source('#include "agent/spool/spool.h"\n#include <czmq.h>\n'),
    "controller/log/tape.h": header("controller/log/tape.h"),
    "controller/store/store.c": source('#include "controller/log/tape.h"\n'
                                       "#include <lmdb.h>\n"),
    "controller/fold/fold.h": header("controller/fold/fold.h"),
    "controller/kedge.c": source('#include "controller/fold/fold.h"\n'),
    "docs/notes.md": "TO" + "DO(#12): more.\n",
}

# name: (files to add or replace, what the finding must say)
BREACHES = {
    "an upward include": (
        {"common/base/span.c": source('#include "common/sketch/topk.h"\n')},
        "common/base may not look into common/sketch"),
    "an include from common into proto": (
        {"common/trust/key.c": source('#include "proto/codec.h"\n')},
        "common/trust may not look into proto"),
    "a room of common across": (
        {"common/setup/conf.c": source('#include "common/trust/key.h"\n'),
         "common/trust/key.h": header("common/trust/key.h")},
        "common/setup may not look into common/trust"),
    "proto into its messages": (
        {"proto/other.c": source('#include "proto/messages/order.h"\n')},
        "proto may not look into proto/messages"),
    "one agent room into another": (
        {"agent/link/link.c": source('#include "agent/spool/spool.h"\n')},
        "agent/link may not look into agent/spool"),
    "an agent room into the controller": (
        {"agent/link/link.c": source('#include "controller/log/tape.h"\n')},
        "agent/link may not look into controller/log"),
    "an introducer of the agent into the controller": (
        {"agent/kit.c": source('#include "controller/log/tape.h"\n')},
        "agent/* may not look into controller/log"),
    "one controller room into another": (
        {"controller/gate/gate.c": source('#include "controller/fold/fold.h"\n')},
        "controller/gate may not look into controller/fold"),
    "the command line into the controller": (
        {"controller/cli/cli.c": source('#include "controller/log/tape.h"\n')},
        "controller/cli may not look into controller/log"),
    "the log into a room above it": (
        {"controller/log/log.c": source('#include "controller/fold/fold.h"\n')},
        "controller/log may not look into controller/fold"),
    "a room into its introducer": (
        {"agent/agent.h": header("agent/agent.h"),
         "agent/spool/spool.c": source('#include "agent/agent.h"\n')},
        "agent/spool may not look into agent/*"),
    "a path that is not from the root": (
        {"common/base/span.c": source('#include "span.h"\n')}, "is no path from"),
    "a room that nobody knows": (
        {"common/extra/x.h": header("common/extra/x.h")}, "is no room"),
    "a library outside its room": (
        {"controller/fold/fold.c": source("#include <lmdb.h>\n")},
        "<lmdb.h> outside its rooms"),
    "json in a common room": (
        {"common/base/json.c": source("#include <json-c/json.h>\n")},
        "<json-c/json.h> outside its rooms"),
    "an unknown library": (
        {"agent/agent.c": source("#include <glib.h>\n")}, "belongs to no library"),
    "a circle": (
        {"common/base/a.h": header("common/base/a.h",
                                   '#include "common/base/b.h"\nint a;\n'),
         "common/base/b.h": header("common/base/b.h",
                                   '#include "common/base/a.h"\nint b;\n')},
        "a circle of includes: common/base/a.h -> common/base/b.h"),
    "a header that comes second": (
        {"common/base/span.c": source('#include <string.h>\n'
                                      '#include "common/base/span.h"\n')},
        "is not its own"),
    "an umbrella": (
        {"common/base/all.h": header("common/base/all.h",
                                     '#include "common/base/span.h"\n')}, "an umbrella"),
    "no guard": (
        {"common/base/span.h": header("common/base/spam.h")}, "no include guard"),
    "no licence": (
        {"common/base/span.c": "// One: it says what it is for.\nint x;\n"}, "no line"),
    "a script without a licence": (
        {"packaging/build": "#!/bin/sh\ntrue\n"}, "no line"),
    "no sentence": (
        {"common/base/span.h": header("common/base/span.h", first="// span\n")},
        "no sentence"),
    "a file too long": (
        {"common/base/span.c": source("int x;\n" * 600)}, "600 are the ceiling"),
    "a function too long": (
        {"common/base/span.c": source(function(81))}, "a function of 81 lines"),
    "a CMakeLists.txt too long": (
        {"agent/CMakeLists.txt": "# line\n" * 41}, "40 are the ceiling"),
    "a folder at the top": ({"lib/x.md": "x\n"}, "nothing is added at the top level"),
    "a file at the top": ({"NOTES.md": "x\n"}, "nothing is added at the top level"),
    "an open end": ({"docs/notes.md": "FIX" + "ME later\n"}, "an open end"),
    "a path of one machine": ({"docs/notes.md": "see /wo" + "rk/x\n"}, "one machine"),
    "a home": ({"packaging/x.conf": "path = /ho" + "me/me/x\n"}, "one machine"),
    "a banned call": (
        {"common/base/span.c": source("int f(void)\n{\n    sprintf(b, c);\n}\n")},
        "sprintf() is banned"),
    "a clock in a pure room": (
        {"common/sketch/topk.c": source('#include "common/sketch/topk.h"\n'
                                        "int f(void)\n{\n    clock_wall_ns();\n}\n")},
        "clock_wall_ns() in common/sketch"),
}


def build(top, files):
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return house.check(top)


def test_a_clean_tree_has_no_findings(tmp_path):
    assert build(tmp_path, CLEAN) == []


@pytest.mark.parametrize("breach", BREACHES)
def test_finds(breach, tmp_path):
    files, expected = BREACHES[breach]
    findings = build(tmp_path, {**CLEAN, **files})
    assert any(expected in what for _, _, what in findings), findings


def test_sizes_are_counted_to_the_line(tmp_path):
    files = {**CLEAN, "common/base/span.c": source(function(80)),
             "agent/CMakeLists.txt": "# line\n" * 40}
    assert build(tmp_path, files) == []
    assert list(house.functions(function(80).split("\n"))) == [(1, 80)]


def test_words_in_comments_and_texts_are_no_calls(tmp_path):
    body = "// sprintf( is banned\nconst char *x = \"sprintf(\";\n"
    assert build(tmp_path, {**CLEAN, "common/base/span.c": source(body)}) == []


def test_what_is_built_is_not_looked_at(tmp_path):
    files = {**CLEAN, "build/x.h": "no head\n", "build-asan/CMakeLists.txt": "x\n" * 99}
    assert build(tmp_path, files) == []


def test_this_house():
    findings = [f"{path}:{line}: {what}" for path, line, what in house.check(TOP)]
    assert not findings, "\n".join(findings)


def test_most_functions_fit_in_one_glance():
    count, brief, fair = house.share_of_functions(TOP)
    assert count > 0 and fair >= 0.99
    assert brief >= 0.6
