"""The commands in README.md print what README.md says, and the pages name what exists."""

import os
import re
import subprocess
import sys

import pytest
from conftest import KLR, PACKAGE, ROOT



def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as text:
        return text.read()


def commands():
    """(command, the lines README shows below it) of every `$` line in an indented block."""
    found, current = [], None
    for line in read("README.md").splitlines():
        if line.startswith("    $ "):
            current = (line[6:], [])
            found.append(current)
        elif line.startswith("    ") and current:
            current[1].append(line[4:])
        elif line:
            current = None
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as the reader sees it: build/klr, examples/ and the two kernels with a mistake."""
    where = tmp_path_factory.mktemp("readme")
    (where / "build").mkdir()
    (where / "build" / "klr").symlink_to(KLR)
    for name in ("examples", "kernels"):
        (where / name).symlink_to(os.path.join(ROOT, name))
    (where / "bin").mkdir()
    (where / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (where / "bin" / "python").chmod(0o755)
    for name in ("wrong.py", "stale.py", "halve.py"):
        (where / name).write_text(read(f"tests/golden/readme/{name}"))
    return where


def plain(text):
    """Durations differ from run to run."""
    return [re.sub(r"in [\d.]+ ms", "in N ms", line).rstrip() for line in text.strip().splitlines()]


@pytest.mark.parametrize("command, shown", commands(), ids=[command for command, _ in commands()])
def test_readme_shows_what_is_printed(folder, command, shown):
    if command.startswith("python") and not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
        pytest.skip("the Python package is not built")
    # As after `pip install .`: the package is importable, and pytest knows its plugin.
    environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "PYTHONPATH": PACKAGE,
                   "PYTEST_PLUGINS": "klr.pytest_plugin", "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    result = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, env=environment)
    if shown:
        assert plain(result.stdout + result.stderr) == plain("\n".join(shown))
    else:
        assert result.returncode == 0, result.stderr


def test_pages_link_to_files_that_exist():
    for page in ["README.md", *(f"docs/{name}" for name in os.listdir(os.path.join(ROOT, "docs")) if name.endswith(".md"))]:
        base = os.path.dirname(os.path.join(ROOT, page))
        for target in re.findall(r"\]\(([^)#]+)\)", re.sub(r"```.*?```", "", read(page), flags=re.S)):
            assert "://" in target or os.path.exists(os.path.join(base, target)), f"{page} links to {target}"


def test_the_readmes_commands_are_those_of_the_makefile():
    targets = re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.M)
    for target in re.findall(r"^    make ([a-z-]+)", read("README.md"), flags=re.M):
        assert target in targets
