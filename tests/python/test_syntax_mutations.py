"""See syntax_mutations.py; tests/long runs many more."""

import pytest
from syntax_mutations import check_mutations
from test_syntax_stdlib import needs_library


@needs_library
@pytest.mark.slow
def test_changed_texts_are_judged_as_by_cpython(tmp_path):
    check_mutations(tmp_path, seed=1, count=3000)
