"""Runs every test and ends with `N passed, N failed`.

The steps stand in STEPS: each is a command whose last line of output is `N passed, N failed` (also as pytest writes
it), or which counts as one test by its exit status. `--long` adds the long ones, `--bless` rewrites golden files,
`--only NAME[,NAME]` runs the steps whose name starts so.
"""

import argparse
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = os.path.join(ROOT, ".venv", "bin", "python")

SANITIZE = "-Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 -Ddebug=true"
PYTEST = f"{PYTHON} -m pytest -q -p no:cacheprovider"


def build(folder, options="", environment=""):
    """The shell command that configures `folder` once and builds it."""
    return (f"([ -f {folder}/build.ninja ] || {environment} meson setup {folder} {options} >/dev/null)"
            f" && ninja -C {folder} --quiet")


# name, command, in which runs: "check" or "long"
STEPS = [
    ("build", build("build"), "check"),
    ("build-clang", build("build-clang", environment="CC=clang"), "check"),
    ("build-asan", build("build-asan", SANITIZE, "CC=clang"), "check"),
    ("build-baseline", build("build-baseline", "-Dkernel_clones=false"), "check"),
    ("unit", "build/tests/unit_tests", "check"),
    ("unit-clang", "build-clang/tests/unit_tests", "check"),
    ("unit-asan", "build-asan/tests/unit_tests", "check"),
    ("unit-baseline", "build-baseline/tests/unit_tests", "check"),
    ("python", f"{PYTEST} tests/python", "check"),
    ("wheel", f"{PYTEST} tests/wheel", "check"),
    ("python-asan", f"KLR=build-asan/klr {PYTEST} tests/python -m 'not slow'", "check"),
    ("long-wheel", f"KLR_WHEEL_PYTHONS=all {PYTEST} tests/wheel", "long"),
    ("long", f"{PYTEST} tests/long", "long"),
]


def counts(output, status):
    """(passed, failed) from the last summary line in `output`, else one test judged by `status`."""
    for line in reversed(output.splitlines()):
        passed, failed = re.search(r"(\d+) passed", line), re.search(r"(\d+) (?:failed|error)", line)
        if passed or failed:
            ok, bad = int(passed[1]) if passed else 0, int(failed[1]) if failed else 0
            return (ok, bad) if status == 0 or bad else (ok, 1)
    return (1, 0) if status == 0 else (0, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="also run the tests that take many minutes")
    parser.add_argument("--bless", action="store_true", help="rewrite the golden files from what is printed now")
    parser.add_argument("--only", default="", help="run the steps whose name starts so, or with one of these, separated by commas")
    options = parser.parse_args()
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    # Leaks are not errors here: the program's arenas end with the process.
    environment["ASAN_OPTIONS"] = "detect_leaks=0:" + environment.get("ASAN_OPTIONS", "")
    environment["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1:" + environment.get("UBSAN_OPTIONS", "")
    if options.bless:
        environment["KLR_BLESS"] = "1"
    passed = failed = 0
    for name, command, when in STEPS:
        if not name.startswith(tuple(options.only.split(","))) or (when == "long" and not options.long):
            continue
        start = time.monotonic()
        result = subprocess.run(["sh", "-c", command], cwd=ROOT, env=environment, text=True, errors="replace",
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        ok, bad = counts(result.stdout, result.returncode)
        passed, failed = passed + ok, failed + bad
        print(f"{name:16s} {ok:6d} passed {bad:4d} failed  {time.monotonic() - start:6.1f} s", flush=True)
        if bad:
            print(result.stdout[-12000:], flush=True)
            if name.startswith("build"):
                break
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
