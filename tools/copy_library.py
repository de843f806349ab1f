"""copy_library.py STAMP LIBRARY: the NKI library beside STAMP, as part of the importable tree build/python/klr."""

import pathlib
import shutil
import sys

stamp, library = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
target = stamp.parent / "nki"
shutil.rmtree(target, ignore_errors=True)
shutil.copytree(library, target, ignore=shutil.ignore_patterns("__pycache__"))
stamp.touch()
