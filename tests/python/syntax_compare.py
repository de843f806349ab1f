"""Compares the tree of `klr parse` with CPython 3.11's, place by place; used by the tests here and in tests/long."""

import glob
import os
import subprocess

from conftest import HANGS_SECONDS, KLR

PYTHON = "/usr/bin/python3.11"
LIBRARY = "/usr/lib/python3.11"

# Run by CPython 3.11: prints, for each file, its dump or the reason it was rejected.
REFERENCE = r'''
import ast, sys, warnings
warnings.simplefilter("ignore")
sys.set_int_max_str_digits(0)
out = sys.stdout.buffer
for path in sys.stdin.read().split("\n"):
    with open(path, "rb") as file:
        source = file.read()
    try:
        status, text = "ok", ast.dump(ast.parse(source), include_attributes=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        status, text = "error", f"{type(error).__name__}: {error}"
    out.write(status.encode() + b"\0" + text.encode("utf-8", "surrogatepass") + b"\0")
'''


def library_files():
    """Every Python file of Debian's standard library and of its test suite."""
    return sorted(glob.glob(os.path.join(LIBRARY, "**", "*.py"), recursive=True))


def read_pairs(output):
    parts = output.split(b"\0")[:-1]
    return list(zip(parts[0::2], parts[1::2]))


def parse_ours(paths):
    """[(b"ok MINOR" or b"error", tree or messages)] in the order of `paths`."""
    run = subprocess.run([KLR, "parse", "--as", "batch", *paths], capture_output=True, timeout=HANGS_SECONDS)
    assert run.returncode == 0, run.stderr.decode(errors="replace")[-3000:]
    return read_pairs(run.stdout)


def parse_theirs(paths):
    run = subprocess.run([PYTHON, "-c", REFERENCE], input="\n".join(paths).encode(), capture_output=True, timeout=HANGS_SECONDS)
    assert run.returncode == 0, run.stderr.decode(errors="replace")[-3000:]
    return read_pairs(run.stdout)


def first_difference(ours, theirs):
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
    show = lambda text: text[max(0, at - 200):at + 100].decode(errors="replace")
    return f"at byte {at} of the dump\n  ours:   {show(ours)}\n  theirs: {show(theirs)}"


def judge(path, ours, theirs):
    """None, or what is wrong. We may accept what CPython 3.11 rejects only where we say it needs a newer Python."""
    (our_status, our_text), (their_status, their_text) = ours, theirs
    if their_status == b"ok":
        if our_status == b"error":
            return f"{path}: rejected: {our_text.decode(errors='replace')[:500]}"
        return None if our_text == their_text else f"{path}: trees differ {first_difference(our_text, their_text)}"
    if our_status == b"error" or int(our_status.split()[1]) > 11:
        return None
    return f"{path}: accepted, but CPython says {their_text.decode(errors='replace')[:200]}"


def compare(paths, batch=40):
    """What is wrong with each file, and how many files both sides accepted."""
    wrong, accepted = [], 0
    theirs = parse_theirs(paths)
    assert len(theirs) == len(paths)
    for start in range(0, len(paths), batch):
        names, expected = paths[start:start + batch], theirs[start:start + batch]
        ours = parse_ours(names)
        assert len(ours) == len(names)
        for path, our, their in zip(names, ours, expected):
            accepted += their[0] == b"ok"
            verdict = judge(path, our, their)
            if verdict:
                wrong.append(verdict)
    return wrong, accepted
