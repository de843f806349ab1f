"""copy_library.py STAMP LIBRARY: the NKI library beside STAMP, as `klr.nki` of the importable tree build/python.

The files name each other `nki.x`; in the package they are `klr.nki.x`, so that nothing else called `nki` is in the way.
"""

import pathlib
import re
import shutil
import sys

REWRITES = [
    (re.compile(r"^(\s*)from nki(\.[\w.]+)? import", re.M), r"\1from klr.nki\2 import"),
    (re.compile(r"^(\s*)import nki((?:\.\w+)*) as (\w+)$", re.M), r"\1import klr.nki\2 as \3"),
    (re.compile(r"^(\s*)import nki((?:\.\w+)+)$", re.M), r"\1import klr.nki\2; from klr import nki"),
    (re.compile(r"^(\s*)import nki$", re.M), r"\1from klr import nki"),
]

stamp, library = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
target = stamp.parent / "nki"
shutil.rmtree(target, ignore_errors=True)
for source in sorted(library.rglob("*.py")):
    text = source.read_text(encoding="utf-8")
    for pattern, replacement in REWRITES:
        text = pattern.sub(replacement, text)
    place = target / source.relative_to(library)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
stamp.touch()
