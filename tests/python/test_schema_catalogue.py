"""The kernels of kernels/: the interpreter against NumPy, and compiled libraries against the interpreter, bit for bit."""

import concurrent.futures
import glob
import importlib.util
import os
import re
import sys

import numpy as np
import pytest
from conftest import ROOT, run_klr
from schema_library import Kernels, cpu_has

sys.path.insert(0, os.path.join(ROOT, "tests"))
from schema_catalogue import CATALOGUE, distance  # noqa: E402

SIZES = [0, 1, 7, 100]
FOLDER = os.path.join(ROOT, "kernels")


def path_of(key):
    return os.path.join(FOLDER, key + ".py")


def interpret(folder, key, given):
    """Runs a kernel of the catalogue; returns its written arrays by name."""
    folder.mkdir(parents=True)
    words = []
    for name, value in given.items():
        if isinstance(value, np.ndarray):
            np.save(folder / f"{name}.npy", value)
            value = f"@{folder / name}.npy"
        words.append(f"{name}={value}")
    result = run_klr("schema", "run", path_of(key), os.path.basename(key), *words, "--out", folder / "out")
    assert result.returncode == 0, result.stderr
    return {os.path.basename(file)[:-4]: np.load(file) for file in glob.glob(str(folder / "out" / "*.npy"))}


def build(folder):
    """Two libraries of all kernels: those of vector/, where a kernel is called `exp`, and the rest, which call exp."""
    folder.mkdir()
    for name in ("vector", "rest"):
        files = [path_of(key) for key in CATALOGUE if key.startswith("vector/") == (name == "vector")]
        texts = [open(file, encoding="utf-8").read() for file in files]
        (folder / f"{name}.py").write_text("".join(texts), encoding="utf-8")
    result = run_klr("schema", "build", folder / "vector.py", folder / "rest.py", "-o", folder, environment={"KLR_CACHE": str(folder / "cache")})
    assert result.returncode == 0, result.stderr
    return [Kernels(folder / "vector.so"), Kernels(folder / "rest.so")]


def test_every_kernel_has_a_row_and_its_name():
    files = {os.path.relpath(file, FOLDER)[:-3] for file in glob.glob(os.path.join(FOLDER, "*", "*.py"))}
    assert files == set(CATALOGUE)
    for key in files:
        with open(path_of(key), encoding="utf-8") as text:
            kernels = re.findall(r"^(?<!@inline\n)def (\w+)\(", text.read(), re.M)
        assert kernels == [os.path.basename(key)]


def test_values_and_bits(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        building = pool.submit(build, tmp_path / "built")
        cases = []
        for key, row in CATALOGUE.items():
            for n in SIZES:
                given = row.arguments(np.random.default_rng([n, len(cases)]), n)
                cases.append((key, n, given, pool.submit(interpret, tmp_path / key / str(n), key, given)))
        vector, rest = building.result()
        for key, n, given, running in cases:
            got = running.result()
            want = CATALOGUE[key].reference(**given)
            scale = want.pop("scale", None)
            assert set(got) == set(want), (key, n)
            for name, array in want.items():
                assert got[name].dtype == given[name].dtype
                assert distance(got[name], array, scale) <= CATALOGUE[key].ulps, (key, n, distance(got[name], array, scale), got[name], array)
            for isa in range(3):
                if cpu_has(isa):
                    native, _ = (vector if key.startswith("vector/") else rest).run(os.path.basename(key), given, isa=isa)
                    assert set(native) == set(got)
                    for name in got:
                        assert native[name].tobytes() == got[name].tobytes(), (key, n, name, isa)


def test_the_module_of_primitives_has_every_name(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import atlas_kernel
    names = set()
    for table in ("calls", "types"):
        with open(os.path.join(ROOT, "src", "schema", table + ".def"), encoding="utf-8") as text:
            names |= {name.strip('"') for name in re.findall(r'^(?:CALL|CALL_ALIAS|ATOMIC_ALIAS|TYPE_ALIAS)\(("?\w+"?)|^SCALAR\(\w+, ("\w+")', text.read(), re.M) for name in name if name}
    assert len(names) > 60
    assert {name for name in names if not hasattr(atlas_kernel, name)} <= {"bool", "int", "float"}  # Python's own
    with pytest.raises(RuntimeError, match="klr schema"):
        atlas_kernel.tanh(1.0)
    for key in CATALOGUE:
        spec = importlib.util.spec_from_file_location("kernel", path_of(key))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert getattr(module, os.path.basename(key)).__doc__
