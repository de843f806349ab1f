"""Shared by all Python tests: where the program is and how to run it."""

import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KLR = os.path.join(ROOT, os.environ.get("KLR", "build/klr"))
PACKAGE = os.path.join(ROOT, os.environ.get("KLR_PACKAGE", "build/python"))  # the Python package
HANGS_SECONDS = 3600  # a process that still runs then waits for ever: a busy computer alone fails no test


def run_klr(*arguments, stdin=None, cwd=ROOT, timeout=HANGS_SECONDS, environment=None, program=KLR):
    """Runs the program and returns the CompletedProcess with text output."""
    return subprocess.run([program, *map(str, arguments)], input=stdin, capture_output=True, text=True, errors="replace",
                          cwd=cwd, timeout=timeout, env=dict(os.environ, **(environment or {})))


@pytest.fixture
def klr():
    return run_klr
