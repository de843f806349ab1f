"""Libraries of kernels by name: `klr schema list` and `klr schema run FOLDER`, and include/klr_schema.h by ctypes; files that are no libraries are told apart."""

import ctypes
import json
import os
import shutil
import struct
import subprocess
import threading

import numpy as np
import pytest
from conftest import ROOT, run_klr

GUARD = "    i = get_global_id()\n    if i < n:\n        "
KERNELS = ("from atlas_kernel import *\n"
           f"def saxpy(x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32):\n{GUARD}y[i] = s * x[i] + y[i]\n"
           f"def dot(a: DeviceArray[f32], b: DeviceArray[f32], r: DeviceArray[f32], n: u32):\n{GUARD}atomic_add_f32(r, a[i] * b[i])\n"
           f"def beyond(x: DeviceArray[f32], y: DeviceArray[f32], n: u32):\n{GUARD}y[i] = x[i + 90000]\n"
           "def free(y: DeviceArray[i32]):\n    y[get_global_id()] = 7\n"
           f"def totals(x: DeviceArray[f32], y: DeviceArray[f32], n: u32, k: u32):\n{GUARD}total = 0.0\n        for j in range(k):\n            total += x[i * k + j]\n        y[i] = total\n"
           "def maps(x: DeviceArray[f32], y: DeviceArray[f32], n: u32):\n    parallel_map_unary(x, y, 'exp', n)\n    parallel_scan(y, y, 'sum', 9)\n    parallel_reduce(y, x, 'sum', n)\n"
           "def tiles(x: DeviceArray[f32], out: DeviceArray[f32]):\n    part = shared_array(f32, 64)\n    i = get_global_id()\n    local = get_local_id()\n    part[local] = x[i]\n"
           "    barrier()\n    out[i] = part[63 - local]\n")
N = 100003


def build(folder, text=KERNELS, name="k", *options):
    folder.mkdir(exist_ok=True, parents=True)
    source = folder.parent / f"{name}.py"
    source.write_text(text)
    result = run_klr("schema", "build", source, "-o", folder, *options, environment={"KLR_CACHE": str(folder.parent / "cache")})
    assert result.returncode == 0, result.stderr
    return folder / f"{name}.so"


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("launch")
    build(folder / "plain")
    build(folder / "checked", KERNELS, "k", "--checked")
    return folder


def launch(folder, name, *arguments, out=None):
    options = ["--out", out] if out else []
    return run_klr("schema", "run", folder, name, *arguments, *options)


def test_list(libraries):
    result = run_klr("schema", "list", libraries / "plain")
    assert result.returncode == 0 and "saxpy(x: in f32[], y: inout f32[], s: f32, n: u32)" in result.stdout
    listed = json.loads(run_klr("schema", "list", libraries / "checked" / "k.so", "--json").stdout)
    assert [kernel["name"] for kernel in listed["kernels"]] == ["beyond", "dot", "free", "maps", "saxpy", "tiles", "totals"]
    assert all(kernel["checked"] and len(kernel["schema_hash"]) == 16 for kernel in listed["kernels"])


@pytest.mark.parametrize("kind", ["plain", "checked"])
def test_results_do_not_depend_on_threads(libraries, tmp_path, kind):
    a, b = (np.random.default_rng(seed).standard_normal(N).astype(np.float32) for seed in (1, 2))
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    files = f"=@{tmp_path}/a.npy", f"=@{tmp_path}/b.npy"
    sums, stages = set(), set()
    for threads in ("1", "2", "7"):
        ran = launch(libraries / kind, "saxpy", "x" + files[0], "y" + files[1], "s=2.5", f"n={N}", "--threads", threads, out=tmp_path / "out")
        assert ran.returncode == 0, ran.stderr
        assert np.load(tmp_path / "out" / "y.npy").tobytes() == (np.float32(2.5) * a + b).tobytes()
        ran = launch(libraries / kind, "dot", "a" + files[0], "b" + files[1], "r=zeros:f32[1]", f"n={N}", "--threads", threads, out=tmp_path / "out")
        assert ran.returncode == 0, ran.stderr
        sums.add(np.load(tmp_path / "out" / "r.npy").tobytes())
        rows = launch(libraries / kind, "totals", "x" + files[0], "y" + files[1], "n=1000", "k=100", "--threads", threads, out=tmp_path / "out")
        assert rows.returncode == 0, rows.stderr
        assert np.load(tmp_path / "out" / "y.npy")[:1000].tobytes() == a[:100000].reshape(1000, 100).cumsum(1, dtype=np.float32)[:, -1].tobytes()
        assert launch(libraries / kind, "maps", "x" + files[0], "y" + files[1], f"n={N}", "--threads", threads, out=tmp_path / "out").returncode == 0
        stages.add(np.load(tmp_path / "out" / "x.npy").tobytes() + np.load(tmp_path / "out" / "y.npy").tobytes())
    assert len(sums) == len(stages) == 1
    assert abs(np.frombuffer(sums.pop(), np.float32)[0] - np.dot(a.astype(float), b)) < 0.05


def test_groups(libraries, tmp_path):
    np.save(tmp_path / "x.npy", np.arange(6400, dtype=np.float32))
    ran = launch(libraries / "plain", "tiles", f"x=@{tmp_path}/x.npy", "out=zeros:f32[6400]", "--grid", "6400", "--group", "64", out=tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    assert np.array_equal(np.load(tmp_path / "out" / "out.npy"), np.arange(6400).reshape(100, 64)[:, ::-1].ravel())


WIDE = ("from atlas_kernel import *\ndef wide(a: DeviceArray[f64], k: DeviceArray[u64], j: DeviceArray[i64], b: DeviceArray[f64], n: u32):\n"
        "    i = get_global_id()\n    if i < n:\n        b[i] = a[i] / 3 + k[i] // 5 - j[i]\n")


def test_wide_types_and_what_a_library_says_of_itself(tmp_path):
    draw = np.random.default_rng(4)
    given = {"a": draw.standard_normal(999), "k": draw.integers(0, 1 << 52, 999).astype(np.uint64), "j": draw.integers(-1 << 50, 1 << 50, 999)}
    for name, array_ in given.items():
        np.save(tmp_path / f"{name}.npy", array_)
    words = [*[f"{name}=@{tmp_path}/{name}.npy" for name in given], "b=ones:f64[1000]", "n=999"]
    folder = build(tmp_path / "lib", WIDE, "wide").parent
    os.remove(tmp_path / "wide.py")  # the library carries its schema
    want = np.append(given["a"] / 3 + (given["k"] // 5).astype(np.float64) - given["j"], 1)
    for option in ([], ["--interpret"]):
        ran = run_klr("schema", "run", folder, "wide", *words, *option, "--out", tmp_path / "out")
        assert ran.returncode == 0 and "float64[1000]" in ran.stdout, ran.stderr
        got = np.load(tmp_path / "out" / "b.npy")
        assert got.dtype == np.float64 and got.tobytes() == want.tobytes()
    np.save(tmp_path / "a.npy", given["k"])  # becomes f64 on request only
    assert "an array of `uint64`, not `float64`" in run_klr("schema", "run", folder, "wide", *words).stderr
    assert run_klr("schema", "run", folder, "wide", words[0] + ":f64", *words[1:], "--out", tmp_path / "out").returncode == 0
    assert np.load(tmp_path / "out" / "b.npy")[:-1].tobytes() == (given["k"].astype(np.float64) / 3 + (given["k"] // 5).astype(np.float64) - given["j"]).tobytes()
    ran = run_klr("schema", "run", folder, "wide", "a=randn:f64[999]", *words[1:], "--json", "--seed", "3")
    assert ran.returncode == 0 and json.loads(ran.stdout)["outputs"][0]["dtype"] == "float64"
    told = run_klr("schema", "run", folder, "wide", "a=f64[999]", *words[1:]).stderr
    assert "a shape without values" in told
    for option, why in (("--interpret", "element 5 of `k`, which has 5"), ("--checked", "was built without checks")):
        ran = run_klr("schema", "run", folder, "wide", words[0] + ":f64", "k=ones:u64[5]", *words[2:], option)
        assert ran.returncode == 1 and why in ran.stderr
    made = run_klr("schema", "run", folder, "wide", "a=uniform:f64[999]", "k=zeros:u64[999]", "j=zeros:i64[999]", *words[3:], "--out", tmp_path / "out")
    got = np.load(tmp_path / "out" / "b.npy")[:-1] * 3
    assert made.returncode == 0 and 0 <= got.min() < 0.02 and 0.98 < got.max() < 1 and len(set(got)) > 990 and (got != got.astype(np.float32)).any()
    assert "no dtype" in run_klr("run", os.path.join(ROOT, "examples", "tensor_add.py"), "a_input=randn:f64[8]", "b_input=randn:f32[8]").stderr  # tensors have none


def test_what_launches_refuse(libraries):
    def told(name, *arguments, kind="plain"):
        ran = launch(libraries / kind, name, *arguments)
        assert ran.returncode == 1 and ("E1008" if kind == "checked" else "E1009") in ran.stderr, ran.stdout + ran.stderr
        return ran.stderr
    assert "`y` has 9 elements, 10 are needed" in told("saxpy", "x=ones:f32[10]", "y=ones:f32[9]", "s=1.0", "n=10")
    assert "nothing says how many threads" in told("free", "y=zeros:i32[4]")
    assert "a grid of 3 dimensions, and free asks for ids in 1" in told("free", "y=zeros:i32[4]", "--grid", "4,1,3")
    assert "has no kernel `saxpi`" in told("saxpi")
    assert "is missing" in told("free")
    fault = told("beyond", "x=ones:f32[90500]", f"y=zeros:f32[{N}]", f"n={N}", kind="checked")
    assert "index 90500 is outside of `x`, which has 90500 elements, in thread 500 (" in fault and "line 13" in fault


def patched(data, offset, form, *values):
    data = bytearray(data)
    struct.pack_into(form, data, offset, *values)
    return bytes(data)


def test_files_that_are_no_libraries(libraries, tmp_path):
    good = (libraries / "plain" / "k.so").read_bytes()
    folder = tmp_path / "many"
    folder.mkdir()
    table = good.index(struct.pack("<III", 0x4b524c4b, 1, 40))
    (tmp_path / "n.c").write_text("int nothing;\n")
    subprocess.run([shutil.which("cc") or "gcc", "-shared", "-fPIC", "-o", folder / "nosymbol.so", tmp_path / "n.c"], check=True)
    files = {"empty.so": b"", "text.so": b"no library at all\n" * 50, "short.so": good[:40], "half.so": good[:len(good) // 2], "cut.so": good[:-200],
             "machine.so": patched(good, 18, "<H", 243), "class.so": patched(good, 4, "<B", 1), "program.so": patched(good, 16, "<H", 2),
             "abi.so": patched(good, table + 4, "<I", 99), "magic.so": patched(good, table, "<I", 1), "small.so": patched(good, table + 8, "<I", 16),
             "a_good.so": good, "z_again.so": good, "writable.so": good, "sections.so": patched(good, 40, "<Q", 1 << 62)}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    os.chmod(folder / "writable.so", 0o666)
    os.mkfifo(folder / "pipe.so")
    (folder / "folder.so").mkdir()
    result = run_klr("schema", "list", folder, "--json")
    listed = json.loads(result.stdout)
    assert result.returncode == 1 and len(listed["kernels"]) == 7
    assert all(kernel["library"].endswith("a_good.so") for kernel in listed["kernels"])
    told = {}
    for diagnostic in listed["diagnostics"]:
        assert diagnostic["code"] == "E1012"
        path, why = diagnostic["message"].split(".so: ", 1)
        told[os.path.basename(path)] = why
    wanted = {"empty": "is empty", "text": "no ELF file", "short": "cut off", "half": "cut off", "cut": "cut off", "machine": "another machine", "class": "another machine",
              "program": "no shared library", "abi": "version 99", "magic": "no table", "small": "too few", "z_again": "already that of", "writable": "everyone may write",
              "sections": "cut off", "pipe": "no regular file", "folder": "no regular file", "nosymbol": "no symbol"}
    assert set(told) == set(wanted)
    for name, why in wanted.items():
        assert why in told[name], (name, told[name])


def test_folders_of_everyone(libraries, tmp_path):
    folder = tmp_path / "open"
    shutil.copytree(libraries / "plain", folder)
    os.chmod(folder, 0o777)
    for path in (folder, folder / "k.so"):
        result = run_klr("schema", "list", path)
        assert result.returncode == 1 and "E1012" in result.stderr and "everyone may write to the folder" in result.stderr
    assert "E1012" in run_klr("schema", "list", tmp_path / "absent.so").stderr


class Launch(ctypes.Structure):
    _fields_ = [("grid", ctypes.c_uint64 * 3), ("local", ctypes.c_uint64 * 3), ("threads", ctypes.c_uint32)]


class Argument(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("count", ctypes.c_uint64), ("value", ctypes.c_uint64), ("dtype", ctypes.c_uint8), ("is_array", ctypes.c_uint8),
                ("is_read_only", ctypes.c_uint8), ("reserved", ctypes.c_uint8 * 5)]


class Options(ctypes.Structure):
    _fields_ = [("replace", ctypes.c_bool), ("allow_writable", ctypes.c_bool)]


@pytest.fixture(scope="module")
def api():
    """The launcher alone, as a library: nothing else of the program is in it but what it asks for."""
    library = ctypes.CDLL(os.path.join(ROOT, "build", "tools", "launcher", "libklr_schema.so"))
    library.klr_registry_new.restype = ctypes.c_void_p
    library.klr_registry_find.restype = ctypes.c_uint64
    library.klr_registry_error.restype = ctypes.c_char_p
    for name in ("load", "unload", "find", "error", "free", "count"):
        counts = {"load": 3, "unload": 2, "find": 2}
        getattr(library, f"klr_registry_{name}").argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(Options)][:counts.get(name, 1)]
    for name in ("load", "unload"):
        getattr(library, f"klr_registry_{name}").restype = ctypes.c_bool
    library.klr_registry_count.restype = ctypes.c_size_t
    library.klr_launch.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.POINTER(Argument), ctypes.c_size_t, ctypes.POINTER(Launch)]
    library.klr_launch.restype = ctypes.c_bool
    return library


class Registry:
    def __init__(self, api):
        self.api, self.registry = api, api.klr_registry_new()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.api.klr_registry_free(self.registry)

    def error(self):
        return self.api.klr_registry_error(self.registry).decode()

    def load(self, path, replace=False):
        return self.api.klr_registry_load(self.registry, str(path).encode(), Options(replace, False))

    def unload(self, path):
        return self.api.klr_registry_unload(self.registry, str(path).encode())

    def find(self, name):
        return self.api.klr_registry_find(self.registry, name.encode())

    def launch(self, kernel, arguments, threads=0):
        row = (Argument * (len(arguments) + 1))(*arguments)
        return self.api.klr_launch(self.registry, kernel, row, len(arguments), Launch(threads=threads))


F32, U32 = 11, 7


def array(a, dtype=F32, count=None, **more):
    return Argument(data=a if isinstance(a, int) else a.ctypes.data, count=len(a) if count is None else count, dtype=dtype, is_array=1, **more)


def number(value, dtype=U32):
    return Argument(value=value if dtype == U32 else int(np.float32(value).view(np.uint32)), dtype=dtype)


def test_arguments_are_checked(api, libraries):
    x, y = np.ones(64, np.float32), np.zeros(64, np.float32)
    good = [array(x), array(y), number(2, F32), number(64)]
    wrong = [
        (good[:3], "takes 4 arguments, not 3"), ([good[0], good[1], good[2], array(x)], "`n` is a number, not an array"),
        ([number(1), *good[1:]], "`x` is an array, not a number"), ([array(x, U32), *good[1:]], "`x` is of f32, not u32"),
        ([array(x, 200), *good[1:]], "not no type"), ([array(0, count=64), *good[1:]], "no address"),
        ([array(x, count=1 << 62), *good[1:]], "more than there is memory"), ([array(x.ctypes.data + 1, count=63), *good[1:]], "no multiple of 4"),
        ([good[0], array(y, is_read_only=1), *good[2:]], "may only be read"), ([array(y[:60]), *good[1:]], "shares memory with `x`"),
        ([array(x[:63]), *good[1:]], "`x` has 63 elements, 64 are needed"),
    ]
    with Registry(api) as registry:
        assert registry.load(libraries / "plain" / "k.so"), registry.error()
        kernel = registry.find("saxpy")
        for arguments, told in wrong:
            assert not registry.launch(kernel, arguments) and told in registry.error(), (told, registry.error())
        assert not y.any()
        assert registry.launch(kernel, good) and (y == 2).all()
        assert registry.launch(kernel, [array(y), array(y), *good[2:]]) and (y == 6).all()  # one array, twice
        assert registry.launch(kernel, [array(0, count=0), array(0, count=0), number(2, F32), number(0)])
        for stale in (0, kernel + 1000, kernel + (1 << 32), (1 << 64) - 1):
            assert not registry.launch(stale, good) and "no longer" in registry.error()


def test_replaced_and_unloaded(api, tmp_path):
    text = "from atlas_kernel import *\ndef put(y: DeviceArray[f32], n: u32):\n" + GUARD + "y[i] = {}\n"
    path = build(tmp_path / "lib", text.format("1.0"))
    y = np.zeros(8, np.float32)
    arguments = [array(y), number(8)]
    with Registry(api) as registry:
        assert registry.load(path)
        first = registry.find("put")
        assert not registry.load(path) and "is loaded already" in registry.error()
        build(tmp_path / "lib", text.format("2.0"))
        assert registry.load(path, replace=True), registry.error()
        second = registry.find("put")
        assert not registry.launch(first, arguments) and registry.launch(second, arguments) and (y == 2).all()
        other = build(tmp_path / "lib", text.format("3.0"), "other")
        assert not registry.load(other) and "`put` is already that of" in registry.error()
        assert registry.launch(second, arguments)
        assert registry.load(other, replace=True) and not registry.launch(second, arguments)
        assert registry.launch(registry.find("put"), arguments) and (y == 3).all()
        assert registry.unload(other) and not registry.find("put") and "no kernel `put`" in registry.error()
        assert registry.unload(path) and not registry.unload(path) and registry.api.klr_registry_count(registry.registry) == 0


def test_many_threads_launch_while_libraries_come_and_go(api, libraries):
    path = libraries / "plain" / "k.so"
    wrong, done = [], []
    with Registry(api) as registry:
        registry.load(path)

        def work(seed):
            x, y = np.random.default_rng(seed).standard_normal((2, N)).astype(np.float32)
            for _ in range(60):
                want = np.float32(0.5) * x + y
                if not registry.launch(registry.find("saxpy"), [array(x), array(y), number(0.5, F32), number(N)], threads=2):
                    if "loaded" not in registry.error():
                        wrong.append(registry.error())
                    continue
                done.append(seed)
                if want.tobytes() != y.tobytes():
                    wrong.append(seed)
        workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for worker in workers:
            worker.start()
        for _ in range(15):
            registry.unload(path)
            registry.load(path)
        for worker in workers:
            worker.join()
    assert not wrong and done
