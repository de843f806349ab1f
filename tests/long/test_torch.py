"""The tests of kernels inside of torch programs, in an environment made for them: torch is some gigabytes.

KLR_TORCH_PYTHON names an interpreter that has torch, ml_dtypes and pytest already.
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def interpreter(folder):
    known = os.environ.get("KLR_TORCH_PYTHON")
    if known:
        return known
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = os.path.join(folder, "bin", "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "torch", "numpy", "ml_dtypes", "pytest",
                    "hypothesis"], check=True)
    return python


def test_kernels_in_torch_programs(tmp_path):
    command = [interpreter(tmp_path / "venv"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/python/test_frameworks.py", "tests/python/test_schema_package.py", "-k", "torch"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 21 and "skipped" not in done.stdout
