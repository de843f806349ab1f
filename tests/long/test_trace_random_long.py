"""Ten thousand random programs through the evaluator of Python and through CPython."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
import test_trace_random  # noqa: E402


def test_many_random_programs(tmp_path, monkeypatch):
    for first in range(100000, 110000, 1000):
        monkeypatch.setattr(test_trace_random, "FIRST", first)
        monkeypatch.setattr(test_trace_random, "COUNT", 1000)
        folder = tmp_path / str(first)
        folder.mkdir()
        test_trace_random.test_random_programs_print_what_cpython_prints(folder)
