"""Runs every test and ends with `N passed, N failed`.

The steps stand in STEPS, builds first; tests run as many at a time as there are processors. Each step is a command
whose last line of output is `N passed, N failed` (also as pytest writes it), or which counts as one test by its exit
status; what a step skips is named with the reason. `--long` adds the long ones, `--bless` rewrites golden files, `--only NAME[,NAME]` runs the steps whose name
starts so.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = os.path.join(ROOT, ".venv", "bin", "python")

SANITIZE = "-Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 -Ddebug=true -Dpython=enabled"
# The extension under the sanitizers: their runtime comes before the interpreter, whose memory is malloc's.
ASAN_PYTHON = ("LD_PRELOAD=$(clang -print-file-name=libclang_rt.asan-$(uname -m).so) PYTHONMALLOC=malloc KLR_PACKAGE=build-asan/python "
               "ASAN_OPTIONS=alloc_dealloc_mismatch=0:$ASAN_OPTIONS")
PYTEST = f"{PYTHON} -m pytest -q -rs -p no:cacheprovider"


def build(folder, options="", environment=""):
    """The shell command that configures `folder` once and builds it."""
    setup = f"[ -f {folder}/build.ninja ] || {environment} meson setup {folder} {options} >/dev/null"
    if "-Dpython=enabled" in options:  # a folder that was made without
        setup += f"; [ -d {folder}/python/klr ] || meson configure {folder} -Dpython=enabled"
    return f"({setup}) && ninja -C {folder} --quiet"


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
    ("package-asan", f"{ASAN_PYTHON} {PYTEST} tests/python/test_package.py tests/python/test_tracebacks.py "
                     "tests/python/test_arguments.py tests/python/test_eager.py tests/python/test_klr_core.py "
                     "-k 'not conformance and not memory_does_not_grow'", "check"),
    ("long-wheel", f"KLR_WHEEL_PYTHONS=all {PYTEST} tests/wheel", "long"),
    *[("long-" + os.path.basename(path)[len("test_"):-len(".py")].removesuffix("_long"), f"{PYTEST} {os.path.relpath(path, ROOT)}", "long")
      for path in sorted(glob.glob(os.path.join(ROOT, "tests", "long", "test_*.py")))],
]


def counts(output, status):
    """(passed, failed) from the last summary line in `output`, else one test judged by `status`."""
    for line in reversed(output.splitlines()):
        passed, failed = re.search(r"(\d+) passed", line), re.search(r"(\d+) (?:failed|error)", line)
        if passed or failed:
            ok, bad = int(passed[1]) if passed else 0, int(failed[1]) if failed else 0
            return (ok, bad) if status == 0 or bad else (ok, 1)
    return (1, 0) if status == 0 else (0, 1)


def run_step(name, command, environment):
    """(passed, failed) of one step, which is printed when it has ended."""
    start = time.monotonic()
    result = subprocess.run(["sh", "-c", command], cwd=ROOT, env=environment, text=True, errors="replace",
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ok, bad = counts(result.stdout, result.returncode)
    text = f"{name:22s} {ok:6d} passed {bad:4d} failed  {time.monotonic() - start:6.1f} s\n"
    text += result.stdout[-12000:] if bad else "".join(f"    {line}\n" for line in re.findall(r"^SKIPPED .*", result.stdout, flags=re.M))
    print(text, end="", flush=True)
    return ok, bad


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
    wanted = [(name, command) for name, command, when in STEPS
              if name.startswith(tuple(options.only.split(","))) and (when == "check" or options.long)]
    builds = [step for step in wanted if step[0].startswith("build")]
    tests = [step for step in wanted if step not in builds]
    results = []
    for name, command in builds:
        results.append(run_step(name, command, environment))
        if results[-1][1]:
            break
    else:
        # One test process is idle much of the time it waits for others; golden files are rewritten by one at a time.
        with concurrent.futures.ThreadPoolExecutor(1 if options.bless else os.cpu_count() or 1) as pool:
            results += pool.map(lambda step: run_step(*step, environment), tests)
    passed, failed = sum(ok for ok, _ in results), sum(bad for _, bad in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
