"""Running Python programs with CPython and with the tracer's evaluator, to compare what they print."""

import os
import re
import subprocess
import sys

from conftest import HANGS_SECONDS, KLR

EVAL_TOOL = os.path.join(os.path.dirname(KLR), "tests", "eval_tool")


def run_ours(*paths, arguments=(), cwd=None):
    """[(printed text, "" or the class of the uncaught exception), ...] for each file, and all diagnostics."""
    result = subprocess.run([EVAL_TOOL, *arguments, *map(str, paths)], capture_output=True, timeout=HANGS_SECONDS, cwd=cwd)
    assert result.returncode == 0, result.stderr.decode(errors="replace")[-2000:]
    text = result.stdout.decode("utf-8", "surrogatepass")
    parts = re.split(r"^-- exit [01] ?(\w*)\n", text, flags=re.M)
    return list(zip(parts[0::2], parts[1::2])), result.stderr.decode(errors="replace")


DRIVER = """
import contextlib, io, resource, runpy, sys, warnings
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))  # a string of 20 GB is an error on every machine
warnings.simplefilter("ignore")
sys.stdout.reconfigure(encoding="utf-8", errors="surrogatepass")
for path in sys.argv[1:]:
    out, name = io.StringIO(), ""
    with contextlib.redirect_stdout(out):
        try:
            runpy.run_path(path, run_name="__main__")
        except Exception as error:
            name = type(error).__name__
    sys.stdout.write(out.getvalue() + f"-- exit {int(bool(name))} {name}".rstrip() + "\\n")
"""


def run_theirs(*paths, cwd=None):
    result = subprocess.run([sys.executable, "-c", DRIVER, *map(str, paths)], capture_output=True, timeout=HANGS_SECONDS, cwd=cwd)
    assert result.returncode == 0, result.stderr.decode(errors="replace")[-2000:]
    parts = re.split(r"^-- exit [01] ?(\w*)\n", result.stdout.decode("utf-8", "surrogatepass"), flags=re.M)
    return list(zip(parts[0::2], parts[1::2]))
