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


def test_what_was_started_and_what_ended(tmp_path):
    report = tmp_path / "report"
    lines = [{"collected": ["a", "b", "c", "d"]}, {"start": "a", "at": 1.0}, {"case": "a", "matched": True},
             {"start": "b", "at": 2.0}, {"case": "b", "failure": "off by one"}, {"start": "c", "at": 3.0}]
    report.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"case": "c", "mat\n')
    known, collected, broken = corpus.report_lines(report)
    assert (collected, broken) == (["a", "b", "c", "d"], [])
    assert list(known) == ["a", "b", "c"] and known["a"]["matched"] and "start" in known["c"]
    with open(report, "a") as file:  # run again
        file.write(json.dumps({"collected": ["a", "b", "c", "d"]}) + "\n" + json.dumps({"case": "a", "failure": "late"}) + "\n")
    known, collected, _ = corpus.report_lines(report)
    assert list(known) == ["b", "c", "a"] and known["a"]["failure"] == "late"


PLUGIN = """
import sys
import pytest
sys.path.insert(0, {tools!r})
import nki_library
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", {test!r}], plugins=[nki_library._Report({report!r})]))
"""

HARNESS = """
import time
import pytest


@pytest.mark.parametrize("n", [1, 2, 3])
def test_it(n):
    if n == 2:
        time.sleep(3600)
    if n == 3:
        pytest.skip("too large")
"""


def test_cases_have_their_time_and_are_not_run_again(tmp_path):
    test, report = tmp_path / "test_it.py", tmp_path / "report"
    test.write_text(HARNESS)
    text = PLUGIN.format(tools=os.path.join(ROOT, "tools"), test=str(test), report=str(report))
    environment = {**os.environ, "PYTHONPATH": os.path.join(ROOT, "build", "python"), "KLR_CASE_SECONDS": "5"}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", text], capture_output=True, env=environment, check=False, cwd=tmp_path)
    lines = list(corpus.lines_of(report))
    cases = [line for line in lines if "case" in line]
    assert [case["failure"] for case in cases] == ["", "not done in 5 s", "too large", "too large"]
    assert [case["matched"] for case in cases] == [True, False, False, False] and cases[2]["skipped"]
    assert [len(line["collected"]) for line in lines if "collected" in line] == [3, 3]


def test_the_page_says_whose_a_failure_is(tmp_path):
    name = "integration/x/test_cumsum.py::TestCumsum::test_it"
    good = {"kernel": "cumsum", "matched": True, "seconds": 2.0, "trace_seconds": 0.25, "largest": [[8, 4096], "bfloat16"]}
    lines = [{"collected": [f"{name}[{i}]" for i in (1, 2, 3, 4096, 5, 6)]}, {"case": f"{name}[1]", **good},
             {"case": f"{name}[2]", "kernel": "cumsum", "failure": "Unable to allocate 16. GiB"}, {"case": f"{name}[4096]", **good},
             {"case": f"{name}[5]", "skipped": True, "failure": "Skipping"}, {"case": f"{name}[6]", "failure": "other | bits"}]
    (tmp_path / "reports" / "trn3").mkdir(parents=True)
    (tmp_path / "reports" / "trn3" / "a.pyl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table -->\nold\n<!-- end -->\nafter\n")
    made = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "published.py"), str(tmp_path / "reports"), str(page)], check=False)
    text = page.read_text()
    assert made.returncode == 0 and text.startswith("before\n<!-- table -->\n") and text.endswith("\n<!-- end -->\nafter\n")
    assert "old" not in text and "- trn3: 1 kernels, 4 cases run, 1 of them large, 2 matched (others: 1 memory, 1 open); 1 of" in text
    row = next(line for line in text.splitlines() if "`cumsum`" in line)
    assert row.startswith("| 3 | `cumsum` | trn3 | 4 | 1 | 2 | 1 | 4 | 0.25 s | 8 x 4096 bfloat16 | 1 memory: ")
    assert row.endswith("1 open: other / bits |")
