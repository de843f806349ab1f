"""Writes the vector files from the cases: `python3 tests/conformance/generate.py [--check]`; --check only compares."""

import importlib
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, FOLDER)
sys.dont_write_bytecode = True
import vectors as form  # noqa: E402
from builder import Instruction  # noqa: E402


def texts():
    """{file name: its text} of every instruction."""
    for name in sorted(os.listdir(os.path.join(FOLDER, "cases"))):
        if name.endswith(".py"):
            importlib.import_module("cases." + name[:-3])
    return {f"{name}.json": instruction.text() for name, instruction in sorted(Instruction.every.items())}


def differences(made):
    """Names of files that are not what the cases make, of which there are too many or too few."""
    there = set(form.files())
    bad = sorted(there ^ set(made))
    for name in sorted(there & set(made)):
        with open(os.path.join(FOLDER, name), encoding="utf-8") as text:
            if text.read() != made[name]:
                bad.append(name)
    return bad


def main():
    made = texts()
    bad = differences(made)
    if "--check" in sys.argv:
        print("\n".join(bad) if bad else f"{len(made)} files are what the cases make")
        return 1 if bad else 0
    for name in bad:
        path = os.path.join(FOLDER, name)
        if name in made:
            with open(path, "w", encoding="utf-8") as text:
                text.write(made[name])
        else:
            os.remove(path)
    count = sum(len(i.document["vectors"]) for i in Instruction.every.values())
    print(f"{count} vectors in {len(made)} files, {sum(map(len, made.values())) // 1024} KiB; {len(bad)} files changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
