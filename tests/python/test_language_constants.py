"""nl.shared_constant: from .npy files and from lists; in runs, in .klr files, in gathered sources, and when files are missing."""

import json
import shutil

import ml_dtypes
import numpy as np
import pytest
from conftest import run_klr

KERNEL = """import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def k(x, path="w.npy"):
    w = nl.shared_constant(path)
    assert w.buffer == nl.shared_hbm and nl.shared_constant(path).name == w.name
    out = nl.ndarray(w.shape, w.dtype, nl.shared_hbm)
    nl.store(out, nl.load(w))
    pairs = nl.ndarray((2, 3), nl.int32, nl.shared_hbm)
    nl.store(pairs, nl.load(nl.shared_constant([[1, -2, 3], [4, 5, 2**31 - 1]])))
    reals = nl.ndarray((1, 2), nl.float32, nl.shared_hbm)
    nl.store(reals, nl.load(nl.shared_constant(((1, 2.5),))))
    return out, pairs, reals
"""
RNG = np.random.default_rng(3)
ARRAYS = {
    "float32": RNG.standard_normal((4, 3)).astype(np.float32), "float16": RNG.standard_normal((128, 2)).astype(np.float16),
    "bfloat16": RNG.standard_normal((3, 5, 2)).astype(ml_dtypes.bfloat16), "int8": np.arange(-4, 4, dtype=np.int8).reshape(2, 4),
    "uint32": np.array([[0, 2**32 - 1]], dtype=np.uint32), "int32": np.array([[-(2**31), 7]], dtype=np.int32),
    "uint16": np.array([[65535]], dtype=np.uint16), "int16": np.array([[-5]], dtype=np.int16),
    "uint8": np.array([[255, 0]], dtype=np.uint8), "float8_e5m2": np.array([[1.5, -57344]], dtype=ml_dtypes.float8_e5m2),
}


def write(tmp_path, array=ARRAYS["float32"]):
    np.save(tmp_path / "w.npy", array)
    (tmp_path / "k.py").write_text(KERNEL)
    return tmp_path / "k.py"


def check(done, folder, array=ARRAYS["float32"], dtype="float32"):
    assert done.returncode == 0, done.stderr
    rows = json.loads((folder / "outputs.json").read_text())["outputs"]
    first, second, third = (np.load(folder / row["file"]) for row in rows)
    assert rows[0]["dtype"] == dtype
    np.testing.assert_array_equal(first.astype(np.float64), array.astype(np.float64))
    np.testing.assert_array_equal(second, [[1, -2, 3], [4, 5, 2**31 - 1]])
    np.testing.assert_array_equal(third, np.array([[1, 2.5]], np.float32))


@pytest.mark.parametrize("dtype", ARRAYS)
def test_a_file_beside_the_kernel(tmp_path, dtype):
    path = write(tmp_path, ARRAYS[dtype])
    done = run_klr("run", path, "x=zeros:f32[1,1]", "--out", tmp_path / "out", cwd="/")
    check(done, tmp_path / "out", ARRAYS[dtype], dtype)


def test_both_cores_share_it_and_precise_floats_are_not_needed(tmp_path):
    path = write(tmp_path, ARRAYS["bfloat16"])
    for number, options in enumerate([("--lnc", "2"), ("--fp", "f32"), ("--reference",), ("--target", "trn1")]):
        done = run_klr("run", path, "x=zeros:f32[1,1]", "--out", tmp_path / f"out{number}", *options)
        check(done, tmp_path / f"out{number}", ARRAYS["bfloat16"], "bfloat16")


def test_the_current_folder_comes_first(tmp_path):
    path = write(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    np.save(other / "w.npy", ARRAYS["float32"] + 1)
    check(run_klr("run", path, "x=zeros:f32[1,1]", "--out", tmp_path / "out", cwd=other), tmp_path / "out", ARRAYS["float32"] + 1)


def test_klr_files_carry_their_constants(tmp_path):
    path = write(tmp_path)
    made = tmp_path / "made"
    made.mkdir()
    done = run_klr("trace", path, "x=f32[1,1]", "-o", made / "k.klr")
    assert done.returncode == 0, done.stderr
    path.unlink()
    (tmp_path / "w.npy").unlink()
    check(run_klr("run", made / "k.klr", "x=zeros:f32[1,1]", "--out", tmp_path / "out"), tmp_path / "out")
    shutil.move(made, tmp_path / "moved")
    check(run_klr("run", "k.klr", "x=zeros:f32[1,1]", "--out", tmp_path / "again", cwd=tmp_path / "moved"), tmp_path / "again")
    assert run_klr("verify", tmp_path / "moved" / "k.klr").returncode == 0


def test_gathered_sources_find_it_where_the_kernel_was(tmp_path):
    path = write(tmp_path)
    assert run_klr("gather", path, "-o", tmp_path / "g.json").returncode == 0
    path.unlink()
    check(run_klr("run", tmp_path / "g.json", "x=zeros:f32[1,1]", "--out", tmp_path / "out", cwd="/"), tmp_path / "out")


def test_on_standard_output_there_is_no_place_for_constants(tmp_path):
    done = run_klr("trace", write(tmp_path), "x=f32[1,1]", "--as", "text")
    assert done.returncode == 0 and 'constant constant.1 = "shared_constants/' in done.stdout
    assert "constants are not written" in done.stderr and "-o FILE" in done.stderr


def first_error(done):
    assert done.returncode == 1, done.stdout
    return next(d for d in json.loads(done.stdout)["diagnostics"] if d["severity"] == "error")


@pytest.mark.parametrize("path, code, texts", [
    ("'absent.npy'", "E0001", ["absent.npy", "current folder"]), ("'k.py'", "E0003", ["k.py"]),
    ("3", "E0410", ["`nl.shared_constant`", "int", ".npy"]), ("[[1, 2], [3]]", "E0410", ["one length"]),
    ("[]", "E0410", [".npy"]), ("[['a']]", "E0410", [".npy"]), ("x", "E0410", ["a tensor", "use it as it is"]),
    ("'e4.npy'", "E0410", ["V1", "uint8", "view"]), ("'scalar.npy'", "E0410", ["0 dimensions"]),
    ("'words.npy'", "E0003", ["U3", "number type"]),
])
def test_what_is_no_constant_is_refused_at_its_line(tmp_path, path, code, texts):
    write(tmp_path)
    (tmp_path / "k.py").write_text(KERNEL.replace("nl.shared_constant(path)", f"nl.shared_constant({path})", 1))
    np.save(tmp_path / "e4.npy", np.ones((2, 2), dtype=ml_dtypes.float8_e4m3))
    np.save(tmp_path / "scalar.npy", np.float32(3))
    np.save(tmp_path / "words.npy", np.array([["abc"]]))
    error = first_error(run_klr("run", tmp_path / "k.py", "x=zeros:f32[1,1]", "--json", cwd=tmp_path))
    assert error["code"] == code and error.get("line", 8) == 8, error
    for text in texts:
        assert text in json.dumps(error), error


def test_a_lost_or_other_file_is_named(tmp_path):
    run_klr("trace", write(tmp_path), "x=f32[1,1]", "-o", tmp_path / "k.klr")
    files = sorted((tmp_path / "shared_constants").iterdir())
    (text,) = [f for f in files if np.load(f).shape == (4, 3)]
    np.save(text, np.zeros((4, 2), np.float32))
    error = first_error(run_klr("run", tmp_path / "k.klr", "x=zeros:f32[1,1]", "--json"))
    assert error["code"] == "E0630" and "8 elements of 4 bytes" in error["message"] and "12 of 4" in error["message"]
    text.unlink()
    error = first_error(run_klr("run", tmp_path / "k.klr", "x=zeros:f32[1,1]", "--json"))
    assert error["code"] == "E0001" and text.name in error["message"] and "constant.1" in json.dumps(error["notes"])
