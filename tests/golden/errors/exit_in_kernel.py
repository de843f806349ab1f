# run: trace x=f32[128,512]
import nki
import nki.isa as nisa
import nki.language as nl


import sys


@nki.jit
def kernel(x):
    sys.exit(3)
