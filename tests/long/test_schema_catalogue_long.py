"""The catalogue of scalar kernels with every element type, both compilers, and a million elements."""

import os
import sys

import numpy as np
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))
from schema_library import Interpreted, Kernels, cpu_has  # noqa: E402,F401
from test_schema_catalogue import CATALOGUE, COMPILERS, build, check_all, compare_bits, compare_with_numpy, given_for, group_of, types_of  # noqa: E402

DTYPES = ["f64", "f16", "bf16", "i32", "u8", "i64", "u16", "i8", "u64", "i16", "u32"]
# A thread of these loops over a million elements, or over as many again.
QUADRATIC = ("matrix/", "quantum/optimal_path", "quantum/constraint_solve", "reduction/onnx")


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("dtype", ["f32", *DTYPES])
def test_every_type(tmp_path, dtype, compiler):
    pairs = [(key, dtype) for key, row in CATALOGUE.items() if dtype == "f32" or dtype in types_of(row)]
    odd = [int(n) for n in np.random.default_rng(COMPILERS.index(compiler)).integers(2, 1500, 3) * 2 + 1]
    check_all(tmp_path / "built", pairs, [0, 1, 7, 64, 1000, *odd], compiler, seed=7)


@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16"])
def test_a_million(tmp_path, dtype):
    """NumPy for all; the interpreter where a thread does little."""
    pairs = [key for key, row in CATALOGUE.items() if dtype == "f32" or dtype in types_of(row)]
    texts = {}
    for key in pairs:
        texts.setdefault(group_of(key), []).append((key, dtype, given_for(key, dtype, 1)[0]))
    libraries = build(tmp_path / "built", texts, COMPILERS[0])
    for key in pairs:
        given = given_for(key, dtype, 10**6)[1]
        name = os.path.basename(key)
        isa = max(isa for isa in range(3) if cpu_has(isa))
        got, _ = libraries[group_of(key)].run(f"{name}_{dtype}", given, isa=isa, pieces=5)
        compare_with_numpy(key, dtype, 10**6, given, got)
        if not key.startswith(QUADRATIC) and dtype == "f32":
            compare_bits(got, Interpreted(given_for(key, dtype, 1)[0]).run(name, given), key)
