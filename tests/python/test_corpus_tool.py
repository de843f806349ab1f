"""The table of published kernels: what it counts, and that it finds what a folder holds."""

import json
import os
import subprocess
import sys

from conftest import KLR, ROOT

sys.path.insert(0, os.path.join(ROOT, "tools"))
import corpus  # noqa: E402

KERNEL = """
import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def tensor_split_kernel_(in_tensor):
    t = nl.load(in_tensor)
    parts = []
    for i in range(2):
        out = nl.ndarray((4, 3 - i), in_tensor.dtype, nl.shared_hbm)
        nisa.dma_copy(dst=out, src=t[:, {first}::2])
        parts.append(out)
    return parts
"""


def table_of(tmp_path, text):
    path = tmp_path / "nki" / "examples"
    path.mkdir(parents=True, exist_ok=True)
    (path / "index-case-1.py").write_text(text)
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "corpus.py"), str(tmp_path), "--klr", str(KLR), "--json"],
                          capture_output=True, text=True)
    made = json.loads(done.stdout)
    assert done.returncode == (made["total"]["matched"] < made["total"]["cases"])
    (row,) = made["rows"]
    assert (row["kernel"], row["level"], row["cases"]) == ("tensor_split_kernel_", 1, 1)
    return row


def test_a_kernel_is_followed_as_far_as_it_gets(tmp_path):
    row = table_of(tmp_path, KERNEL.format(first="i"))
    assert (row["traced"], row["simulated"], row["matched"], row["first failure"]) == (1, 1, 1, "")
    row = table_of(tmp_path, KERNEL.format(first="0").replace("3 - i", "3"))  # even columns twice
    assert (row["traced"], row["simulated"], row["matched"]) != (1, 1, 1) and row["first failure"]
    row = table_of(tmp_path, KERNEL.format(first="i").replace("t = nl.load(in_tensor)", "t = nl.ndarray((4, 5), in_tensor.dtype)"))
    assert (row["simulated"], row["matched"]) == (0, 0) and "E0602" in row["first failure"]
    row = table_of(tmp_path, KERNEL.format(first="nothing"))
    assert (row["traced"], row["simulated"], row["matched"]) == (0, 0, 0) and "nothing" in row["first failure"]


def test_cases_of_a_kernel_are_one_row():
    good = dict.fromkeys(("traced", "simulated", "matched"), True)
    cases = [{"file": "a.py", "kernel": "cumsum", "seconds": 1.0, **good},
             {"file": "a.py", "kernel": "cumsum", "seconds": 3.0, **good, "matched": False, "failure": "off by one"},
             {"file": "a.py", "kernel": "cumsum", "skipped": True}, {"file": "a.py", "kernel": "?", "failure": "late", "missed": True}]
    rows = corpus.table(cases)
    assert [(r["kernel"], r["level"], r["cases"], r["traced"], r["matched"], r["skipped"], r["missed"], r["first failure"])
            for r in rows] == [("cumsum", 3, 2, 2, 1, 1, 0, "off by one"), ("?", None, 1, 0, 0, 0, 1, "late")]
    assert (rows[0]["seconds"], rows[0]["longest"]) == (4.0, 3.0)
    total = corpus.total_of(rows)
    assert (total["kernels"], total["cases"], total["traced"], total["matched"], total["missed"]) == (1, 3, 2, 1, 1)
    assert "off by one" in corpus.line_of(rows[0])


def test_a_folder_is_known_by_what_it_holds(tmp_path):
    assert corpus.kind_of(tmp_path) is None
    (tmp_path / "src" / "nkilib_src").mkdir(parents=True)
    (tmp_path / "test" / "integration").mkdir(parents=True)
    assert corpus.kind_of(tmp_path) == "library"
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "corpus.py"), str(tmp_path / "src")], capture_output=True, text=True)
    assert done.returncode == 2 and "is no checkout" in done.stderr
