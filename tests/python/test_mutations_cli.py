"""Damaged kernels, files and arguments, a few hundred of each kind in one run: see mutations_cli.py."""

from mutations_cli import check_mutations


def test_damaged_input_ends_with_a_diagnostic(tmp_path):
    statuses = check_mutations(tmp_path, 20, {"python": 60, "file": 50, "text": 50, "npy": 40, "argument": 60})
    assert statuses[0] > 10 and statuses[1] > 100
