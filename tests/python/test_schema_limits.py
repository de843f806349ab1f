"""Scalar kernels at their limits: nesting, chains of helpers, names that could meet, large files. Each is compiled or refused, and what is
written is read back to the same bytes."""

import json
import resource

import pytest
from conftest import KLR, run_klr
from schema_library import COMPILERS

HEAD = "from atlas_kernel import *\n"
KERNEL = HEAD + "def k(x: DeviceArray[f32], h: DeviceArray[f16], y: DeviceArray[i32], n: u32):\n    i = get_global_id()\n"


def compile_file(path, text):
    path.write_text(text)
    result = run_klr("schema", "compile", path)
    assert result.returncode in (0, 1), (result.returncode, result.stderr[:500])
    return result


def round_trip(tmp_path, text):
    """The document of a Python text, which is read back to the same bytes."""
    first = compile_file(tmp_path / "k.py", text)
    assert first.returncode == 0, first.stderr
    again = compile_file(tmp_path / "k.json", first.stdout)
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    return json.loads(first.stdout)


# what is nested n times, and how many levels it has beside them
NESTED = {
    "sums": (lambda n: "x[0] = " + "+".join(["x[1]"] * n), 2), "mixed sums": (lambda n: "x[0] = " + "+".join(["y[1]", "n"] * (n // 2)), 2),
    "and": (lambda n: "if " + " and ".join(["n > 1"] * n) + ":\n        x[0] = 1", 3), "minus": (lambda n: "x[0] = " + "-" * n + "x[0]", 4),
    "not": (lambda n: "if " + "not " * n + "n:\n        x[0] = 1", 3), "calls": (lambda n: "x[0] = " + "sqrt(" * n + "1.0" + ")" * n, 3),
    "indices": (lambda n: "x[0] = " + "y[" * n + "1" + "]" * n, 3), "narrow indices": (lambda n: "x[0] = " + "h[i64(" * (n // 2) + "1" + ")]" * (n // 2), 3),
    "powers": (lambda n: "x[0] = " + "n**" * n + "1", 3), "ternaries": (lambda n: "x[0] = " + "1 if n else " * n + "1", 3),
    "elifs": (lambda n: "if n == 1:\n        x[0] = 1\n" + "    elif n == 2:\n        x[0] = 2\n" * n, 4), "chains": (lambda n: "if " + " < ".join(["n"] * n) + ":\n        x[0] = 1", 2),
}


@pytest.mark.parametrize("what", NESTED)
def test_nesting(tmp_path, what):
    text, beside = NESTED[what]
    round_trip(tmp_path, KERNEL + "    " + text(200 - beside - 4) + "\n")
    for count in (230, 20000):
        result = compile_file(tmp_path / "k.py", KERNEL + "    " + text(count) + "\n")
        assert result.returncode == 1 and ("200 levels" in result.stderr or "[E0112]" in result.stderr), result.stderr[:300]


def test_levels_that_the_checker_adds(tmp_path):
    """Casts that a document brings count apart, and those that the checker adds to them too."""
    value = {"type": "var", "name": "n"}
    for level in range(190):
        value = {"type": "cast", "to": "f32" if level % 2 else "i32", "value": {"type": "unary_op", "op": "neg", "operand": value}}
    kernel = {"name": "k", "params": [{"name": "n", "type": {"kind": "scalar", "type": "u32"}}], "body": [{"type": "let", "name": "v", "value": value}]}
    first = compile_file(tmp_path / "k.json", json.dumps({"version": "1.1", "kernels": [kernel]}))
    assert first.returncode == 0, first.stderr
    assert compile_file(tmp_path / "again.json", first.stdout).stdout == first.stdout
    for _ in range(250):
        value = {"type": "cast", "to": "f64", "value": value}
    kernel["body"][0]["value"] = value
    result = compile_file(tmp_path / "k.json", json.dumps({"version": "1.1", "kernels": [kernel]}))
    assert result.returncode == 1 and "200 levels" in result.stderr


def test_chains_of_helpers(tmp_path):
    def text(count, annotated):
        head = "(v: f32) -> f32" if annotated else "(v)"
        lines = [f"@inline\ndef h0{head}:\n    return v\n"]
        lines += [f"@inline\ndef h{i + 1}{head}:\n    return h{i}(v) + {i}\n" for i in range(count)]
        return HEAD + "".join(lines) + f"def k(x: DeviceArray[f32]):\n    x[0] = h{count}(x[1])\n"
    for annotated in (True, False):
        round_trip(tmp_path, text(100, annotated))
        result = run_klr("schema", "run", tmp_path / "k.json", "k", "x=ones:f32[4]")
        assert result.returncode == 0, result.stderr
        result = compile_file(tmp_path / "k.py", text(5000, annotated))
        assert result.returncode == 1 and "error[E1005]" in result.stderr and "too many levels" in result.stderr


def test_helpers_called_with_very_many_types(tmp_path):
    types = "i32 i64 u32 u64 f32 f64".split()
    calls = "".join(f"    x[0] = g({a}(1), {b}(1), {c}(1), {d}(1))\n" for a in types for b in types for c in types for d in types[:2])
    result = compile_file(tmp_path / "k.py", HEAD + "@inline\ndef g(a, b, c, d):\n    return f32(a)\ndef k(x: DeviceArray[f32]):\n" + calls)
    assert result.returncode == 1 and "error[E1005]" in result.stderr and "256 combinations" in result.stderr


COLLISIONS = [
    # a helper of the file has the name that an instance would take
    ("@inline\ndef sq(v):\n    return v * v\n@inline\ndef sq_f32(v: f32):\n    return v + 1\n"
     "def k(x: DeviceArray[f32]):\n    x[0] = sq(x[1]) + sq_f32(x[2])\n", ["sq_f32", "sq_f32_2"]),
    # a kernel has it
    ("@inline\ndef sq(v):\n    return v * v\ndef sq_f32(x: DeviceArray[f32]):\n    x[0] = sq(x[1])\n", ["sq_f32_2"]),
    # instances of two helpers
    ("@inline\ndef g(a, b):\n    return a\n@inline\ndef g_f32(a):\n    return a + 1\ndef k(x: DeviceArray[f32]):\n    x[0] = g(x[1], x[2]) + g_f32(x[1])\n",
     ["g_f32_f32", "g_f32_f32_2"]),
    # a helper has the name of a builtin, which is called by another of its names
    ("@inline\ndef exp(v: f32) -> f32:\n    return v + 1\ndef k(x: DeviceArray[f32]):\n    x[0] = exp(x[1]) + expf(x[2])\n", ["exp_f32"]),
    ("@inline\ndef atomic_add(a, v):\n    return v + 1\ndef k(x: DeviceArray[f32]):\n    x[0] = atomic_add(1.0, 2.0)\n    atomic_add_f32(x, 1.0)\n", None),
]


@pytest.mark.parametrize("text, names", COLLISIONS, ids=range(len(COLLISIONS)))
def test_names_of_instances(tmp_path, text, names):
    document = round_trip(tmp_path, HEAD + text)
    found = [function["name"] for function in document["functions"]]
    assert len(set(found) | {kernel["name"] for kernel in document["kernels"]}) == len(found) + len(document["kernels"])
    assert names is None or found == names


def test_a_kernel_may_have_the_name_of_the_function_it_calls(tmp_path):
    document = round_trip(tmp_path, HEAD + "def exp(x: DeviceArray[f32]):\n    x[0] = exp(x[1])\ndef other(x: DeviceArray[f32]):\n    x[0] = exp(x[1])\n")
    assert [kernel["name"] for kernel in document["kernels"]] == ["exp", "other"]


def test_a_helper_that_shadows_a_builtin_is_what_runs(tmp_path):
    """Also from the document: `exp` is the helper, `expf` the builtin."""
    text = HEAD + COLLISIONS[3][0]
    round_trip(tmp_path, text)
    for path in ("k.py", "k.json"):
        result = run_klr("schema", "run", tmp_path / path, "k", "x=zeros:f32[3]", "--json")
        assert result.returncode == 0, result.stderr
        assert "2" in json.dumps(json.loads(result.stdout))


# ---- large files take a time in proportion to their size

LARGE = {
    "stores": lambda n: "    x[0] = 1\n" * n,
    "branches": lambda n: "".join(f"    if n > {i}:\n        v{i} = n\n        x[0] = v{i}\n" for i in range(n // 3)),
    "names": lambda n: "".join(f"    v{i} = 1\n" for i in range(n // 2 + 1)) + "    while n > 3:\n"
    + "".join(f"        v{i} = v{i + 1}\n" for i in range(n // 2)) + f"        v{n // 2} = 1.5\n",
    "breaks": lambda n: "    while True:\n" + "".join(f"        v{i} = n\n        if n > {i}:\n            break\n" for i in range(n // 3)) + "    x[0] = v0\n",
    "barriers": lambda n: "".join(f"    v{i} = 1\n" for i in range(n // 2 + 1)) + "    for q in range(3):\n"
    + "".join(f"        v{i} = v{i + 1}\n" for i in range(n // 2)) + f"        v{n // 2} = i\n        barrier()\n",
}


@pytest.mark.parametrize("what", LARGE)
def test_large_files(tmp_path, what):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = compile_file(tmp_path / "k.py", KERNEL + LARGE[what](20000))
    assert result.returncode == 0, result.stderr[:300]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime  # of processors: others may use them, too
    assert seconds < (60 if "asan" in KLR else 12)  # a square of the names alone would take a minute


@pytest.mark.parametrize("loop", ["while True: pass", "while True: barrier()", "for k in range(1 << 62): pass", "for k in range(1 << 62): barrier()"])
def test_loops_without_statements_come_to_the_limit(tmp_path, loop):
    (tmp_path / "k.py").write_text(HEAD + f"def k(x: DeviceArray[f32]):\n    {loop}\n    x[get_local_id()] = 1.0\n")
    result = run_klr("schema", "run", tmp_path / "k.py", "k", "x=zeros:f32[4]", "--grid", "4", "--max-steps", "10000", timeout=60)
    assert result.returncode == 1 and "limit of statements" in result.stderr, result.stderr


@pytest.mark.parametrize("compiler", COMPILERS)
def test_helpers_that_call_others_twice_do_not_double_without_end(tmp_path, compiler):
    levels = 22
    text = "@inline\ndef f0(v):\n    return v * 1.5\n" + "".join(f"@inline\ndef f{i}(v):\n    return f{i - 1}(v) + f{i - 1}(v + 1.0)\n" for i in range(1, levels + 1))
    text += f"def k(x: DeviceArray[f64], n: u32):\n    i = get_global_id()\n    if i < n:\n        x[i] = f{levels}(x[i])\n"
    (tmp_path / "k.py").write_text(HEAD + text)
    environment = {"KLR_CACHE": str(tmp_path / "cache")}
    assert run_klr("schema", "build", tmp_path / "k.py", "-o", tmp_path, "--compiler", compiler, environment=environment, timeout=60).returncode == 0
    done = run_klr("schema", "run", tmp_path, "k", "x=ones:f64[1]", "n=1", "--json", timeout=60)
    assert json.loads(done.stdout)["outputs"][0]["max"] == 1.5 * (2**levels + levels * 2**(levels - 1)), done.stdout
