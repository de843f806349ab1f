"""Random calls of nki.isa and nki.collectives never crash: they run, as the reference executors do, or are refused at a place.

KLR_SEED=N tries other calls than those of N = 0; tests/long/test_isa_random_long.py tries many more.
"""

import filecmp
import json
import os

import pytest
import fitting_calls
import random_calls
import random_collectives
from conftest import run_klr

SEED = 1_000_000 * int(os.environ.get("KLR_SEED", "0"))
SAMPLES, CHUNK = 240, 120  # of so many calls some run and some do not
FITTING, FITTING_CHUNK = 200, 25
COLLECTIVES = 120


def outcome(path, target, options, *more):
    """Runs a kernel; None when it was refused at a place, else the folder of its results."""
    result = run_klr("run", path, "--target", target, "--json", "--lenient", *options, *more)
    assert result.returncode in (0, 1), (result.returncode, result.stderr)
    assert "Sanitizer" not in result.stderr, result.stderr
    report = json.loads(result.stdout)
    if result.returncode == 0:
        return None
    errors = [found for found in report["diagnostics"] if found["severity"] == "error"]
    assert errors
    for found in errors:
        assert found["code"] not in ("E0601", "E0607"), found
        assert found.get("line") or found["code"] in ("E0609", "E0612"), found
    return errors


def try_seed(folder, seed, calls=random_calls):
    """1 when the kernel ran."""
    text, target, options = calls.kernel(seed)
    path = folder / f"k{seed}.py"
    path.write_text(text)
    fast, plain = folder / f"fast{seed}", folder / f"plain{seed}"
    errors = outcome(path, target, options, "--out", fast)
    if errors is not None:
        return 0
    assert outcome(path, target, options, "--reference", "--out", plain) is None
    names = sorted(path.relative_to(fast) for path in fast.rglob("*.npy"))
    assert names == sorted(path.relative_to(plain) for path in plain.rglob("*.npy"))
    for name in names:
        assert filecmp.cmp(fast / name, plain / name, shallow=False), (seed, name)
    return 1


@pytest.mark.parametrize("first", range(0, SAMPLES, CHUNK))
def test_random_calls_run_or_are_refused(first, tmp_path):
    ran = sum(try_seed(tmp_path, SEED + seed) for seed in range(first, first + CHUNK))
    assert 0 < ran < CHUNK  # both happen


@pytest.mark.parametrize("first", range(0, FITTING, FITTING_CHUNK))
def test_random_calls_that_fit_run_as_the_reference_executors_do(first, tmp_path):
    ran = sum(try_seed(tmp_path, SEED + seed, fitting_calls) for seed in range(first, first + FITTING_CHUNK))
    assert ran > FITTING_CHUNK * 3 // 4


def test_random_collectives_run_or_are_refused(tmp_path):
    ran = sum(try_seed(tmp_path, SEED + seed, random_collectives) for seed in range(COLLECTIVES))
    assert 0 < ran < COLLECTIVES
