"""The evaluator of Python against CPython on random programs. KLR_RANDOM_PROGRAMS sets how many."""

import os
import sys

from conftest import ROOT
from trace_programs import run_ours, run_theirs

sys.path.insert(0, os.path.join(ROOT, "tests", "differential"))
from random_programs import program  # noqa: E402

COUNT = int(os.environ.get("KLR_RANDOM_PROGRAMS", "500"))
FIRST = int(os.environ.get("KLR_RANDOM_FIRST", "0"))


def test_random_programs_print_what_cpython_prints(tmp_path):
    paths = []
    for seed in range(FIRST, FIRST + COUNT):
        paths.append(tmp_path / f"p{seed}.py")
        paths[-1].write_text(program(seed), encoding="utf-8")
    ours, diagnostics = run_ours(*paths)
    # Which of the two CPython raises for a sequence that is too long depends on the machine's memory.
    theirs = [(text.replace("MemoryError", "OverflowError"), *rest) for text, *rest in run_theirs(*paths)]
    assert len(ours) == len(theirs) == COUNT
    wrong = [(path.name, mine, other) for path, mine, other in zip(paths, ours, theirs) if tuple(mine) != tuple(other)]
    for name, mine, other in wrong[:5]:
        a, b = mine[0].splitlines(), other[0].splitlines()
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        print(name, "line", at, "\n  ours:  ", a[at:at + 1], mine[1], "\n  theirs:", b[at:at + 1], other[1])
    assert not wrong, f"{len(wrong)} of {COUNT} programs differ"
    assert sum(len(text.splitlines()) for text, _ in ours) > COUNT * 10  # they say something
