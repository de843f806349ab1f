"""Our trees equal CPython 3.11's on every file of its library and test suite, and we reject what it rejects."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))

from syntax_compare import compare, library_files  # noqa: E402
from syntax_mutations import check_mutations  # noqa: E402


def test_trees_of_all_files_equal_those_of_cpython():
    wrong, accepted = compare(library_files())
    assert not wrong, "\n".join(wrong[:20])
    assert accepted > 1400


def test_changed_texts_are_judged_as_by_cpython(tmp_path):
    for seed in range(100, 110):
        folder = tmp_path / str(seed)
        folder.mkdir()
        check_mutations(folder, seed, count=10000)
