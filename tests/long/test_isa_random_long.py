"""Many random calls of nki.isa; see tests/python/test_isa_random.py."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
import fitting_calls  # noqa: E402
import random_collectives  # noqa: E402
from test_isa_random import try_seed  # noqa: E402


@pytest.mark.parametrize("first", range(100_000, 120_000, 500))
def test_random_calls_run_or_are_refused(first, tmp_path):
    ran = sum(try_seed(tmp_path, seed) for seed in range(first, first + 500))
    assert 0 < ran < 500


@pytest.mark.parametrize("first", range(100_000, 120_000, 500))
def test_random_calls_that_fit_run_as_the_reference_executors_do(first, tmp_path):
    assert sum(try_seed(tmp_path, seed, fitting_calls) for seed in range(first, first + 500)) > 375


@pytest.mark.parametrize("first", range(100_000, 105_000, 500))
def test_random_collectives_run_or_are_refused(first, tmp_path):
    ran = sum(try_seed(tmp_path, seed, random_collectives) for seed in range(first, first + 500))
    assert 0 < ran < 500
