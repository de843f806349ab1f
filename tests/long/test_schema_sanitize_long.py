"""The catalogue, the kernels of the tests and many random ones under the sanitizers; a long race."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
from test_schema_sanitize import race, sanitized  # noqa: E402


def test_a_long_race(tmp_path):
    race(tmp_path, 5000)


@pytest.mark.parametrize("tests, environment", [
    (["tests/python/test_schema_native.py"], {}),
    (["tests/python/test_schema_catalogue.py::test_values_and_bits"], {}),
    (["tests/python/test_schema_catalogue.py::test_other_types"], {}),
    *[(["tests/python/test_schema_random.py"], {"KLR_RANDOM_COUNT": "20", "KLR_RANDOM_SEED": str(seed)}) for seed in range(500, 510)],
])
def test_compiled_code(tmp_path, tests, environment):
    sanitized(tmp_path, *tests, **environment)
