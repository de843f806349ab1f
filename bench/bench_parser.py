"""The parser against CPython's `ast.parse`, over the whole standard library in one run.

rows() gives (name, our seconds, the peer's name, the peer's seconds, note). Ours is the parse alone, measured by
`klr parse --repeat`; the peer's is `ast.parse` of bytes already read. Both take every file, those with errors too.

    bench_parser.py [build/klr] [--json]
"""

import ast
import glob
import json
import os
import subprocess
import sys
import time
import warnings

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KLR = os.path.join(ROOT, os.environ.get("KLR", "build/klr"))
ROUNDS = 5  # the best counts


def library_files():
    folder = os.path.dirname(os.__file__)
    files = glob.glob(os.path.join(folder, "**", "*.py"), recursive=True)
    return sorted(path for path in files if "site-packages" not in path and "dist-packages" not in path)


def peer_seconds(paths):
    sources = []
    for path in paths:
        with open(path, "rb") as file:
            sources.append(file.read())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        for source in sources:
            try:
                ast.parse(source)
            except (SyntaxError, ValueError, RecursionError):
                pass
        return time.perf_counter() - start, sum(map(len, sources))


def our_seconds(paths, klr):
    run = subprocess.run([klr, "parse", "--repeat", str(ROUNDS), *paths], capture_output=True, text=True, check=True)
    return float(run.stdout)


def rows(klr=KLR):
    paths = library_files()
    theirs, size = peer_seconds(paths)
    ours = our_seconds(paths, klr)
    note = f"{len(paths)} files, {size / 1e6:.1f} MB, {size / 1e6 / ours:.0f} MB/s"
    return [("parse the standard library", ours, "CPython ast.parse", theirs, note)]


def main():
    programs = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    for name, ours, peer, theirs, note in rows(*programs[:1]):
        if "--json" in sys.argv:
            print(json.dumps({"klr_seconds": ours, "python_seconds": theirs, "note": note}))
        else:
            print(f"{name}: {ours:.3f} s, {peer} {theirs:.3f} s, {theirs / ours:.1f} times faster ({note})")


if __name__ == "__main__":
    main()
