"""Runs a script that says `import nki`, with this package under that name in this process only.

usage: python -m klr SCRIPT [ARGUMENT]...       (- is the standard input)
       python -m klr -m MODULE [ARGUMENT]...
       python -m klr -c CODE [ARGUMENT]...
       python -m klr --version | --help

`nki`, `neuronxcc.nki`, `nki_cpu_simulator`, `neuron_dtypes`, `atlas_kernel` and `atlas_compile` are KLR's, whatever is installed; `compiler`
(of which older scripts have compile_to_json) is, when nothing else is called so. The program `klr` traces, runs and inspects kernels without Python: `klr --help`.
"""

import os
import runpy
import sys
import traceback

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
    if arguments[0] not in ("-m", "-c", "-") and not os.path.exists(arguments[0]):
        print(f"python -m klr: there is no file '{arguments[0]}' (python -m klr --help)", file=sys.stderr)
        return 2
    _alias.install()
    os.environ["KLR_NKI"] = "1"  # for the workers of pytest
    try:
        _run(arguments)
    except Exception as error:
        if sys.gettrace():  # a debugger wants to see it
            raise
        trace = error.__traceback__
        while trace is not None and _is_runner(trace.tb_frame):
            trace = trace.tb_next
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error.with_traceback(trace), trace
        show = traceback.print_exception if sys.excepthook is sys.__excepthook__ else sys.excepthook  # it knows texts in no file
        show(type(error), error, trace)
        return 1
    return 0


def _is_runner(frame):
    return frame.f_code.co_filename in (__file__, runpy.__file__, "<frozen runpy>")


def _run(arguments):
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] in ("-c", "-"):
        text = arguments[1] if arguments[0] == "-c" else sys.stdin.read()
        sys.argv = [arguments[0]] + arguments[2 if arguments[0] == "-c" else 1:]
        _run_text(text, "<command>" if arguments[0] == "-c" else "<stdin>")
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")


def _run_text(text, name):
    """Run a text that is in no file as the main module; kernels in it are traced from that text."""
    import linecache
    import types

    module = sys.modules["__main__"] = types.ModuleType("__main__")
    lines = [line + "\n" for line in text.splitlines()]
    linecache.cache[name] = (len(text), None, lines, name)
    exec(compile(text, name, "exec"), module.__dict__)


if __name__ == "__main__":
    sys.exit(main())
