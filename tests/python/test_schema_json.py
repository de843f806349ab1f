"""Scalar kernels from JSON: what is written is read back to the same bytes; what is not as docs/schema.md has it is refused with its place."""

import ast
import copy
import json
import os
import random
import re

import numpy as np
import pytest
from conftest import ROOT, run_klr

import test_schema_compile

HEAD = "from atlas_kernel import *\n"
TEXT = HEAD + """
import math
PI = 3.5
@inline
def sq(v):
    w = v * v
    return w
@inline
def put(a: DeviceArray[f32], v: f32):
    a[0] = v
def many(x: DeviceArray[f32], h: DeviceArray[f16], b: DeviceArray[u8], d: DeviceArray[f64], e: DeviceArray[u64], n: u32, t: bool):
    '''All sorts: "quotes", é.'''
    i = get_global_id()
    if i < n:
        q: f16 = 1.5
        s = 0
        for k in range(10, 0, -2):
            s += k
            if s > 3 and not t:
                continue
            elif 0 <= s < 2:
                break
        while s > 0:
            s //= 2
        x[i] = sq(x[i]) + PI if t else -math.inf
        h[i] = h[i] * q + 2
        b[i] = 255
        b[i] += 2 + 3
        d[i] = min(sq(2), d[i], math.nan) + 1e-300 + 1e22
        e[i] = 18446744073709551615
        e[i] = u64(-1) ^ ~e[i] << 3
        put(x, -0.0)
        d[0] = i32(-0) + i8(f32(3)) ** 2 + bool(x[i])
def groups(x: DeviceArray[f32], n: u32):
    part = shared_array(f32, 64)
    i = get_global_id()
    part[get_local_id()] = x[i]
    barrier()
    atomic_add(x, 0, part[0] + get_group_id())
    y = atomic_cas(x, 1, 2.0, 3.0)
    return
def whole(x: DeviceArray[f32], j: DeviceArray[i32], n: u32):
    parallel_map_unary(x, x, "abs", n)
    parallel_reduce(x, x, "sum", n)
    parallel_gather(x, j, x, n + 1)
"""


def write(path, document):
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    """The text of TEXT's document."""
    result = run_klr("schema", "compile", write(tmp_path_factory.mktemp("json") / "many.py", TEXT))
    assert result.returncode == 0, result.stderr
    return result.stdout


def round_trip(tmp_path, text, stem):
    first = run_klr("schema", "compile", write(tmp_path / f"{stem}.py", text))
    if first.returncode:
        return None
    again = run_klr("schema", "compile", write(tmp_path / f"{stem}.json", first.stdout))
    assert again.returncode == 0 and again.stdout == first.stdout, (text, again.stderr)
    return first.stdout


def test_round_trip(tmp_path, document):
    again = run_klr("schema", "compile", write(tmp_path / "k.json", document))
    assert again.returncode == 0, again.stderr
    assert again.stdout == document
    assert '"18446744073709551615"' in document and '"-inf"' in document


def test_round_trip_of_every_typed_expression(tmp_path):
    kernels = "".join(f"def k{i}({test_schema_compile.PARAMS}):\n    v = {expression}\n    x[0] = f32(v)\n"
                      for i, (expression, _) in enumerate(test_schema_compile.TYPED))
    assert round_trip(tmp_path, HEAD + "import math\n" + kernels, "typed")


def test_round_trip_of_the_kernels_of_the_tests(tmp_path):
    """Every text of the other tests that holds a kernel."""
    done = 0
    for name in ("test_schema_compile.py", "test_schema_interpret.py", "test_schema_native.py"):
        with open(os.path.join(ROOT, "tests", "python", name)) as source:
            tree = ast.parse(source.read())
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        for text in texts:
            if re.search(r"^def \w+\(.*:$", text, re.M):
                done += round_trip(tmp_path, HEAD + text, f"t{done}") is not None
    assert done >= 15


# ---- version 1.0

def var(name):
    return {"type": "var", "name": name}


def element(array, index):
    return {"type": "index", "array": var(array), "index": index}


def op(name, left, right):
    return {"type": "binary_op", "op": name, "left": left, "right": right}


def array_of(scalar):
    return {"kind": "device_array", "element_type": {"kind": "scalar", "type": scalar}}


def saxpy():
    store = {"type": "assign", "target": element("y", var("idx")),
             "value": op("add", op("mul", var("s"), element("x", var("idx"))), element("y", var("idx")))}
    return {"version": "1.0", "kernel": {
        "name": "saxpy",
        "params": [{"name": "x", "type": array_of("f32")}, {"name": "y", "type": array_of("f32")},
                   {"name": "s", "type": {"kind": "scalar", "type": "f32"}}, {"name": "n", "type": {"kind": "scalar", "type": "u32"}}],
        "body": [{"type": "let", "name": "idx", "value": {"type": "call", "function": "get_global_id", "args": []}},
                 {"type": "if", "condition": op("lt", var("idx"), var("n")), "then_body": [store], "else_body": None}]}}


def second():
    """Nodes that only the later programs wrote under this version."""
    limit = {"type": "if_expr", "condition": op("gt", element("x", var("i")), {"type": "literal", "value": 1}),
             "then": {"type": "unary_op", "op": "neg", "operand": {"type": "literal", "value": 2.5}}, "else": element("x", var("i"))}
    loop = {"type": "for", "var": "i", "start": {"type": "literal", "value": 0}, "stop": var("n"), "step": {"type": "literal", "value": 1},
            "body": [{"type": "assign", "target": element("x", var("i")), "value": limit},
                     {"type": "call", "function": "atomic_add_f32", "args": [var("x"), {"type": "literal", "value": 1}]}]}
    return {"version": "1.0", "kernel": {"name": "second", "params": [{"name": "x", "type": array_of("f32")}, {"name": "n", "type": {"kind": "scalar", "type": "u32"}}],
                                         "body": [loop, {"type": "return", "value": None}]}}


def test_version_10(tmp_path):
    result = run_klr("schema", "run", write(tmp_path / "k.json", saxpy()), "saxpy", "x=arange:f32[4]", "y=ones:f32[4]", "s=2.0", "n=4", "--out", tmp_path)
    assert result.returncode == 0, result.stderr
    assert np.load(tmp_path / "y.npy").tolist() == [1, 3, 5, 7]
    both = run_klr("schema", "check", write(tmp_path / "both.json", [saxpy(), second()]))
    assert both.returncode == 0 and "2 kernels" in both.stdout, both.stderr


def test_version_10_says_what_python_says(tmp_path):
    python = HEAD + ("def saxpy(x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32):\n    idx = get_global_id()\n"
                     "    if idx < n:\n        y[idx] = s * x[idx] + y[idx]\n")
    results = [run_klr("schema", "compile", write(tmp_path / "k.json", saxpy())), run_klr("schema", "compile", write(tmp_path / "k.py", python))]
    assert all(result.returncode == 0 for result in results), results[0].stderr

    def bare(value):
        if isinstance(value, dict):
            return {key: bare(inner) for key, inner in value.items() if key not in ("at", "source")}
        return [bare(inner) for inner in value] if isinstance(value, list) else value
    first, other = (bare(json.loads(result.stdout)) for result in results)
    assert first == other


def test_casts_and_steps_of_version_10(tmp_path):
    """Which the programs that wrote it had as calls of the type's name, and as the negative of a literal."""
    def call(name, value):
        return {"type": "call", "function": name, "args": [value]}
    def number(value):
        return {"type": "literal", "value": value}
    value = op("add", call("f32", op("mul", var("k"), number(2))), call("float", call("int", element("x", var("k")))))
    loop = {"type": "for", "var": "k", "start": op("sub", var("n"), number(1)), "stop": number(-1), "step": {"type": "unary_op", "op": "neg", "operand": number(2)},
            "body": [{"type": "assign", "target": element("x", var("k")), "value": value}]}
    document = {"version": "1.0", "kernel": {"name": "k", "body": [loop], "params": [{"name": "x", "type": array_of("f32")}, {"name": "n", "type": {"kind": "scalar", "type": "u32"}}]}}
    np.save(tmp_path / "in.npy", np.float32([0.5, 1.5, 2.5, 3.5, 4.5]))
    done = run_klr("schema", "run", write(tmp_path / "k.json", document), "k", f"x=@{tmp_path}/in.npy", "n=5", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "x.npy").tolist() == [0, 1.5, 6, 3.5, 12]
    value["left"]["args"].append(number(1))
    done = run_klr("schema", "check", write(tmp_path / "k.json", document))
    assert done.returncode == 1 and "E1002" in done.stderr and "$.kernel.body[0].body[0].value.left" in done.stderr, done.stderr


# ---- what is refused

def at(document, path):
    for key in path[:-1]:
        document = document[key]
    return document, path[-1]


STORE = ("kernel", "body", 1, "then_body", 0)
DEEP = "[" * 3000
# the place to change (None: the text itself), the new value, parts of the message
REFUSED = [
    (None, "", ["not JSON"]), (None, "{", ["not JSON"]), (None, "3", ["$: this is a number"]), (None, "[]", ["no kernel"]), (None, DEEP, ["not JSON"]),
    (None, '{"version": "1.0", "version": "1.0"}', ["duplicate"]), (None, '{"version": 99999999999999999999}', ["too big"]),
    (None, b'{"version": "\xff"}', ["not JSON"]), (None, '{"version": "1.1"}', ["$: the field `kernels` is missing"]),
    (None, '{"version": "1.1", "kernels": [], "extra": 3}', ["$.extra: this field is not known"]),
    (("version",), "2.0", ["$.version:", "`2.0`", "1.1"]), (("version",), 1.0, ["$.version: this is a number, where a text"]),
    (("kernel",), [], ["$.kernel: this is an array"]), (("kernel", "name"), "a b", ["$.kernel.name: `a b` is no name"]),
    (("kernel", "name"), "", ["is no name"]), (("kernel", "params", 0, "type", "kind"), "device_ptr", ["$.kernel.params[0].type.kind:", "device_ptr"]),
    (("kernel", "params", 2, "type", "type"), "f33", ["$.kernel.params[2].type.type:", "did you mean `f32`"]),
    (("kernel", "params", 0, "direction"), "in", ["$.kernel.params[0].direction:", "not known in version 1.0"]),
    (("kernel", "doc"), "x", ["$.kernel.doc:"]), (STORE + ("type",), "asign", ["$.kernel.body[1].then_body[0].type:", "did you mean `assign`"]),
    (STORE + ("type",), "break", ["version 1.0 has no `break`"]), (STORE + ("value", "op"), "unknown", [".value.op:", "did not know", "compile the Python source again"]),
    (STORE + ("value", "op"), "plus", ["no operator `plus`"]), (STORE + ("value", "dtype"), "f32", [".value.dtype:", "not known"]),
    (STORE + ("value",), None, ["$.kernel.body[1].then_body[0].value: this is null"]), (STORE + ("target",), {"type": "var"}, ["`var` lacks its field `name`"]),
    (STORE + ("value",), {"type": "literal", "value": "abc"}, ["`abc`"]), (STORE + ("value",), {"type": "literal", "value": [1]}, ["not an array"]),
    (STORE + ("value",), {"type": "literal", "value": "18446744073709551616"}, ["64 bits"]), (STORE, {"type": "let", "name": "q", "dtype": "f32", "value": var("s")}, [".dtype:"]),
]


@pytest.mark.parametrize("place, value, parts", REFUSED, ids=range(len(REFUSED)))
def test_refused(tmp_path, place, value, parts):
    path = tmp_path / "k.json"
    if place is None:
        path.write_bytes(value if isinstance(value, bytes) else value.encode())
    else:
        document = saxpy()
        holder, key = at(document, place)
        holder[key] = value
        write(path, document)
    result = run_klr("schema", "check", path)
    assert result.returncode == 1 and "error[E1011]" in result.stderr and "k.json" in result.stderr, result.stderr
    for part in parts:
        assert part in result.stderr


# what the checker refuses, told with the place in the document
CHECKED = [
    (STORE + ("value", "left"), var("q"), "E1002", "$.kernel.body[1].then_body[0].value.left: name `q`"),
    (STORE + ("value", "right", "index"), {"type": "literal", "value": 1.5}, "E1003", "$.kernel.body[1].then_body[0].value.right.index: this index"),
    (STORE + ("value",), {"type": "call", "function": "pow", "args": [var("s")]}, "E1005", "$.kernel.body[1].then_body[0].value: `pow` takes 2"),
    (("kernel", "params", 3, "name"), "s", "E1002", "$.kernel.params[3]: two parameters are called `s`"),
    (STORE + ("target",), var("x"), "E1003", "$.kernel.body[1].then_body[0].target: an array"),
    (("kernel", "body", 0), {"type": "while", "condition": {"type": "literal", "value": False}, "body": [{"type": "let", "name": "idx", "value": {"type": "literal", "value": 1}}]},
     "E1004", "$.kernel.body[1].condition.left: `idx` may have no value"),
]


@pytest.mark.parametrize("place, value, code, part", CHECKED, ids=range(len(CHECKED)))
def test_places_of_the_checker(tmp_path, place, value, code, part):
    document = saxpy()
    holder, key = at(document, place)
    holder[key] = value
    result = run_klr("schema", "check", write(tmp_path / "k.json", document))
    assert result.returncode == 1 and f"error[{code}]" in result.stderr and part in result.stderr and "k.json" in result.stderr, result.stderr


def test_places_of_version_11(tmp_path, document):
    """The line of the Python source that the document tells, and the place in the document."""
    changed = json.loads(document)
    changed["kernels"][0]["body"][1]["then_body"][0]["value"] = {"type": "var", "name": "nosuch", "at": [18, 17, 18, 20]}
    result = run_klr("schema", "check", write(tmp_path / "k.json", changed))
    assert result.returncode == 1 and "many.py:18:18" in result.stderr
    assert re.search(r"k.json` it is \$.kernels\[0\].body\[1\].then_body\[0\].value$", result.stderr, re.M), result.stderr
    del changed["source"]
    result = run_klr("schema", "check", write(tmp_path / "k.json", changed))
    assert "error[E1002]: $.kernels[0].body[1].then_body[0].value: name `nosuch`" in result.stderr and "many.py" not in result.stderr


def test_places_of_a_run(tmp_path):
    result = run_klr("schema", "run", write(tmp_path / "k.json", saxpy()), "saxpy", "x=arange:f32[2]", "y=ones:f32[4]", "s=2.0", "n=4")
    assert result.returncode == 1 and "error[E1008]: $.kernel.body[1].then_body[0].value.left.right: " in result.stderr, result.stderr


def test_nesting(tmp_path):
    for depth, is_fine in ((190, True), (210, False)):
        document = saxpy()
        holder, key = at(document, STORE + ("value",))
        for _ in range(depth):
            holder[key] = {"type": "unary_op", "op": "neg", "operand": holder[key]}
        result = run_klr("schema", "check", write(tmp_path / "k.json", document))
        assert (result.returncode == 0) == is_fine, result.stderr
        assert is_fine or "error[E1011]" in result.stderr and "200 levels" in result.stderr


def nodes(value, found):
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        nodes(inner, found)
    if isinstance(value, dict) and "dtype" in value and value.get("type") not in ("let", "literal"):
        found.append(value)
    return found


def test_types_must_be_those_that_the_checker_finds(tmp_path, document):
    count = len(nodes(json.loads(document), []))
    rng = random.Random(5)
    for which in rng.sample(range(count), 12):
        changed = json.loads(document)
        node = nodes(changed, [])[which]
        node["dtype"] = "i8" if node["dtype"] != "i8" else "u16"
        result = run_klr("schema", "check", write(tmp_path / "k.json", changed))
        assert result.returncode == 1 and "error[E1011]" in result.stderr and ".dtype: the type is said to be `" in result.stderr, node
    changed = json.loads(document)
    changed["kernels"][0]["params"][0]["direction"] = "in"
    result = run_klr("schema", "check", write(tmp_path / "k.json", changed))
    assert result.returncode == 1 and "$.kernels[0].params[0].direction: the direction is said to be `in`, and is `inout`" in result.stderr


# ---- mutations

def places(value, found, path=()):
    found.append(path)
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        places(inner, found, path + (key,))
    return found


def mutated(document, rng):
    """A copy with a few values replaced by others of the document or by odd ones, left out or renamed."""
    document = copy.deepcopy(document)
    for _ in range(rng.randint(1, 3)):
        all_places = places(document, [])
        if len(all_places) == 1:
            break
        target, donor = rng.choice(all_places[1:]), rng.choice(all_places)
        value = document
        for key in donor:
            value = value[key]
        holder, key = at(document, target)
        how = rng.randrange(4)
        if how == 0:
            holder[key] = copy.deepcopy(value)
        elif how == 1:
            holder[key] = rng.choice([None, True, -1, 0, 2**63 - 1, 1e308, "", "x", "i", "f16", "nan", [], {}, "k"])
        elif how == 2:
            del holder[key]
        elif isinstance(holder[key], str):
            same = [p for p in all_places if p and p[-1] == key and isinstance(at(document, p)[0][p[-1]], str)]
            holder[key] = at(document, rng.choice(same))[0][key]
    return document


def test_mutations_never_crash(tmp_path, document):
    rng, fine = random.Random(11), 0
    whole = json.loads(document)
    for i in range(150):
        changed = mutated(whole if i % 3 else saxpy(), rng)
        path = write(tmp_path / "k.json", changed)
        result = run_klr("schema", "compile", path)
        assert result.returncode in (0, 1), (result.returncode, result.stderr, json.dumps(changed))
        fine += result.returncode == 0
        if result.returncode == 0:
            again = run_klr("schema", "compile", write(tmp_path / "again.json", result.stdout))
            assert again.returncode == 0 and again.stdout == result.stdout, again.stderr
    assert 0 < fine < 150
