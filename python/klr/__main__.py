"""python -m klr SCRIPT [ARGUMENT]...: run a script that says `import nki`, with this package under that name."""

import runpy
import sys

from klr import _alias

USAGE = "usage: python -m klr SCRIPT [ARGUMENT]...\n       python -m klr -m MODULE [ARGUMENT]..."


def main():
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"{__doc__}\n\n{USAGE}")
        return 0 if arguments else 2
    _alias.install()
    if arguments[0] == "-m" and len(arguments) > 1:
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = __import__("os").path.dirname(__import__("os").path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
