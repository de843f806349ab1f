"""What goes wrong around libraries of kernels: damaged files, no compiler, no room, builds that are ended or meet. Each is told with a next step, and nothing is
loaded or written by half."""

import ctypes
import json
import os
import signal
import struct
import subprocess
import time

import numpy as np
import pytest
from conftest import KLR, run_klr
from schema_library import COMPILERS, Kernels
from test_schema_launch import KERNELS, Registry, api, array, build, libraries, number  # noqa: F401  fixtures

pytestmark = pytest.mark.slow
HEAD = "from atlas_kernel import *\n"
SIMPLE = HEAD + "def k(x: DeviceArray[f32], n: u32):\n    i = get_global_id()\n    if i < n:\n        x[i] = x[i] + 1\n"


def write(tmp_path, text=SIMPLE):
    (tmp_path / "k.py").write_text(text)
    return tmp_path / "k.py"


def settings(tmp_path, **more):
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return {"KLR_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp"), **more}


def make(tmp_path, *options, source=None, **more):
    return run_klr("schema", "build", source or write(tmp_path), "-o", tmp_path / "lib", *options, environment=settings(tmp_path, **more))


def nothing_is_left(tmp_path):
    for folder in ("lib", "cache", "tmp"):
        assert not os.path.isdir(tmp_path / folder) or os.listdir(tmp_path / folder) == [], folder


# ---- files that are loaded

def test_cut_at_every_64th_byte(api, libraries, tmp_path):  # noqa: F811
    good = (libraries / "plain" / "k.so").read_bytes()
    path = tmp_path / "k.so"
    with Registry(api) as registry:
        for size in range(0, len(good) - 1, 64):
            path.write_bytes(good[:size])
            assert not registry.load(path) and str(path) in registry.error(), size
        assert api.klr_registry_count(registry.registry) == 0
        path.write_bytes(good)
        assert registry.load(path), registry.error()


def test_headers_that_lie(api, libraries, tmp_path):  # noqa: F811
    """Every field of the ELF header, with values that lead out of the file: refused, or as harmless as before."""
    good = (libraries / "plain" / "k.so").read_bytes()
    path = tmp_path / "k.so"
    refused = 0
    with Registry(api) as registry:
        for offset, form in ((4, "<B"), (5, "<B"), (16, "<H"), (18, "<H"), (32, "<Q"), (40, "<Q"), (54, "<H"), (56, "<H"), (58, "<H"), (60, "<H")):
            for value in (1 << 14, 1 << 31, (1 << 64) - 1):
                data = bytearray(good)
                struct.pack_into(form, data, offset, value & ((1 << 8 * struct.calcsize(form)) - 1))
                path.write_bytes(bytes(data))
                if not registry.load(path):
                    refused += 1
                elif registry.unload(path):
                    continue
    assert refused >= 20


def test_names_the_next_step(api, libraries, tmp_path):  # noqa: F811
    """Another machine, another version, no library of kernels, more than everyone's right to write."""
    good = bytearray((libraries / "plain" / "k.so").read_bytes())
    table = good.index(struct.pack("<III", 0x4b524c4b, 1, 40))
    path = tmp_path / "k.so"
    for offset, form, value, told in ((18, "<H", 183, "for another machine (ELF machine 183; this is 62)"), (table + 4, "<I", 2, "version 2 of the interface, this reads version 1: build it again")):
        data = bytearray(good)
        struct.pack_into(form, data, offset, value)
        path.write_bytes(data)
        result = run_klr("schema", "run", path, "saxpy")
        assert result.returncode == 1 and "E1012" in result.stderr and told in result.stderr


# ---- building

def test_no_compiler(tmp_path):
    result = make(tmp_path, PATH="/nowhere", CC="", KLR_CC="")
    assert result.returncode == 1 and "E1010" in result.stderr and "there is no C compiler" in result.stderr and "install gcc or clang" in result.stderr
    nothing_is_left(tmp_path)
    result = make(tmp_path, CC="", KLR_CC="nosuchcc -O2")
    assert result.returncode == 1 and "there is no compiler `nosuchcc -O2`" in result.stderr and "arguments cannot stand there" in result.stderr
    assert run_klr("schema", "run", tmp_path / "k.py", "k", "x=ones:f32[9]", "n=9", environment={"PATH": "/nowhere"}).returncode == 0


@pytest.mark.parametrize("script, told", [
    ("echo k.py:4: it hurts >&2; exit 1", "it hurts"), ("kill -9 $$", "has failed"), ("exit 0", "has written no library"), ("for word; do test \"$take\" && echo junk > $word; take=; test $word = -o && take=1; done; exit 0", "has written no library"), ("printf 'int x;' > nothing; exit 77", "has failed"),
])
def test_a_compiler_that_fails(tmp_path, script, told):
    (tmp_path / "cc").write_text(f"#!/bin/sh\ncd {tmp_path}\n{script}\n")
    (tmp_path / "cc").chmod(0o755)
    result = make(tmp_path, "--compiler", tmp_path / "cc")
    assert result.returncode == 1 and told in result.stderr
    nothing_is_left(tmp_path)


def test_files_that_are_compiled_at_once(tmp_path):
    """Told in their order, whichever is done first; what fails leaves the others alone."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name, body in (("a", "x[0] = 4711"), ("b", "x[0] = 4712"), ("c", "x[0] = q"), ("d", "x[0] = 4")):
        (folder / f"{name}.py").write_text(f"from atlas_kernel import *\ndef {name}(x: DeviceArray[f32]):\n    {body}\n")
    (tmp_path / "cc").write_text("#!/bin/sh\nfor word; do test -f \"$word\" && source=$word; done\ngrep -q 4711 $source && sleep 0.2\n"
                                 "grep -q 4712 $source && exit 1\nexec cc \"$@\"\n")
    (tmp_path / "cc").chmod(0o755)
    result = run_klr("schema", "build", folder, "-o", tmp_path / "lib", "--compiler", tmp_path / "cc", "--json", environment=settings(tmp_path))
    assert result.returncode == 1
    rows = json.loads(result.stdout)["files"]
    assert [os.path.basename(row["path"]) for row in rows] == ["a.py", "b.py", "c.py", "d.py"]
    assert ["output" in row for row in rows] == [True, False, False, True]
    assert sorted(os.listdir(tmp_path / "lib")) == ["a.so", "d.so"] and not os.listdir(tmp_path / "tmp")


def test_a_cache_that_is_damaged_or_cannot_be_written(tmp_path):
    for cache in ("/proc/none", str(write(tmp_path)), "/dev/null/x"):
        result = make(tmp_path, KLR_CACHE=cache)
        assert result.returncode == 0 and not result.stderr, result.stderr
    assert make(tmp_path).returncode == 0
    (kept,) = (tmp_path / "cache").iterdir()
    good = kept.read_bytes()
    for harm in (lambda: kept.write_bytes(good[:5000]), lambda: kept.write_bytes(b""), lambda: kept.chmod(0o777)):
        harm()
        result = make(tmp_path)
        assert result.returncode == 0 and "from the cache" not in result.stdout
        assert kept.read_bytes() == good and Kernels(tmp_path / "lib" / "k.so").infos
        assert "from the cache" in make(tmp_path).stdout
    (tmp_path / "cache" / "k.so.123.tmp").write_bytes(good[:99])
    assert "1 library removed" in run_klr("schema", "cache", "clear", environment=settings(tmp_path)).stdout
    assert os.listdir(tmp_path / "cache") == []


def test_places_that_cannot_be_written(tmp_path):
    result = run_klr("schema", "build", write(tmp_path), "-o", "/proc/none", environment=settings(tmp_path))
    assert result.returncode == 1 and "cannot make the folder `/proc/none`" in result.stderr
    result = run_klr("schema", "build", write(tmp_path), "-o", "/proc", environment=settings(tmp_path))
    assert result.returncode == 1 and "E0002" in result.stderr and "/proc/k.so" in result.stderr and "choose another folder by -o" in result.stderr
    result = make(tmp_path, "--compiler", COMPILERS[0], TMPDIR="/nowhere", KLR_CACHE="")
    assert result.returncode == 1 and "E1010" in result.stderr and "TMPDIR" in result.stderr
    assert not (tmp_path / "lib").exists() or os.listdir(tmp_path / "lib") == []


def limited(limit):
    def before():
        import resource
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    return before


def test_no_room(tmp_path):
    """The disk is full when the library is written, then when it is kept: a limit on the size of files stands for it."""
    source = write(tmp_path)
    assert make(tmp_path).returncode == 0  # from the cache below
    whole = (tmp_path / "lib" / "k.so").read_bytes()
    (tmp_path / "lib" / "k.so").unlink()
    for room, told in ((len(whole) // 2, "E0002"), (3000, "E0002")):
        result = subprocess.run([KLR, "schema", "build", source, "-o", tmp_path / "lib"], capture_output=True, text=True, preexec_fn=limited(room), check=False,
                                env={**os.environ, **settings(tmp_path)})
        assert result.returncode == 1 and told in result.stderr and "make room" in result.stderr, result.stderr
        assert os.listdir(tmp_path / "lib") == []
    result = subprocess.run([KLR, "schema", "build", source, "-o", tmp_path / "lib"], capture_output=True, text=True, preexec_fn=limited(3000), check=False,
                            env={**os.environ, **settings(tmp_path, KLR_CACHE=str(tmp_path / "other"))})
    assert result.returncode == 1 and ("E0002" in result.stderr or "E1010" in result.stderr), result.stderr
    assert os.listdir(tmp_path / "lib") == [] == os.listdir(tmp_path / "tmp") and not (tmp_path / "other").exists()


def test_a_full_disk(tmp_path):
    (tmp_path / "lib").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", tmp_path / "lib"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount")
    try:
        result = make(tmp_path)
        assert result.returncode == 1 and "No space left on device" in result.stderr and "make room" in result.stderr
        assert os.listdir(tmp_path / "lib") == []
    finally:
        subprocess.run(["umount", tmp_path / "lib"], check=True)
    (tmp_path / "cache").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", tmp_path / "cache"], check=True)
    try:
        result = make(tmp_path)
        assert result.returncode == 0 and not result.stderr and Kernels(tmp_path / "lib" / "k.so").infos and os.listdir(tmp_path / "cache") == []
    finally:
        subprocess.run(["umount", tmp_path / "cache"], check=True)


def test_ended_in_the_middle(tmp_path):
    """SIGKILL while the compiler runs, and at any time: what is in the folder and in the cache is whole."""
    source = write(tmp_path)
    (tmp_path / "cc").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nsleep 1\nexec {COMPILERS[0]} \"$@\"\n")
    (tmp_path / "cc").chmod(0o755)
    environment = {**os.environ, **settings(tmp_path)}
    command = [KLR, "schema", "build", source, "-o", tmp_path / "lib"]
    running = subprocess.Popen([*command, "--compiler", tmp_path / "cc"], env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    while not (tmp_path / "started").exists():
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert os.listdir(tmp_path / "lib") == [] and not (tmp_path / "cache").exists()
    start = time.monotonic()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    whole, took = (tmp_path / "lib" / "k.so").read_bytes(), time.monotonic() - start
    for attempt in range(12):
        for folder in ("lib", "cache"):
            for name in os.listdir(tmp_path / folder):
                os.remove(tmp_path / folder / name)
        running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(took * attempt / 10)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        for folder in ("lib", "cache"):
            for name in os.listdir(tmp_path / folder):
                assert not name.endswith(".so") or (tmp_path / folder / name).read_bytes() == whole, (folder, name)


def test_builds_that_meet(tmp_path):
    """16 processes build one file; a launcher reads the folder all the while."""
    source = write(tmp_path)
    environment = {**os.environ, **settings(tmp_path)}
    running = [subprocess.Popen([KLR, "schema", "build", source, "-o", tmp_path / "lib"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(16)]
    while any(process.poll() is None for process in running):
        if (tmp_path / "lib" / "k.so").exists():
            listed = run_klr("schema", "list", tmp_path / "lib")
            assert listed.returncode == 0 and "k(x: inout f32[], n: u32)" in listed.stdout, listed.stderr
    for process in running:
        assert process.returncode == 0, process.communicate()[0]
    assert os.listdir(tmp_path / "lib") == ["k.so"] and len(os.listdir(tmp_path / "cache")) == 1 and os.listdir(tmp_path / "tmp") == []
    ran = run_klr("schema", "run", tmp_path / "lib", "k", "x=ones:f32[9]", "n=9")
    assert ran.returncode == 0 and "min 2" in ran.stdout


def test_a_library_that_is_built_again_while_it_is_loaded(api, tmp_path):  # noqa: F811
    """The file is replaced, never overwritten: what runs goes on with the old one."""
    path = build(tmp_path / "lib", SIMPLE)
    x = np.zeros(8, np.float32)
    with Registry(api) as registry:
        assert registry.load(path)
        kernel = registry.find("k")
        build(tmp_path / "lib", SIMPLE.replace("+ 1", "+ 5"))
        assert registry.launch(kernel, [array(x), number(8)]) and (x == 1).all()


# ---- kernels and launches

@pytest.mark.parametrize("text, code, told", [
    ("@inline\ndef f(v):\n    return g(v)\n@inline\ndef g(v):\n    return f(v)\ndef k(x: DeviceArray[f32], n: u32):\n    i = get_global_id()\n    if i < n:\n        x[i] = f(x[i])\n",
     "E1005", "calls itself, directly or through others"),
    ("@inline\ndef f(v: f32) -> f32:\n    return f(v - 1) if v > 0 else v\ndef k(x: DeviceArray[f32]):\n    x[0] = f(x[0])\n", "E1005", "calls itself"),
    ("def k(x: DeviceArray[f32]):\n    k(x)\n", "E1005", "is a kernel and cannot be called"),
])
def test_recursion(tmp_path, text, code, told):
    for step in (["compile"], ["build", "-o", tmp_path / "lib"]):
        result = run_klr("schema", *step, write(tmp_path, HEAD + text), environment=settings(tmp_path))
        assert result.returncode == 1 and code in result.stderr and told in result.stderr and "k.py:" in result.stderr and "= help:" in result.stderr
    nothing_is_left(tmp_path)


BARRIERS = [  # the body of a kernel, and whether its barrier is one
    ("for t in range(3):\n    barrier()\n    if x[i] > 0:\n        break", False),
    ("for t in range(3):\n    barrier()\n    if x[i] > 0:\n        return", False),
    ("for t in range(3):\n    if x[i] > 0:\n        continue\n    barrier()", False),
    ("for t in range(3):\n    barrier()\n    if x[i] > 0:\n        continue\n    x[i] = 1.0", True),
    ("for t in range(3):\n    for q in range(4):\n        if x[i] > q:\n            break\n    barrier()", True),
    ("for t in range(3):\n    for q in range(4):\n        if x[i] > q:\n            return\n    barrier()", False),
    ("t = 0\nwhile t < 3:\n    barrier()\n    t += 1\n    if n > 5:\n        break", True),
    ("t = 0\nwhile t < 3:\n    barrier()\n    if x[i] > 0:\n        continue\n    t += 1", False),
    ("m = 0\nfor t in range(3):\n    if x[i] > 0:\n        break\n    m = 1\nif m > 0:\n    barrier()", False),
    ("m = 0\nfor t in range(3):\n    if x[i] > 0:\n        continue\n    m = 1\nif m > 0:\n    barrier()", False),
    ("m = 0\nfor t in range(3):\n    m = 1\n    if x[i] > 0:\n        continue\n    x[i] = 1.0\nif m > 0:\n    barrier()", True),
    ("if n > 3:\n    return\nbarrier()", True), ("if x[i] > 3:\n    return\nbarrier()", False), ("if n > 3:\n    if x[i] > 0:\n        return\nbarrier()", False),
    ("for t in range(3):\n    if n > t:\n        break\n    barrier()", True), ("for t in range(get_local_id()):\n    x[i] = 1.0\nbarrier()", True),
    ("for t in range(get_local_id()):\n    barrier()", False),
]


@pytest.mark.parametrize("body, is_right", BARRIERS)
def test_barriers(tmp_path, body, is_right):
    text = HEAD + "def k(x: DeviceArray[f32], n: u32):\n    i = get_global_id()\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    result = run_klr("schema", "check", write(tmp_path, text))
    assert result.returncode == (0 if is_right else 1) and ("E1007" in result.stderr) != is_right, result.stderr


def test_no_guard(tmp_path):
    source = write(tmp_path, HEAD + "def k(x: DeviceArray[i32]):\n    x[get_global_id()] = 7\n")
    assert make(tmp_path, source=source).returncode == 0
    for where in (source, tmp_path / "lib"):
        result = run_klr("schema", "run", where, "k", "x=zeros:i32[40]")
        assert result.returncode == 1 and "E1009" in result.stderr and "nothing says how many threads" in result.stderr and "grid" in result.stderr
        assert run_klr("schema", "run", where, "k", "x=zeros:i32[40]", "--grid", "40").returncode == 0


def test_n_beyond_an_array(tmp_path):
    """The guard tells it before the launch; where it does not, the checked build does, and the interpreter."""
    guarded = ["x=zeros:f32[9]", "n=10"]
    assert make(tmp_path).returncode == 0
    result = run_klr("schema", "run", tmp_path / "lib", "k", *guarded, "--out", tmp_path / "out")
    assert result.returncode == 1 and "`x` has 9 elements, 10 are needed" in result.stderr and not (tmp_path / "out").exists()
    source = write(tmp_path, SIMPLE.replace("x[i] = x[i] + 1", "x[2 * i] = 1"))
    assert make(tmp_path, "--checked", source=source).returncode == 0
    for words in ([tmp_path / "lib", "k", "--checked"], [tmp_path / "lib", "k", "--interpret"], [source, "k"]):
        result = run_klr("schema", "run", *words, *guarded, "--out", tmp_path / "out")
        assert result.returncode == 1 and "10" in result.stderr and "`x`" in result.stderr and "thread 5" in result.stderr and not (tmp_path / "out").exists()


@pytest.mark.parametrize("words, told", [
    ([], "argument `x` is missing"), (["x=ones:f32[9]"], "argument `n` is missing"), (["x=ones:f64[9]", "n=9"], "an array of `float64`, not `float32`"),
    (["x=3", "n=9"], "argument `x` is no array"), (["x=ones:f32[9]", "n=ones:u32[1]"], "a number is wanted"), (["x=ones:f32[9]", "n=-1"], "no value of `u32`"),
    (["x=ones:f32[9]", "n=1.5"], "no value of `u32`"), (["x=ones:f32[9]", "n=9", "m=3"], "has no parameter `m`"), (["x=ones:f32[9]", "n=9", "n=8"], "was given before"),
    (["x=@nowhere.npy", "n=9"], "nowhere.npy"), (["x=ones:f32", "n=9"], "a shape must follow"), (["x=ones:f12[9]", "n=9"], "`f12` is no dtype"),
])
def test_arguments_of_the_command_line(libraries, tmp_path, words, told):  # noqa: F811
    assert make(tmp_path).returncode == 0
    for where in (tmp_path / "lib", tmp_path / "k.py"):
        result = run_klr("schema", "run", where, "k", *words, "--out", tmp_path / "out")
        assert result.returncode == 1 and told in result.stderr and not (tmp_path / "out").exists(), result.stderr


def test_results_that_cannot_be_written(tmp_path):
    result = run_klr("schema", "run", write(tmp_path), "k", "x=ones:f32[9]", "n=9", "--out", "/proc/none/x")
    assert result.returncode == 1 and "cannot make the folder `/proc/none/x`: No such file or directory" in result.stderr


def test_null_and_stale_handles(api, libraries):  # noqa: F811
    api.klr_registry_free(None)
    with Registry(api) as registry:
        assert not registry.launch(0, []) and "no longer" in registry.error()
        assert not api.klr_launch(registry.registry, 0, None, 0, None)
        assert registry.load(libraries / "plain" / "k.so")
        assert not registry.launch(registry.find("saxpy"), []) and "takes 4 arguments, not 0" in registry.error()
        assert ctypes.c_char_p(api.klr_registry_error(registry.registry)).value
