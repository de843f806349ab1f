"""Arrays that are one and the same under two names: what the C text tells compilers of loops, and that results are those of the interpreter."""

import os
import re
import sys

import numpy as np
import pytest
from conftest import ROOT, run_klr

PACKAGE = os.path.join(ROOT, "build", "python")
if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

import klr.schema as ks  # noqa: E402

HEAD = "from atlas_kernel import *\ndef k(x: DeviceArray[f32], y: DeviceArray[f32], n: u32):\n    i = get_global_id()\n    if i < n:\n"
ROW = HEAD + "        first = i * 64\n"
LOOP = ROW + "        for j in range(64):\n            "

# What is written into a thread, and what the C says: threads leave each other alone, turns do, bodies for arrays that are apart.
FORMS = [
    (HEAD + "        y[i] = x[i] * 2.0\n", "threads"),
    (HEAD + "        own = i\n        if x[own] > 0.0:\n            y[i] = x[own]\n", ""),               # one element by two names
    (HEAD + "        own = i\n        y[own] = x[own] + y[own]\n", "threads"),
    (HEAD + "        y[i] = x[i + 1]\n", ""),
    (HEAD + "        y[i // 2] = x[i // 2]\n", ""),
    (HEAD + "        x[i] = x[i] * 2.0\n", ""),                                                            # one array: nothing to say
    (HEAD + "        y[i] = exp(x[i])\n        x[i] = y[i] + 1.0\n", "threads"),
    (LOOP + "y[first + j] = x[first + j]\n", "turns"),
    (LOOP + "at = first + 63 - j\n            y[at] = x[at]\n", "apart"),                                  # downwards: as likely as not
    (LOOP + "at = j + first\n            y[at] = x[at] + 1.0\n", "turns"),
    (LOOP + "y[first + j] = x[j]\n", "apart"),
    (LOOP + "y[i] += x[first + j]\n", "apart"),
    (ROW + "        for j in range(1, 64):\n            y[first + j] = x[first + j - 1] * 0.5 + 1.0\n", "apart"),
    (ROW + "        for j in range(0, 64, 2):\n            y[first + j] = x[first + j]\n", "apart"),
    (ROW + "        total = 0.0\n        for j in range(64):\n            total += x[first + j]\n        y[first] = total\n", ""),
    (ROW + "        j = 0\n        while j < 63:\n            y[first + j] = x[first + j + 1]\n            j += 1\n", "apart"),
    (HEAD + "        atomic_add(y, i % 4, x[i])\n", ""),
]


def c_text(text, tmp_path):
    (tmp_path / "k.py").write_text(text)
    made = run_klr("schema", "build", tmp_path / "k.py", "--emit-c", "-o", "-")
    assert made.returncode == 0, made.stderr
    return made.stdout


@pytest.mark.parametrize("text, what", FORMS, ids=range(len(FORMS)))
def test_what_compilers_are_told(text, what, tmp_path):
    text = c_text(text, tmp_path)
    assert bool(re.search(r"KLR_EVEN\n *for \(uint64_t klr_thread", text)) == (what == "threads")
    assert bool(re.search(r"KLR_EVEN\n *for \(int64_t klr_k", text)) == (what == "turns")
    assert ("float *restrict const y" in text) == ("= kernel_k_apart_avx2," in text) == (what == "apart")


@pytest.mark.parametrize("number", [i for i, (text, _) in enumerate(FORMS) if "atomic" not in text and "i + 1]" not in text and "// 2" not in text])
def test_one_array_under_two_names(number, tmp_path):
    """Each thread has elements of its own in these, so that there is one right result."""
    (tmp_path / "k.py").write_text(FORMS[number][0].replace("x[j]", "x[first]"))
    document = ks.compile(tmp_path / "k.py")
    ks.build([document], tmp_path / "lib")
    native = ks.Registry(tmp_path / "lib")["k"]
    for rows in (0, 1, 5, 301):
        start = np.random.default_rng(rows).standard_normal(rows * 64 + 64).astype(np.float32)
        if "for" not in FORMS[number][0] and "while" not in FORMS[number][0]:
            rows *= 64
        for is_one in (True, False):
            results = []
            for run in (native, lambda x, y, n: ks.interpret(document, "k", {"x": x, "y": y, "n": n})):
                x = start.copy()
                y = x if is_one else start[::-1].copy()
                run(x, y, rows)
                results.append(x.tobytes() + y.tobytes())
            assert results[0] == results[1], (rows, is_one)
