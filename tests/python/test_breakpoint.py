"""breakpoint() where nothing can stop: NKI_EAGER=0 asks for a trace, and a trace has no place to stop at."""

import os
import subprocess
import sys

import pytest
from conftest import PACKAGE


SCRIPT = '''
import numpy as np
import klr
import klr.nki as nki
import klr.nki.language as nl


@nki.jit
def kernel(x):
    t = nl.load(x)
    breakpoint()
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nl.store(out, t)
    return out


try:
    nki.simulate(kernel)(np.zeros((4, 8), np.float32))
except Exception as error:
    print(error)
'''


@pytest.mark.skipif(not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")), reason="the Python package is not built")
def test_a_breakpoint_in_a_trace_is_an_error(tmp_path):
    (tmp_path / "k.py").write_text(SCRIPT)
    environment = dict(os.environ, NKI_EAGER="0", PYTHONPATH=PACKAGE)
    done = subprocess.run([sys.executable, str(tmp_path / "k.py")], capture_output=True, text=True, env=environment)
    assert "E0320" in done.stdout and "k.py:11" in done.stdout, done.stdout + done.stderr
