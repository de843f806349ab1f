"""The kernels of kernels/: the interpreter against NumPy, and compiled libraries against the interpreter, bit for bit."""

import glob
import importlib.util
import os
import re
import sys

import numpy as np
import pytest
from conftest import ROOT, run_klr
from schema_library import COMPILERS, Interpreted, Kernels, cpu_has

sys.path.insert(0, os.path.join(ROOT, "tests"))
from schema_catalogue import CATALOGUE, distance, retype, types_of  # noqa: E402

SIZES = [0, 1, 7, 64, 333, 1000]
FOLDER = os.path.join(ROOT, "kernels")
HALF = 0.51


def path_of(key):
    return os.path.join(FOLDER, key + ".py")


def text_of(key):
    with open(path_of(key), encoding="utf-8") as text:
        return text.read()


def group_of(key):
    """Kernels of vector/ are called `exp`, which others call."""
    return "vector" if key.startswith("vector/") else "rest"


def given_for(key, dtype, size, seed=0):
    arguments = CATALOGUE[key].arguments(np.random.default_rng([size, seed, *key.encode()]), size)
    return retype(key, text_of(key), arguments, dtype)


def allowed(row, dtype, given):
    """ULPs of the type that is computed in. Functions of float64 are those of the platform, which are held to two more."""
    growth = max(1, row.summed(given) / 1000)**0.5 if row.summed else 1
    return growth * (row.ulps if dtype != "f64" else HALF if 0.5 <= row.ulps < HALF else row.ulps + 2 * bool(row.ulps))


def compare_with_numpy(key, dtype, size, given, got):
    row = CATALOGUE[key]
    want = row.reference(**given)
    scale = want.pop("scale", None)
    assert set(got) == set(want), (key, dtype, size)
    for name, array in want.items():
        assert got[name].dtype == given[name].dtype
        far = distance(got[name], array, scale)
        assert far <= allowed(row, dtype, given), (key, dtype, size, name, far, got[name], array)


def compare_bits(got, want, *where):
    assert set(got) == set(want), where
    for name in got:
        assert got[name].tobytes() == want[name].tobytes(), (*where, name, got[name], want[name])


def build(folder, texts, compiler):
    """Libraries of kernels: {group: [(key, dtype, text)]}."""
    folder.mkdir(parents=True)
    for group, rows in texts.items():
        whole = "".join(re.sub(rf"^def {os.path.basename(key)}\(", f"def {os.path.basename(key)}_{dtype}(", text, flags=re.M) for key, dtype, text in rows)
        # A helper that several types share is defined once.
        for helper in re.findall(r"^@inline\ndef \w+\(.*\):\n(?:    .*\n)+", whole, re.M):
            whole = helper + whole.replace(helper, "")
        for constant in re.findall(r"^[A-Z]\w* = .*\n", whole, re.M):
            whole = constant + whole.replace(constant, "")
        (folder / f"{group}.py").write_text(whole, encoding="utf-8")
    result = run_klr("schema", "build", *[folder / f"{group}.py" for group in texts], "-o", folder, "--compiler", compiler, environment={"KLR_CACHE": str(folder / "cache")})
    assert result.returncode == 0, result.stderr
    return {group: Kernels(folder / f"{group}.so") for group in texts}


def check_all(folder, pairs, sizes, compiler, seed=0):
    """`pairs` of kernels and types: NumPy, the interpreter, and every instruction set."""
    texts = {}
    for key, dtype in pairs:
        texts.setdefault(group_of(key), []).append((key, dtype, given_for(key, dtype, 1)[0]))
    libraries = build(folder, texts, compiler)
    for key, dtype in pairs:
        name = os.path.basename(key)
        interpreted = Interpreted(given_for(key, dtype, 1)[0])
        assert Interpreted(interpreted.json, "k.json").json == interpreted.json
        for size in sizes:
            given = given_for(key, dtype, size, seed)[1]
            got = interpreted.run(name, given)
            compare_with_numpy(key, dtype, size, given, got)
            for isa in range(3):
                if cpu_has(isa):
                    native, _ = libraries[group_of(key)].run(f"{name}_{dtype}", given, isa=isa, pieces=1 + size % 3)
                    compare_bits(native, got, key, dtype, size, isa, compiler)


def test_every_kernel_has_a_row_and_its_name():
    files = {os.path.relpath(file, FOLDER)[:-3] for file in glob.glob(os.path.join(FOLDER, "*", "*.py"))}
    assert files == set(CATALOGUE)
    for key in files:
        assert re.findall(r"^(?<!@inline\n)def (\w+)\(", text_of(key), re.M) == [os.path.basename(key)]


@pytest.mark.slow
def test_values_and_bits(tmp_path):
    check_all(tmp_path / "gcc", [(key, "f32") for key in CATALOGUE], SIZES, COMPILERS[0])


@pytest.mark.slow
def test_other_types(tmp_path):
    """Each kernel with one of its other types, in turn; tests/long has all of them."""
    turn = iter(range(10**6))
    pairs = [(key, types_of(row)[next(turn) % len(types_of(row))]) for key, row in CATALOGUE.items()]
    assert {dtype for _, dtype in pairs} >= {"f64", "f16", "bf16", "i32", "u8"}
    check_all(tmp_path / "clang", pairs, [1, 37], COMPILERS[-1])


def test_on_the_command_line(tmp_path):
    """The same through files; the sanitizers see the interpreter here."""
    for key in ("matrix/onnx_gemm", "reduction/vector_dot", "quantum/minimize_energy", "quantum/optimal_path", "shape/onnx_gather"):
        given, name_of = given_for(key, "f32", 7)[1], os.path.basename(key)
        words = []
        for name, value in given.items():
            if isinstance(value, np.ndarray):
                np.save(tmp_path / f"{name}.npy", value)
                value = f"@{tmp_path / name}.npy"
            words.append(f"{name}={value}")
        result = run_klr("schema", "run", path_of(key), name_of, *words, "--out", tmp_path / name_of)
        assert result.returncode == 0, result.stderr
        compare_with_numpy(key, "f32", 7, given, {os.path.basename(file)[:-4]: np.load(file) for file in glob.glob(str(tmp_path / name_of / "*.npy"))})


def test_the_readme_states_every_bound():
    with open(os.path.join(FOLDER, "README.md"), encoding="utf-8") as page:
        stated = dict(re.findall(r"^\| `(\w+)` \| .* \| ([\d.]+) \|$", page.read(), re.M))
    assert {key.split("/")[1]: f"{row.ulps:.3g}" for key, row in CATALOGUE.items()} == stated


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
