"""Kernels in text form through the program: every form of a file holds the same kernel, and errors have places."""
import json
import re
from pathlib import Path

import pytest
from conftest import ROOT, run_klr

KERNEL = re.search(r"```klr\n(.*?)```", Path(ROOT, "docs", "core.md").read_text(), re.S).group(1)


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "k.klrtext"
    path.write_text(KERNEL)
    return path


def test_text_is_canonical(text_file):
    result = run_klr("dump", str(text_file), "--as", "text")
    assert result.returncode == 0
    assert result.stdout.strip() == KERNEL.strip()


@pytest.mark.parametrize("form", ["klr", "json", "sexp"])
def test_text_through_every_form(text_file, tmp_path, form):
    other = tmp_path / f"k.{form}"
    assert run_klr("dump", str(text_file), "--as", form, "-o", str(other)).returncode == 0
    result = run_klr("dump", str(other), "--as", "text")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == KERNEL.strip()


def test_errors_in_text_have_places(tmp_path):
    path = tmp_path / "k.klrtext"
    path.write_text(KERNEL.replace("op0=mult", "op0=mul").replace("%i < 256", "%i ~ 256"))
    result = run_klr("dump", str(path), "--as", "text")
    assert result.returncode == 1
    assert "unknown member of AluOp `mul`" in result.stderr
    assert f"{path}:13:" in result.stderr
    assert "expected a comparison, found `~`" in result.stderr
    assert result.stdout == ""


def test_errors_in_text_as_json(tmp_path):
    path = tmp_path / "k.klrtext"
    path.write_text(KERNEL.replace("op0=mult", "op0=mul"))
    result = run_klr("dump", str(path), "--json")
    assert result.returncode == 1
    assert '"E0502"' in result.stdout
    json.loads(result.stdout)
