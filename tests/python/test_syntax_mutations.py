"""See syntax_mutations.py; tests/long runs many more."""

import pytest
from syntax_compare import compare
from syntax_mutations import check_mutations
from test_syntax_stdlib import needs_library


@needs_library
@pytest.mark.slow
def test_changed_texts_are_judged_as_by_cpython(tmp_path):
    check_mutations(tmp_path, seed=1, count=3000)


# Texts that were judged otherwise than by CPython once.
ONCE_WRONG = ["match *a, ,b:\n  case _: pass\n", "match *a, b:\n  case _: pass\n", "match *a,:\n  case _: pass\n",
              "match *a:\n  case _: pass\n", "match a, *b, c:\n  case _: pass\n", "f'{x=\n}'\n", "f'{x=\n!r}'\n", "f\"\"\"{x=\n}\"\"\"\n"]


def test_texts_that_were_judged_otherwise_once(tmp_path):
    paths = []
    for i, text in enumerate(ONCE_WRONG):
        paths.append(str(tmp_path / f"{i}.py"))
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(text)
    wrong, accepted = compare(paths)
    assert not wrong, "\n".join(wrong)
