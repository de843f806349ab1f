"""What authors of wrong kernels read: tests/golden/errors/NAME.py gives NAME.expect on standard error.

The first line of a case is its command, `# run: trace x=f32[128,512]`; `:KERNEL` first names the kernel. Files named lib_*
are imported by cases. KLR_BLESS=1 writes the expectations anew.
"""

import glob
import os
import re
import shlex

import pytest
from conftest import ROOT, run_klr

FOLDER = os.path.join(ROOT, "tests", "golden", "errors")
CASES = sorted(name for name in (os.path.basename(path)[:-3] for path in glob.glob(os.path.join(FOLDER, "*.py")))
               if not name.startswith("lib_"))


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def steady(text):
    """Without the line numbers of the library in nki/, which change with it."""
    text = re.sub(r"(nki/\S+\.py)(:\d+)+", r"\1", text)
    return re.sub(r"(::: nki/\S+\n *\|\n *)\d+", r"\1N", text)


def command_of(name):
    words = shlex.split(re.match(r"# run: (.*)", read(os.path.join(FOLDER, f"{name}.py"))).group(1))
    kernel = words.pop(1) if words[1].startswith(":") else ""
    return [words[0], f"{name}.py{kernel}", *words[1:]]


@pytest.mark.parametrize("name", CASES)
def test_messages_are_the_expected_ones(name):
    run = run_klr(*command_of(name), cwd=FOLDER)
    assert run.returncode == (1 if "error[" in run.stderr else 0)
    expect_path = os.path.join(FOLDER, f"{name}.expect")
    if os.environ.get("KLR_BLESS"):
        with open(expect_path, "w", encoding="utf-8") as out:
            out.write(steady(run.stderr))
    assert steady(run.stderr) == read(expect_path)


def test_there_are_many_cases_and_each_says_something():
    assert len(CASES) >= 90
    for name in CASES:
        assert re.match(r"(error|warning)\[", read(os.path.join(FOLDER, f"{name}.expect"))), name


@pytest.mark.parametrize("name", CASES)
def test_messages_point_at_the_users_files(name):
    """The library may be shown as the place of a definition, never as the place of a mistake."""
    for place in re.findall(r"^ *--> (.*?):\d+", read(os.path.join(FOLDER, f"{name}.expect")), re.M):
        assert not place.startswith("nki/"), place
