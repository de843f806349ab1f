"""Compiled kernels under the address and undefined-behaviour sanitizers, and the launcher under the thread sanitizer."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, run_klr

pytestmark = pytest.mark.slow
HEAD = "from atlas_kernel import *\n"
GUARD = "    i = get_global_id()\n    if i < n:\n        "
RACED = (HEAD + f"def saxpy(x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32):\n{GUARD}y[i] = s * x[i] + y[i]\n"
         f"def total(x: DeviceArray[f32], r: DeviceArray[f32], n: u32):\n{GUARD}atomic_add_f32(r, x[i])\n"
         f"def histogram(x: DeviceArray[u32], bins: DeviceArray[u32], n: u32):\n{GUARD}atomic_add(bins, x[i] % 16, 1)\n"
         "def scan(x: DeviceArray[u32], y: DeviceArray[u32], n: u32):\n    parallel_scan(x, y, 'sum', n)\n")
LAUNCHER = [f"src/schema/{name}.c" for name in ("launch", "library_file", "registry")] + ["src/base/threads.c"]


def has_sanitizer(compiler, name, folder):
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    return bool(shutil.which(compiler)) and subprocess.run([compiler, f"-fsanitize={name}", folder / "empty.c", "-o", folder / "empty"], capture_output=True, check=False).returncode == 0


def race(tmp_path, rounds):
    """The launcher's C files, the test's and the kernels, all with the thread sanitizer."""
    if not has_sanitizer("clang", "thread", tmp_path):
        pytest.skip("no clang with the thread sanitizer")
    (tmp_path / "k.py").write_text(RACED)
    assert run_klr("schema", "build", tmp_path / "k.py", "--emit-c", "-o", tmp_path).returncode == 0
    flags = ["-fsanitize=thread", "-g", "-O1", "-D_POSIX_C_SOURCE=200809L", "-Isrc", "-Iinclude"]
    (tmp_path / "lib" / "other").mkdir(parents=True)
    subprocess.run(["clang", *flags, "-std=gnu17", "-fPIC", "-shared", "-w", tmp_path / "k.c", "-o", tmp_path / "lib" / "k.so", "-lm"], cwd=ROOT, check=True)
    shutil.copy(tmp_path / "lib" / "k.so", tmp_path / "lib" / "other" / "k.so")
    subprocess.run(["clang", *flags, "-std=c17", "tests/number/launch_race.c", *LAUNCHER, "-o", tmp_path / "race", "-pthread", "-ldl"], cwd=ROOT, check=True)
    ran = subprocess.run([tmp_path / "race", tmp_path / "lib", str(rounds)], capture_output=True, text=True, check=False, env={**os.environ, "TSAN_OPTIONS": "halt_on_error=1"})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    launches, refused, wrong = map(int, re.findall(r"\d+", ran.stdout))
    assert launches > rounds and refused and not wrong


def sanitized(tmp_path, *tests, **environment):
    """Runs tests with every library compiled by gcc with the sanitizers, and their run time in the process."""
    if not has_sanitizer("gcc", "address,undefined", tmp_path):
        pytest.skip("no gcc with the sanitizers")
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\nunset LD_PRELOAD\nexec gcc "$@" -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all\n')
    compiler.chmod(0o755)
    runtime = [subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip() for name in ("libasan.so", "libubsan.so")]
    settings = {"LD_PRELOAD": ":".join(runtime), "ASAN_OPTIONS": "detect_leaks=0:detect_odr_violation=0", "UBSAN_OPTIONS": "print_stacktrace=1", "KLR_TEST_COMPILER": str(compiler),
                "PYTHONMALLOC": "malloc", **environment}
    ran = subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "-s", "-p", "no:cacheprovider", *tests], cwd=ROOT, capture_output=True, text=True, check=False,
                         env={**os.environ, **settings}, timeout=3600)
    assert ran.returncode == 0 and "passed" in ran.stdout, ran.stdout[-6000:] + ran.stderr[-6000:]
    return ran.stdout


def test_races(tmp_path):
    race(tmp_path, 60)


def test_the_compiled_code(tmp_path):
    sanitized(tmp_path, "tests/python/test_schema_random.py", KLR_RANDOM_COUNT="1", KLR_RANDOM_SEED="50")  # tests/long has the rest


def test_the_sanitizers_are_at_work(tmp_path):
    """A kernel that reads beyond its array, in the plain build."""
    test = tmp_path / "test_beyond.py"
    test.write_text("import os, sys\nimport numpy as np\n" f"sys.path.insert(0, {os.path.join(ROOT, 'tests', 'python')!r})\n"
                    "from test_schema_native import GUARD, build\n"
                    "def test_beyond(tmp_path):\n"
                    "    kernels = build(tmp_path, f'def k(x: DeviceArray[f32], y: DeviceArray[f32], n: u32):\\n{GUARD}y[i] = x[i + 300]\\n', compiler=os.environ['KLR_TEST_COMPILER'])\n"
                    "    kernels.run('k', dict(x=np.zeros(500, np.float32), y=np.zeros(500, np.float32), n=500))\n")
    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        sanitized(tmp_path, str(test))
