"""Suites: builds and runs each suite of tests, and counts what passed and what failed.

tests/run calls it. A suite in which nothing ran counts as a failure, since a test that
cannot be found protects nobody.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

TOP = pathlib.Path(__file__).resolve().parent.parent
ASAN, TSAN, FUZZ = TOP / "build-asan", TOP / "build-tsan", TOP / "build-fuzz"
RELEASE = TOP / "build-bench"
FUZZ_RUNS = 10_000_000
JOBS = os.cpu_count() or 2

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    # libzmq and czmq are not built for the thread sanitizer; what happens inside them
    # between their own locks would be taken for races.
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:"
                    "ignore_noninstrumented_modules=1",
}


def run(command, limit_s, **environment):
    """Runs a command with a time limit; kills all of its group beyond it."""
    env = {**os.environ, **SANITIZERS, **{k: str(v) for k, v in environment.items()}}
    child = subprocess.Popen([str(word) for word in command], cwd=TOP, env=env,
                             stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return child.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        print(f"stopped: longer than {limit_s} s", flush=True)
        return -1


def build(folder, *options):
    """Configures and builds a folder with the tests."""
    configure = [TOP / "packaging/cmake/configure", folder.name, "-DKEDGE_TESTS=ON",
                 *options]
    if run(configure, 600) != 0:
        return False
    return run(["cmake", "--build", folder], 3600) == 0


def build_asan():
    return build(ASAN, "-DKEDGE_SANITIZE=address")


def build_tsan():
    return build(TSAN, "-DKEDGE_SANITIZE=thread")


def count_junit(path, code):
    """(passed, failed, skipped) of a JUnit file; a crash of the runner is a failure."""
    passed = failed = skipped = 0
    try:
        cases = list(xml.parse(path).getroot().iter("testcase"))
    except (OSError, xml.ParseError):
        cases = []
    for case in cases:
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"} or case.get("status") == "fail":
            failed += 1
        elif "skipped" in kinds or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    if code != 0 and failed == 0:
        failed = 1
    return passed, failed, skipped


def ctest(folder, label, limit_s=1200):
    report = folder / f"junit-{label}.xml"
    report.unlink(missing_ok=True)
    code = run(["ctest", "--test-dir", folder, "-L", f"^{label}$", "-j", JOBS,
                "--output-on-failure", "--no-tests=error", "--output-junit", report],
               limit_s)
    return count_junit(report, code)


def pytest(where, limit_s=1800, build_folder=ASAN, options=(), **environment):
    name = where.replace("/", "-")
    report = build_folder / f"junit-{name}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    code = run(["/usr/bin/python3", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                f"--junitxml={report}", "-o", "junit_family=xunit2", *options, where],
               limit_s, KEDGE_BUILD=build_folder, **environment)
    return count_junit(report, code)


def add(*counts):
    return tuple(sum(column) for column in zip(*counts))


def suite_threads():
    """Tests that start threads, and the programs at work, under the thread sanitizer."""
    counts = [ctest(TSAN, "threads")]
    if any("pytest.mark.threads" in path.read_text()
           for path in (TOP / "tests/system").glob("*_test.py")):
        counts.append(pytest("tests/system", build_folder=TSAN,
                             options=["-m", "threads"]))
    return add(*counts)


def suite_fuzz_long():
    """Ten million inputs to each target by libFuzzer, guided by coverage."""
    passed = failed = 0
    for program in sorted((FUZZ / "tests/fuzz").glob("*_fuzz")):
        name = program.name.removesuffix("_fuzz")
        found = FUZZ / "found" / name
        found.mkdir(parents=True, exist_ok=True)
        command = [program, f"-runs={FUZZ_RUNS}", "-max_len=4096", "-timeout=10",
                   "-rss_limit_mb=4096", "-print_final_stats=1",
                   f"-artifact_prefix={found}/crash-", found]
        corpus = TOP / "tests/fuzz/corpus" / name
        if corpus.is_dir():
            command.append(corpus)
        print(f"--- {name}", flush=True)
        if run(command, 4 * 3600) == 0:
            passed += 1
        else:
            failed += 1
    return passed, failed, 0


def suite_bench():
    """Each benchmark runs, prints its medians, and holds the bounds that it states."""
    passed = failed = 0
    for program in sorted((RELEASE / "tests/bench").glob("*_bench")):
        print(f"--- {program.name}", flush=True)
        if run([program], 1800) == 0:
            passed += 1
        else:
            failed += 1
    return passed, failed, 0


# name: (what must be built, what runs, one line for --list)
SHORT = {
    "house": (None, lambda: pytest("tests/house"), "the rules of the house"),
    "unit": (build_asan, lambda: ctest(ASAN, "unit"), "C tests of each room"),
    "fuzz": (build_asan, lambda: ctest(ASAN, "fuzz"), "corpora and seeded mutations"),
    "docs": (build_asan, lambda: pytest("tests/docs"), "links and examples of the docs"),
    "conformance": (build_asan, lambda: pytest("tests/conformance"),
                    "the wire against its second implementation"),
    "system": (build_asan, lambda: pytest("tests/system"), "whole programs together"),
    "crash": (build_asan, lambda: pytest("tests/crash"), "killed at random moments"),
    "threads": (build_tsan, suite_threads, "threads, under their sanitizer"),
}
LONG = {
    "big-endian": (build_asan,
                   lambda: pytest("tests/conformance/big_endian_test.py", KEDGE_LONG=1),
                   "sketches on an emulated machine of the other byte order"),
    "crash-long": (build_asan,
                   lambda: pytest("tests/crash", 3 * 3600, KEDGE_LONG=1),
                   "500 kills"),
    "doors-long": (build_asan,
                   lambda: add(pytest("tests/system/doors_signals_test.py", KEDGE_LONG=1),
                               pytest("tests/system/doors_test.py", KEDGE_LONG=1)),
                   "signals of the present, and a body of 1 GiB"),
    "fuzz-long": (lambda: build(FUZZ, "-DKEDGE_SANITIZE=fuzz",
                                "-DCMAKE_C_COMPILER=clang"),
                  suite_fuzz_long, "10 M inputs a target, by libFuzzer"),
    "bench": (lambda: build(RELEASE, "-DKEDGE_SANITIZE=off"),
              suite_bench, "medians of the hot paths"),
}


def run_suite(name, suites, built):
    """Builds (once) what the suite needs, runs it, and says how it went."""
    make, go, what = suites[name]
    print(f"\n=== {name}: {what}", flush=True)
    begin = time.monotonic()
    if make and make not in built:
        built[make] = make()
    if make and not built[make]:
        counts = 0, 1, 0
        print("the build failed", flush=True)
    else:
        counts = go()
    if counts[0] + counts[1] == 0:
        counts = 0, 1, counts[2]
        print("nothing ran", flush=True)
    passed, failed, skipped = counts
    print(f"=== {name}: {passed} fine, {failed} not, {skipped} skipped, "
          f"{time.monotonic() - begin:.0f} s", flush=True)
    return passed, failed


def main():
    parser = argparse.ArgumentParser(prog="tests/run")
    parser.add_argument("--long", action="store_true", help="the long suites as well")
    parser.add_argument("--list", action="store_true", help="name the suites and stop")
    parser.add_argument("suite", nargs="*")
    args = parser.parse_args()
    suites = {**SHORT, **LONG}
    if args.list:
        for name, (_, _, what) in suites.items():
            print(f"{name:12} {what}{' (--long)' if name in LONG else ''}")
        return 0
    unknown = [name for name in args.suite if name not in suites]
    if unknown:
        parser.error(f"no suite {unknown[0]}; there are {', '.join(suites)}")
    chosen = args.suite or list(suites if args.long else SHORT)
    built, results = {}, {}
    for name in chosen:
        results[name] = run_suite(name, suites, built)
    print()
    for name, (passed, failed) in results.items():
        print(f"{name:12} {passed:6} fine {failed:6} not")
    passed, failed = add(*results.values())
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
