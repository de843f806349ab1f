"""Runs a script that says `import nki`, with this package under that name in this process only.

usage: python -m klr SCRIPT [ARGUMENT]...
       python -m klr -m MODULE [ARGUMENT]...
       python -m klr -c CODE [ARGUMENT]...
       python -m klr --version | --help

`nki`, `neuronxcc.nki`, `nki_cpu_simulator`, `neuron_dtypes`, `atlas_kernel` and `atlas_compile` are KLR's, whatever is installed. The
program `klr` traces, runs and inspects kernels without Python: `klr --help`.
"""

import os
import runpy
import sys

from klr import _alias


def main():
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        import klr

        print("klr", klr.__version__)
        return 0
    if arguments[0] in ("-m", "-c") and len(arguments) < 2:
        print(f"python -m klr: {arguments[0]} takes an argument (python -m klr --help)", file=sys.stderr)
        return 2
    _alias.install()
    os.environ["KLR_NKI"] = "1"  # for the workers of pytest
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c"] + arguments[2:]
        _run_text(arguments[1])
    elif not os.path.exists(arguments[0]):
        print(f"python -m klr: there is no file '{arguments[0]}' (python -m klr --help)", file=sys.stderr)
        return 2
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")
    return 0


def _run_text(text):
    """Run the text of -c as the main module; kernels in it are traced from that text."""
    import linecache
    import types

    module = sys.modules["__main__"] = types.ModuleType("__main__")
    lines = [line + "\n" for line in text.splitlines()]
    linecache.cache["<command>"] = (len(text), None, lines, "<command>")
    exec(compile(text, "<command>", "exec"), module.__dict__)


if __name__ == "__main__":
    sys.exit(main())
