"""Kernels that others published, written in our language: the interpreter against NumPy, and compiled libraries against the interpreter, bit for bit.

tests/schema_published/ has the kernels, tests/schema_published_cases.py what they must compute.
"""

import glob
import os
import re
import sys

import numpy as np
import pytest
from conftest import PACKAGE, ROOT, run_klr
from ml_dtypes import bfloat16
from schema_library import COMPILERS, Interpreted, Kernels, cpu_has

sys.path.insert(0, os.path.join(ROOT, "tests"))
from schema_published_cases import CASES  # noqa: E402

FOLDER = os.path.join(ROOT, "tests", "schema_published")
FILES = sorted({case.file for case in CASES.values()})
SIZES = [0, 1, 7, 67]
LAST_BITS = {np.dtype(np.float16): 11, np.dtype(bfloat16): 8, np.dtype(np.float32): 24, np.dtype(np.float64): 53}


def text_of(file):
    with open(os.path.join(FOLDER, file + ".py"), encoding="utf-8") as text:
        return text.read()


def made(name, size):
    """Arguments (bf16 as its bits), what must come out, and the launch."""
    case = CASES[name]
    arguments, want, *launch = case.make(np.random.default_rng([size, *name.encode()]), size)
    arguments = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in arguments.items()}
    assert all(value.flags.c_contiguous for value in arguments.values() if isinstance(value, np.ndarray))
    return arguments, want, launch[0] if launch else {}


def compare_with_numpy(name, size, arguments, got, want):
    case = CASES[name]
    assert set(got) <= set(want), (name, size, set(got), set(want))
    for key, array in want.items():
        if array is None:
            continue
        have = got[key].view(arguments[key].dtype).reshape(array.shape) if key in got else arguments[key]
        if have.dtype not in LAST_BITS or not case.ulps:
            assert np.array_equal(have, array, equal_nan=have.dtype.kind == "f"), (name, size, key, have, array)
            continue
        have, array = have.astype(np.float64), np.asarray(array, np.float64)
        assert np.array_equal(np.isnan(have), np.isnan(array)), (name, size, key, have, array)
        magnitude = np.abs(array) if case.each else np.full(array.shape, np.nanmax(np.abs(array), initial=1))
        unit = 2.0**(np.floor(np.log2(np.maximum(magnitude, 2.0**-100))) + 1 - LAST_BITS[arguments[key].dtype])
        apart = np.abs(np.subtract(have, array, where=have != array, out=np.zeros(array.shape)))  # infinities are equal
        far = np.nanmax(apart / unit, initial=0)
        assert far <= case.ulps, (name, size, key, far, have, array)


def bits(arguments):
    return {key: value.view(np.uint16) if isinstance(value, np.ndarray) and value.dtype == bfloat16 else value for key, value in arguments.items()}


def compare_bits(got, want, *where):
    assert set(got) == set(want), where
    for key in got:
        assert got[key].tobytes() == want[key].tobytes(), (*where, key, got[key], want[key])


@pytest.fixture(scope="module")
def interpreted():
    return {file: Interpreted(text_of(file)) for file in FILES}


@pytest.fixture(scope="module")
def results():
    """What the interpreter computed, for the libraries to compare with."""
    return {}


def interpret(interpreted, results, name, size):
    if (name, size) not in results:
        arguments, _, launch = made(name, size)
        results[name, size] = interpreted[CASES[name].file].run(name, bits(arguments), **launch)
    return results[name, size]


def test_every_kernel_has_a_case():
    assert FILES == sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(FOLDER, "*.py")))
    for file in FILES:
        kernels = re.findall(r"^(?<!@inline\n)(?<!@device\n)def (\w+)\(", text_of(file), re.M)
        assert sorted(kernels) == sorted(name for name, case in CASES.items() if case.file == file)


@pytest.mark.parametrize("file", FILES)
def test_the_interpreter_computes_what_numpy_does(file, interpreted, results):
    assert Interpreted(interpreted[file].json, "k.json").json == interpreted[file].json
    for name in [name for name, case in CASES.items() if case.file == file]:
        for size in SIZES:
            arguments, want, _ = made(name, size)
            compare_with_numpy(name, size, arguments, interpret(interpreted, results, name, size), want)


def compare_library(library, interpreted, results, file, *where):
    for name in [name for name, case in CASES.items() if case.file == file]:
        bodies = library.infos[name].stages[0].bodies
        for size in SIZES:
            arguments, _, launch = made(name, size)
            for isa, pieces in [(isa, pieces) for isa in range(3) for pieces in (1, 3) if cpu_has(isa) and bodies[isa]]:
                got, fault = library.run(name, bits(arguments), isa=isa, pieces=pieces, **launch)
                assert not fault.kind, (name, size, fault.line, fault.index)
                compare_bits(got, interpret(interpreted, results, name, size), name, size, isa, pieces, *where)


def check_library(tmp_path, interpreted, results, file, *options):
    environment = {"KLR_CACHE": str(tmp_path / "cache")}
    built = run_klr("schema", "build", os.path.join(FOLDER, file + ".py"), "-o", tmp_path, *options, environment=environment)
    assert built.returncode == 0, built.stderr
    compare_library(Kernels(tmp_path / f"{file}.so"), interpreted, results, file, *options)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_compiled_bits(file, tmp_path, monkeypatch, interpreted, results):
    """For this processor alone, as decorated functions are; tests/long has all instruction sets, compilers and verified accesses."""
    monkeypatch.syspath_prepend(PACKAGE)
    monkeypatch.setenv("KLR_CACHE", str(tmp_path / "cache"))
    schema = pytest.importorskip("klr.schema")
    session, document = schema._read(os.path.join(FOLDER, file + ".py"))
    assert document.build(str(tmp_path / f"{file}.so"), False, COMPILERS[-1], True)
    compare_library(Kernels(tmp_path / f"{file}.so"), interpreted, results, file)
