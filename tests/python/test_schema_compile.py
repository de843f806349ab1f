"""`klr schema compile`: scalar kernels from Python to checked JSON; what the language does not have is refused where it stands."""

import json

import pytest
from conftest import run_klr

HEAD = "from atlas_kernel import *\n"


def compile_text(tmp_path, body, name="k.py"):
    path = tmp_path / name
    path.write_text(HEAD + body)
    result = run_klr("schema", "compile", path)
    assert result.returncode in (0, 1), result.stderr
    return result


def kernel(tmp_path, statements, params="x: DeviceArray[f32], y: DeviceArray[f32], n: u32"):
    lines = "".join(f"    {line}\n" for line in statements.splitlines())
    return compile_text(tmp_path, f"def k({params}):\n    i = get_global_id()\n{lines}")


def body_of(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["kernels"][0]["body"]


def text_of(node):
    """An expression of the JSON, casts included."""
    kind = node["type"]
    if kind == "var":
        return node["name"]
    if kind == "literal":
        return f"{json.dumps(node['value'])}:{node['dtype']}"
    if kind == "cast":
        return f"{node['to']}({text_of(node['value'])})"
    if kind == "binary_op":
        return f"({text_of(node['left'])} {node['op']} {text_of(node['right'])})"
    if kind == "unary_op":
        return f"{node['op']}({text_of(node['operand'])})"
    if kind == "index":
        return f"{text_of(node['array'])}[{text_of(node['index'])}]"
    if kind == "call":
        return f"{node['function']}({', '.join(map(text_of, node['args']))})"
    return f"({text_of(node['then'])} if {text_of(node['condition'])} else {text_of(node['else'])})"


# expression, its checked form when it is assigned to a new name; parameters as in PARAMS
PARAMS = ("f: f32, d: f64, u: u32, s: i32, l: i64, z: usize, c: u8, t: bool, x: DeviceArray[f32], h: DeviceArray[f16], "
          "b: DeviceArray[u8]")
TYPED = [
    ("f + 1", "(f add 1.0:f32)"), ("u + 1", "(u add 1:u32)"), ("u - -1", "(i64(u) sub -1:i64)"), ("u + s", "(i64(u) add i64(s))"),
    ("c + c", "(i32(c) add i32(c))"), ("f * d", "(f64(f) mul d)"), ("u * f", "(f32(u) mul f)"), ("u / u", "(f32(u) div f32(u))"),
    ("l / 2", "(f64(l) div 2.0:f64)"), ("u // 2", "(u floor_div 2:u32)"), ("u * 0.5", "(f32(u) mul 0.5:f32)"), ("1 / 3", "(1.0:f32 div 3.0:f32)"),
    ("d * (1 / 3)", "(d mul (1.0:f64 div 3.0:f64))"), ("z + u", "(z add u64(u))"), ("z + s", "(i64(z) add i64(s))"),
    ("h[0]", "f32(h[0:i64])"), ("h[u] * 2", "(f32(h[i64(u)]) mul 2.0:f32)"), ("b[0] + 1", "(i32(b[0:i64]) add 1:i32)"),
    ("t and u", "(t and bool(u))"), ("not f", "not(bool(f))"), ("t & t", "(t bit_and t)"), ("0 <= u < s", "((0:u32 le u) and (i64(u) lt i64(s)))"),
    ("f if u > 1 else 2", "(f if (u gt 1:u32) else 2.0:f32)"), ("expf(1)", "exp(1.0:f32)"), ("sqrt(d)", "sqrt(d)"), ("sqrt(u)", "sqrt(f32(u))"),
    ("min(u, 3, s)", "min(i64(u), 3:i64, i64(s))"), ("i32(f)", "i32(f)"), ("f32(f)", "f"), ("u << 3", "(u shl 3:i32)"), ("~c", "inv(i32(c))"),
    ("-u", "neg(u)"), ("5000000000", "5000000000:i64"), ("f ** 2", "(f pow 2.0:f32)"), ("True", "true:bool"), ("math.pi * f", "(3.141592653589793:f32 mul f)"),
]


@pytest.mark.parametrize("expression, checked", TYPED, ids=[e for e, _ in TYPED])
def test_types(tmp_path, expression, checked):
    result = compile_text(tmp_path, f"import math\ndef k({PARAMS}):\n    v = {expression}\n    x[0] = f32(v)\n")
    assert text_of(body_of(result)[0]["value"]) == checked


def test_helpers_are_compiled_for_the_types_of_each_call(tmp_path):
    result = compile_text(tmp_path, "@inline\ndef sq(v):\n    w = v * v\n    return w\n"
                                    "def k(x: DeviceArray[f32], d: DeviceArray[f64], n: u32):\n    x[0] = sq(x[1]) + sq(2)\n    d[0] = sq(d[0])\n")
    assert result.returncode == 0, result.stderr
    assert [f["name"] for f in json.loads(result.stdout)["functions"]] == ["sq_f32", "sq_i32", "sq_f64"]


def test_directions(tmp_path):
    result = compile_text(tmp_path, "@inline\ndef put(a: DeviceArray[f32], v: f32):\n    a[0] = v\n"
                                    "def k(a: DeviceArray[f32], b: DeviceArray[f32], c: DeviceArray[f32], d: DeviceArray[f32], e: DeviceArray[i32]):\n"
                                    "    b[0] = a[0]\n    c[0] += 1\n    put(d, 2.0)\n    atomic_add(e, 0, 1)\n")
    params = json.loads(result.stdout)["kernels"][0]["params"]
    assert [param["direction"] for param in params] == ["in", "out", "inout", "out", "inout"]


def test_many_errors_in_one_run(tmp_path):
    result = kernel(tmp_path, "x[i] = a\nx[i] = b\nx[i] = sqrt(1, 2)")
    assert result.stderr.count("error[") == 3


def test_a_pipe_stays_a_pipe(tmp_path):
    import os
    import stat
    import threading
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    (tmp_path / "k.py").write_text(HEAD + "def k(x: DeviceArray[f32]):\n    x[0] = 1.0\n")
    assert run_klr("schema", "compile", tmp_path / "k.py", "-o", pipe).returncode == 0
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)
    reader.join(5)
    assert json.loads(got[0])["kernels"][0]["name"] == "k"


def test_comparisons_of_integers_are_in_their_common_type(tmp_path):
    """But for u64 beside a signed type, which none holds: it stays what it is."""
    result = compile_text(tmp_path, f"def k({PARAMS}):\n    v = u > s\n    w = z > l\n    w = z > 3\n    w = z > u\n")
    assert [text_of(node["value"]) for node in body_of(result)] == ["(i64(u) gt i64(s))", "(z gt l)", "(z gt 3:u64)", "(z gt u64(u))"]
