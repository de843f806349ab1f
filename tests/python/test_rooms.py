"""Folders of src/ include only headers of the folders that stand above them in docs/architecture.md's table."""

import glob
import os
import re

from conftest import ROOT

ORDER = ["base", "number", "core", "serde", "machine", "syntax", "trace", "sim", "profile", "pass", "tensor", "schema",
         "api", "cli"]
# A table that is included into the one list of diagnostics is data, not a dependence.
DATA = re.compile(r"diag_\w+\.def$")


def test_rooms_include_only_what_stands_above():
    wrong = []
    files = [path for pattern in ("*.c", "*.h", "*.def", "*/*.c", "*/*.h")
             for path in glob.glob(os.path.join(ROOT, "src", "*", pattern))]
    assert files
    for path in files:
        room = os.path.relpath(path, os.path.join(ROOT, "src")).split(os.sep)[0]
        with open(path, encoding="utf-8") as text:
            for included in re.findall(r'#include "([^"]+)"', text.read()):
                other = included.split("/")[0]
                if DATA.search(included) or other not in ORDER:
                    continue
                if ORDER.index(other) > ORDER.index(room):
                    wrong.append(f"{os.path.relpath(path, ROOT)} includes {included}")
    assert not wrong, "\n".join(wrong)
