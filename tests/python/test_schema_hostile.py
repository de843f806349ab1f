"""Hostile documents of scalar kernels: what is wrong is refused with its code and its place in the document. Each is named by one change."""

import copy
import json
import os

import pytest
from conftest import run_klr

from test_schema_json import HEAD, TEXT, array_of, at, element, op, places, saxpy, var, write

# ---- by hand: a body, a code, where, a part of the message


def lit(value, **more):
    return {"type": "literal", "value": value, **more}


def call(name, *args, kind="call"):
    return {"type": kind, "function": name, "args": list(args)}


def let(name, value, **more):
    return {"type": "let", "name": name, "value": value, **more}


def store(target, value):
    return {"type": "assign", "target": target, "value": value}


def when(condition, *body):
    return {"type": "if", "condition": condition, "then_body": list(body)}


def loop(start, stop, step, *body, name="v"):
    return {"type": "for", "var": name, "start": start, "stop": stop, "step": step, "body": list(body)}


def unary(name, operand):
    return {"type": "unary_op", "op": name, "operand": operand}


def cast(to, value):
    return {"type": "cast", "to": to, "value": value}


def shared(size, name="s", scalar="f32"):
    return {"type": "shared", "name": name, "element_type": scalar, "size": size}


def choice(condition, then, other):
    return {"type": "if_expr", "condition": condition, "then": then, "else": other}


def reduce(operation="sum", source=None, count=None):
    return {"type": "parallel_reduce", "input": source or var("x"), "output": var("x"), "operation": operation, "count": count or var("n")}


def gather(indices):
    return {"type": "parallel_gather", "input": var("x"), "indices": indices, "output": var("x"), "count": var("n")}


def scalar(name):
    return {"kind": "scalar", "type": name}


PARAMS = [{"name": name, "type": array_of(type_)} for name, type_ in (("x", "f32"), ("y", "i32"), ("h", "f16"))]
PARAMS += [{"name": name, "type": scalar(type_)} for name, type_ in (("n", "u32"), ("f", "f32"), ("t", "bool"), ("d", "f64"))]
GID, BARRIER = call("get_global_id"), call("barrier", kind="call")
X0 = element("x", lit(0))
PASS = store(X0, lit(1))

BODIES = [
    # names
    ([let("q", var("nosuch"))], "E1002", "body[0].value", "`nosuch` is not defined"), ([let("q", var("q"))], "E1004", "body[0].value", "`q`"),
    ([when(var("t"), let("q", lit(1))), let("r", var("q"))], "E1004", "body[1].value", "`q`"), ([loop(lit(0), var("n"), lit(1)), let("r", var("v"))], "E1004", "body[1].value", "`v`"),
    ([store(var("q"), lit(1))], "E1002", "body[0].target", "`q`"), ([let("q", var("k"))], "E1002", "body[0].value", "`k`"),
    ([let("q", var("exp"))], "E1002", "body[0].value", "`exp`"), ([let("q", lit(1), dtype="f32"), let("q", lit(1), dtype="f64")], "E1003", "body[1]", "declared"),
    # what is assigned
    ([store(lit(1), lit(1))], "E1001", "body[0].target", "only names"), ([store(GID, lit(1))], "E1001", "body[0].target", "only names"),
    ([store(op("add", var("n"), lit(1)), lit(1))], "E1001", "body[0].target", "only names"), ([store(cast("f32", X0), lit(1))], "E1001", "body[0].target", "only names"),
    ([store(var("x"), lit(1))], "E1003", "body[0].target", "an array"), ([let("x", lit(1))], "E1003", "body[0]", "an array"), ([store(X0, var("y"))], "E1003", "body[0].value", "an array"),
    ([let("q", var("x"))], "E1003", "body[0].value", "an array"), ([store(var("n"), lit(1.5))], "E1003", "body[0].value", "`u32`"), ([store(var("t"), lit(1))], "E1003", "body[0].value", "`bool`"),
    ([let("q", lit(300), dtype="u8")], "E1006", "body[0].value", "`u8`"), ([let("q", lit(-1), dtype="u64")], "E1006", "body[0].value", "`u64`"), ([let("q", lit(1e39))], "E1006", "body[0].value", "`f32`"),
    ([let("q", lit(1), dtype="bool")], "E1003", "body[0].value", "`bool`"), ([let("q", var("f"), dtype="i32")], "E1003", "body[0].value", "`i32`"), ([let("q", lit("18446744073709551615"))], "E1006", "body[0].value", "`i64`"),
    ([store(element("y", lit(0)), var("f"))], "E1003", "body[0].value", "`i32`"), ([let("q", lit(1), dtype="x")], "E1011", "body[0].dtype", "`x`"), ([let("q", lit(1), dtype=3)], "E1011", "body[0].dtype", "a number"),
    # elements
    ([let("q", {"type": "index", "array": var("n"), "index": lit(0)})], "E1003", "body[0].value.array", "only arrays"), ([let("q", {"type": "index", "array": lit(3), "index": lit(0)})], "E1003", "body[0].value.array", "only arrays"),
    ([let("q", {"type": "index", "array": X0, "index": lit(0)})], "E1003", "body[0].value.array", "only arrays"), ([let("q", {"type": "index", "array": choice(var("t"), var("x"), var("x")), "index": lit(0)})], "E1003", "body[0].value.array", ""),
    ([let("q", element("x", var("f")))], "E1003", "body[0].value.index", "a float"), ([let("q", element("x", var("t")))], "E1003", "body[0].value.index", "`bool`"), ([let("q", element("x", lit(1.0)))], "E1003", "body[0].value.index", "a float"),
    ([let("q", element("x", var("y")))], "E1003", "body[0].value.index", "an array"), ([let("q", element("x", lit("18446744073709551615")))], "E1006", "body[0].value.index", "i64"), ([store(element("x", lit("nan")), lit(1))], "E1003", "body[0].target.index", "a float"),
    # conditions and loops
    ([when(var("x"), PASS)], "E1003", "body[0].condition", "an array"), ([{"type": "while", "condition": var("x"), "body": []}], "E1003", "body[0].condition", "an array"),
    ([loop(lit(0), var("n"), lit(0))], "E1001", "body[0].step", "not 0"), ([loop(lit(0), var("n"), var("n"))], "E1001", "body[0].step", "a literal"), ([loop(lit(0), var("n"), lit(1.5))], "E1003", "body[0].step", "a float"),
    ([loop(lit(0), var("n"), unary("neg", lit(1)))], "E1001", "body[0].step", "a literal"), ([loop(lit(0.0), var("n"), lit(1))], "E1003", "body[0].start", "a float"), ([loop(lit(0), var("f"), lit(1))], "E1003", "body[0].stop", "a float"),
    ([loop(lit(0), var("x"), lit(1))], "E1003", "body[0].stop", "an array"), ([loop(lit(0), var("n"), lit(1), name="x")], "E1003", "body[0]", "an array"), ([{"type": "break"}], "E1001", "body[0]", "outside"), ([{"type": "continue"}], "E1001", "body[0]", "outside"),
    ([when(var("t"), {"type": "break"})], "E1001", "body[0].then_body[0]", "outside"), ([{"type": "return", "value": lit(1)}], "E1001", "body[0].value", "no value"), ([{"type": "return", "value": X0}], "E1001", "body[0].value", "no value"),
    # operators
    ([let("q", op("bit_and", var("f"), lit(1)))], "E1003", "body[0].value", "integers"), ([let("q", op("shl", var("n"), var("f")))], "E1003", "body[0].value", "integers"), ([let("q", unary("inv", var("f")))], "E1003", "body[0].value", "integers"),
    ([let("q", op("add", var("x"), lit(1)))], "E1003", "body[0].value.left", "an array"), ([let("q", op("and", lit(1), var("x")))], "E1003", "body[0].value.right", "an array"), ([let("q", unary("neg", var("x")))], "E1003", "body[0].value.operand", "an array"),
    ([let("q", choice(var("x"), lit(1), lit(2)))], "E1003", "body[0].value.condition", "an array"), ([let("q", choice(var("t"), var("x"), lit(2)))], "E1003", "body[0].value.then", "an array"), ([let("q", choice(var("t"), lit(2), var("x")))], "E1003", "body[0].value.else", "an array"),
    ([let("q", cast("f32", var("x")))], "E1003", "body[0].value.value", "an array"), ([let("q", cast("f31", var("n")))], "E1011", "body[0].value.to", "`f31`"), ([let("q", cast("f32", BARRIER))], "E1003", "body[0].value.value", "no value"),
    # calls
    ([let("q", call("nosuch", lit(1)))], "E1002", "body[0].value", "`nosuch`"), ([let("q", call("k", lit(1)))], "E1005", "body[0].value", "7 arguments"), ([let("q", call("pow", lit(1)))], "E1005", "body[0].value", "2 arguments"),
    ([let("q", call("min", lit(1)))], "E1005", "body[0].value", "2 to 8"), ([let("q", call("min", *[lit(1)] * 9))], "E1005", "body[0].value", "2 to 8"), ([let("q", call("sqrt", var("x")))], "E1003", "body[0].value.args[0]", "an array"), ([let("q", BARRIER)], "E1003", "body[0].value", "no value"),
    ([call("barrier", lit(1))], "E1005", "body[0]", "0 arguments"), ([call("sqrt", lit(1))], "E1001", "body[0]", "not used"), ([call("get_global_id")], "E1001", "body[0]", "not used"), ([call("nosuch")], "E1002", "body[0]", "`nosuch`"), ([call("f32", lit(1))], "E1002", "body[0]", "`f32`"),
    ([let("q", call("get_global_id", lit(3)))], "E1005", "body[0].value.args[0]", "0, 1 or 2"), ([let("q", call("get_global_id", lit(-1)))], "E1005", "body[0].value.args[0]", "0, 1 or 2"), ([let("q", call("get_global_id", var("n")))], "E1005", "body[0].value.args[0]", "0, 1 or 2"),
    ([let("q", call("get_local_id", lit(1.0)))], "E1005", "body[0].value.args[0]", "0, 1 or 2"), ([let("q", call("get_local_id", lit(True)))], "E1005", "body[0].value.args[0]", "0, 1 or 2"), ([let("q", call("get_global_id", lit(0), lit(0)))], "E1005", "body[0].value", "0 to 1"),
    # atomics
    ([call("atomic_add", var("n"), lit(0), lit(1))], "E1003", "body[0].args[0]", "`u32`"), ([call("atomic_add", X0, lit(0), lit(1))], "E1003", "body[0].args[0]", "`f32`"), ([call("atomic_add", lit(1), lit(0), lit(1))], "E1003", "body[0].args[0]", "an array"),
    ([call("atomic_add", var("t"), lit(0), lit(1))], "E1003", "body[0].args[0]", "`bool`"), ([call("atomic_add", var("x"), var("f"), lit(1))], "E1003", "body[0].args[1]", "a float"), ([call("atomic_add", var("y"), lit(0), var("f"))], "E1003", "body[0].args[2]", "`i32`"),
    ([call("atomic_cas", var("y"), lit(0), lit(1.5), lit(1))], "E1003", "body[0].args[2]", "`i32`"), ([call("atomic_add", var("x"), lit(0))], "E1005", "body[0]", "3 arguments"), ([call("atomic_add_f32", var("x"))], "E1005", "body[0]", "2 arguments"), ([call("atomic_add_f32", var("n"), lit(1))], "E1003", "body[0].args[0]", "`u32`"),
    ([call("atomic_add", var("nosuch"), lit(0), lit(1))], "E1002", "body[0].args[0]", "`nosuch`"), ([call("atomic_max", var("y"), lit(0), lit(2**40))], "E1006", "body[0].args[2]", "`i32`"),
    # groups
    ([shared(lit(0))], "E1001", "body[0].size", "1 to"), ([shared(lit(-4))], "E1001", "body[0].size", "1 to"), ([shared(lit(2**21))], "E1001", "body[0].size", "1 to"), ([shared(lit(1.5))], "E1001", "body[0].size", "1 to"), ([shared(var("n"))], "E1001", "body[0].size", "a literal"), ([shared(lit(True))], "E1001", "body[0].size", "a literal"),
    ([shared(lit("18446744073709551615"))], "E1001", "body[0].size", "1 to"), ([shared(op("add", lit(1), lit(1)))], "E1001", "body[0].size", "a literal"), ([when(var("t"), shared(lit(4)))], "E1001", "body[0].then_body[0]", "top of"), ([shared(lit(4)), shared(lit(4))], "E1002", "body[1]", "twice"), ([shared(lit(4), name="x")], "E1002", "body[0]", "twice"),
    ([let("s", lit(1)), shared(lit(4))], "E1002", "body[1]", "twice"), ([shared(lit(4), scalar="f31")], "E1011", "body[0].element_type", "`f31`"), ([shared(lit(4)), store(var("s"), lit(1))], "E1003", "body[1].target", "an array"), ([shared(lit(4)), let("s", lit(1))], "E1003", "body[1]", "an array"),
    ([when(op("lt", GID, var("n")), call("barrier"))], "E1007", "body[0].then_body[0]", "condition"), ([when(op("eq", call("get_local_id"), lit(0)), {"type": "return", "value": None}), call("barrier")], "E1007", "body[1]", "returned"), ([loop(lit(0), GID, lit(1), call("barrier"))], "E1007", "body[0].body[0]", "loop"),
    ([{"type": "while", "condition": op("gt", X0, lit(0)), "body": [call("barrier")]}], "E1007", "body[0].body[0]", "loop"), ([let("q", GID), let("r", var("q")), when(var("r"), call("barrier"))], "E1007", "body[2].then_body[0]", "condition"),
    ([loop(lit(0), var("n"), lit(1), when(op("eq", GID, lit(2)), {"type": "break"}), call("barrier"))], "E1007", "body[0].body[1]", "loop"),
    # whole arrays
    ([reduce("cube")], "E1005", "body[0]", "sum, product"), ([reduce("")], "E1005", "body[0]", "sum, product"), ([reduce(source=var("n"))], "E1003", "body[0].input", "is none"), ([reduce(source=X0)], "E1003", "body[0].input", "is none"), ([reduce(source=lit(1))], "E1003", "body[0].input", "is none"),
    ([reduce(source=var("y"))], "E1003", "body[0].output", "not one type"), ([reduce(count=var("f"))], "E1003", "body[0].count", "a float"), ([reduce(count=var("x"))], "E1003", "body[0].count", "an array"), ([when(var("t"), reduce())], "E1001", "body[0].then_body[0]", "top of"), ([loop(lit(0), var("n"), lit(1), reduce())], "E1001", "body[0].body[0]", "top of"),
    ([gather(var("x"))], "E1003", "body[0].indices", "integers"), ([gather(var("n"))], "E1003", "body[0].indices", "is none"), ([reduce(operation=3)], "E1011", "body[0].operation", "a number"),
    # literals
    *[([let("q", lit(text))], "E1011", "body[0].value.value", "is no literal") for text in ("", " 5", "+5", "0x10", "1e5", "Infinity", "NaN", "-", "--1", "1_0", "١", "18446744073709551616", "-18446744073709551616", "1" * 5000)],
    *[([let("q", lit(value))], "E1011", "body[0].value.value", "a literal is a number") for value in (None, [], {}, [1])],
    *[([let("q", lit(value, dtype=dtype))], "E1011", "body[0].value", f"no value of type `{dtype}`") for value, dtype in
      ((1.5, "u32"), (300, "u8"), (-1, "u32"), (1e39, "f32"), (True, "i32"), (1, "bool"), ("nan", "i32"), (3, "f16"), (1.5, "bf16"), (2**40, "i32"), ("18446744073709551615", "i64"), (False, "f32"))],
    # claims that do not hold
    ([let("q", op("add", var("n"), lit(1)) | {"dtype": "i64"})], "E1011", "body[0].value.dtype", "said to be `i64`, and is `u32`"), ([let("q", X0 | {"dtype": "f64"})], "E1011", "body[0].value.dtype", "is `f32`"), ([let("q", var("d") | {"dtype": "f32"})], "E1011", "body[0].value.dtype", "is `f64`"),
    ([store(X0, lit(1)), let("q", var("x") | {"dtype": "f32"})], "E1003", "body[1].value", "an array"), ([call("atomic_add", var("x") | {"dtype": "f32"}, lit(0), lit(1))], "E1011", "body[0].args[0].dtype", "an array of `f32`"),
    ([let("q", GID | {"dtype": "u32"})], "E1011", "body[0].value.dtype", "is `i64`"), ([let("q", cast("f32", var("n")) | {"dtype": "f64"})], "E1011", "body[0].value.dtype", "is `f32`"), ([let("q", unary("not", var("n")) | {"dtype": "u32"})], "E1011", "body[0].value.dtype", "is `bool`"),
    # places
    *[([let("q", lit(1), at=place)], "E1011", "body[0].at", "[line, column") for place in ([], [1, 0, 1], [1, 0, 1, 2, 3], [0, 0, 1, 1], [1, -1, 1, 1], [1.0, 0, 1, 1], ["1", 0, 1, 1], [1, 0, 2**31, 0], None, {}, [1, 0, 1, True])],
]

# changes of a document of version 1.1 with a helper and a kernel: where, what (None: gone), code, place, part of the message
HELPER = {"name": "g", "params": [{"name": "a", "type": scalar("f32")}, {"name": "b", "type": array_of("f32")}], "returns": scalar("f32"),
          "body": [store(element("b", lit(0)), var("a")), {"type": "return", "value": var("a")}]}
BASE = {"version": "1.1", "source": {"path": "k.py", "hash": ""}, "functions": [HELPER],
        "kernels": [{"name": "k", "params": PARAMS, "body": [store(X0, call("g", var("f"), var("x")))]}]}
ARGS = ("kernels", 0, "body", 0, "value", "args")
GONE = object()
CHANGES = [
    (("functions", 0, "returns"), scalar("i32"), "E1003", "$.functions[0].body[1].value", "`i32`"), (("functions", 0, "returns"), None, "E1011", "$.functions[0].returns", "said to be `no value`, and is `f32`"), (("functions", 0, "returns"), array_of("f32"), "E1011", "$.functions[0].returns", "not an array"),
    (("functions", 0, "returns"), "f32", "E1011", "$.functions[0].returns", "a text"), (("functions", 0, "body", 1), GONE, "E1003", "$.functions[0]", "without returning"), (("functions", 0, "body", 1, "value"), None, "E1003", "$.functions[0].body[1]", "returns none"),
    (("functions", 0, "name"), "k", "E1002", "$.kernels[0]", "two functions"), (("functions", 0, "name"), "h", "E1002", "$.kernels[0].body[0].value", "`g`"), (("functions", 0, "params", 1, "name"), "a", "E1002", "$.functions[0].params[1]", "two parameters"),
    (("functions", 0, "params", 1, "direction"), "in", "E1011", "$.functions[0].params[1].direction", "is `out`"), (("functions", 0, "params", 0, "direction"), "in", "E1011", "$.functions[0].params[0].direction", "not known"), (("functions", 0, "params", 1, "direction"), "both", "E1011", "$.functions[0].params[1].direction", "no direction"),
    (("functions", 0, "params", 0, "type"), GONE, "E1011", "$.functions[0].params[0]", "`type` is missing"), (("functions", 0, "params", 0, "default"), 3, "E1011", "$.functions[0].params[0].default", "not known"), (("functions", 0, "params", 1, "type"), array_of("f64"), "E1003", "$.kernels[0].body[0].value.args[1]", "array of `f64`"),
    (("functions", 0, "body", 0), shared(lit(4)), "E1001", "$.functions[0].body[0]", "in kernels"), (("functions", 0, "body", 0), call("barrier"), "E1007", "$.functions[0].body[0]", "a helper"), (("functions", 0, "body", 0), reduce(source=var("b")), "E1001", "$.functions[0].body[0]", "top of"),
    (("functions", 0, "body", 1, "value"), call("g", var("a"), var("b")), "E1005", "$.functions[0].body[1].value", "calls itself"), (("functions", 0, "body", 1, "value"), call("k"), "E1005", "$.functions[0].body[1].value", "7 arguments"),
    (ARGS, [var("f")], "E1005", "$.kernels[0].body[0].value", "2 arguments"), (ARGS, [], "E1005", "$.kernels[0].body[0].value", "2 arguments"), (ARGS + (1,), var("f"), "E1003", "$.kernels[0].body[0].value.args[1]", "an array of"), (ARGS + (1,), var("y"), "E1003", "$.kernels[0].body[0].value.args[1]", "array of `f32`"),
    (ARGS + (0,), var("x"), "E1003", "$.kernels[0].body[0].value.args[0]", "not an array"), (ARGS + (0,), lit(1e39), "E1006", "$.kernels[0].body[0].value.args[0]", "`f32`"), (ARGS + (1,), X0, "E1003", "$.kernels[0].body[0].value.args[1]", "array of `f32`"), (ARGS + (1,), choice(var("t"), var("x"), var("x")), "E1003", "$.kernels[0].body[0].value.args[1].then", "an array"),
    (("kernels", 0, "body", 0), call("g", var("f"), var("h")), "E1003", "$.kernels[0].body[0].args[1]", "array of `f32`"), (("kernels",), GONE, "E1011", "$", "`kernels` is missing"), (("kernels",), {}, "E1011", "$.kernels", "an object"), (("kernels",), None, "E1011", "$.kernels", "null"), (("kernels", 0), None, "E1011", "$.kernels[0]", "null"),
    (("functions",), {}, "E1011", "$.functions", "an object"), (("functions", 0), 3, "E1011", "$.functions[0]", "a number"), (("kernels", 0, "returns"), None, "E1011", "$.kernels[0].returns", "not known"), (("kernels", 0, "grid"), 3, "E1011", "$.kernels[0].grid", "not known"), (("kernels", 0, "doc"), None, "E1011", "$.kernels[0].doc", "null"),
    (("kernels", 0, "name"), "1k", "E1011", "$.kernels[0].name", "no name"), (("kernels", 0, "name"), "k\u0000", "E1011", "$", "JSON"), (("kernels", 0, "name"), "k\u00a0", "E1011", "$.kernels[0].name", "no name"), (("kernels", 0, "name"), "a.b", "E1011", "$.kernels[0].name", "no name"), (("kernels", 0, "name"), "../k", "E1011", "$.kernels[0].name", "no name"),
    (("kernels", 0, "name"), 3, "E1011", "$.kernels[0].name", "a number"), (("kernels", 0, "params"), {}, "E1011", "$.kernels[0].params", "an object"), (("kernels", 0, "params", 0), "x", "E1011", "$.kernels[0].params[0]", "a text"), (("kernels", 0, "params", 0, "type", "element_type"), array_of("f32"), "E1011", "$.kernels[0].params[0].type.element_type.kind", "elements are"),
    (("kernels", 0, "params", 0, "type", "kind"), "array", "E1011", "$.kernels[0].params[0].type.kind", "no kind"), (("kernels", 0, "params", 0, "type", "shape"), [3], "E1011", "$.kernels[0].params[0].type.shape", "not known"), (("kernels", 0, "params", 3, "type", "type"), "float128", "E1011", "$.kernels[0].params[3].type.type", "no type"),
    (("source", "path"), 3, "E1011", "$.source.path", "a number"), (("source", "path"), "a\nb", "E1011", "$.source.path", "control characters"), (("source", "hash"), "xyz", "E1011", "$.source.hash", "hexadecimal"), (("source", "hash"), "0" * 17, "E1011", "$.source.hash", "16"), (("source", "hash"), GONE, "E1011", "$.source", "`hash` is missing"),
    (("source",), None, "E1011", "$.source", "null"), (("source", "size"), 3, "E1011", "$.source.size", "not known"), (("version",), "1.2", "E1011", "$.version", "`1.2`"), (("version",), 1.1, "E1011", "$.version", "a number"), (("version",), "1.1 ", "E1011", "$.version", "not known"), (("version",), GONE, "E1011", "$", "`version` is missing"),
    (("extra",), {}, "E1011", "$.extra", "not known"), (("kernel",), {}, "E1011", "$.kernel", "not known"), (("version",), "1.0", "E1011", "$.kernels", "not known"),
]

# what version 1.0 does not have
STORE = ("kernel", "body", 1, "then_body", 0)
OLD = [(STORE, statement, "E1011", "$.kernel.body[1].then_body[0].type", "version 1.0 has no") for statement in
       ({"type": "break"}, {"type": "continue"}, shared(lit(4)), gather(var("x")), {**reduce(), "type": "parallel_scan"}, {**gather(var("x")), "type": "parallel_scatter"})]
OLD += [(STORE + ("value",), cast("f32", var("s")), "E1011", "$.kernel.body[1].then_body[0].value.type", "version 1.0 has no"), (STORE + ("at",), [1, 0, 1, 1], "E1011", "$.kernel.body[1].then_body[0].at", "not known in version 1.0"),
        (("source",), {"path": "", "hash": ""}, "E1011", "$.source", "not known in version 1.0"), (("functions",), [], "E1011", "$.functions", "not known in version 1.0"), (("kernel", "returns"), None, "E1011", "$.kernel.returns", "not known in version 1.0"),
        (("kernel", "body", 0, "dtype"), "i64", "E1011", "$.kernel.body[0].dtype", "not known in version 1.0"), (("kernel",), [saxpy()["kernel"]], "E1011", "$.kernel", "an array")]


def changed(document, place, value):
    document = copy.deepcopy(document)
    holder, key = at(document, place)
    if value is GONE:
        del holder[key]
    else:
        holder[key] = value
    return document


def by_hand():
    cases = []
    for body, code, place, part in BODIES:
        cases.append(({"version": "1.1", "kernels": [{"name": "k", "params": PARAMS, "body": body}]}, code, f"$.kernels[0].{place}", part))
    for base, changes in ((BASE, CHANGES), (saxpy(), OLD)):
        cases += [(changed(base, place, value), code, where, part) for place, value, code, where, part in changes]
    cases += [([saxpy(), value], "E1011", f"$[1]{inner}", part) for value, inner, part in
              ((3, "", "a number"), ([], "", "an array"), (None, "", "null"), (BASE, ".version", "1.0 only"), ({**saxpy(), "version": "1.1"}, ".version", "1.0 only"), ({"version": "1.0"}, "", "`kernel` is missing"))]
    cases += [([saxpy(), saxpy()], "E1002", "$[1].kernel", "two functions")]
    return cases


# ---- from a document: every field of every kind of node is left out, of another type, or has one more beside it

WRONG = {"dict": [], "list": {}, "str": 3, "int": {}, "float": [], "bool": {}, "NoneType": 3}
OPTIONAL = {"dtype", "at", "else_body", "doc", "direction", "returns", "source", "functions", "value of return"}


def path_text(place):
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)


def by_rule(document):
    cases, met = [], set()
    for place in places(document, []):
        node = document
        for key in place:
            node = node[key]
        if not isinstance(node, dict):
            continue
        sort = node.get("type") if isinstance(node.get("type"), str) and "kind" not in node else f"{place[-1] if place else 'file'}"
        sort = sort if not isinstance(sort, str) or not sort.isdigit() else "item"
        kind = "param" if "params" in place[-2:-1] else "function" if "body" in node and "params" in node else sort
        for key in list(node):
            if (kind, key) in met:
                continue
            met.add((kind, key))
            optional = key in OPTIONAL or f"{key} of {kind}" in OPTIONAL
            if not optional:
                cases.append((changed(document, place + (key,), GONE), "E1011", path_text(place), f"`{key}`"))
            if type(node[key]) is not list or key != "at":
                wrong = WRONG[type(node[key]).__name__]
                cases.append((changed(document, place + (key,), wrong), "E1011", path_text(place + (key,)), ""))
            cases.append((changed(document, place + (key + "s",), 1), "E1011", path_text(place + (key + "s",)), "not known"))
    return cases


def judge(folder, cases):
    """Reads all of them in few processes."""
    failures = []
    for start in range(0, len(cases), 20):
        paths = [write(folder / f"{start + i:04}.json", case[0]) for i, case in enumerate(cases[start:start + 20])]
        result = run_klr("schema", "check", *paths, "--json")
        assert result.returncode == 1, (start, result.returncode, result.stderr[-2000:])
        report = json.loads(result.stdout)
        for i, (_, code, where, part) in enumerate(cases[start:start + 20]):
            diags = [d for d in report["diagnostics"] if d.get("file") == str(paths[i])]
            good = [d for d in diags if d["code"] == code and part in d["message"] and (d["message"].startswith(f"{where}: ") or part == "JSON")]
            if not good or report["files"][i]["ok"]:
                failures.append((os.path.basename(paths[i]), code, where, part, [(d["code"], d["message"]) for d in diags]))
    return failures


def test_by_hand(tmp_path):
    cases = by_hand()
    assert len(cases) > 240
    assert judge(tmp_path, cases) == []


def test_the_bases_are_fine(tmp_path):
    for document in (BASE, saxpy(), {"version": "1.1", "kernels": [{"name": "k", "params": PARAMS, "body": [PASS]}]}):
        result = run_klr("schema", "check", write(tmp_path / "k.json", document))
        assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def bare_document(tmp_path_factory):
    """Without places, so that what is refused is told with its path."""
    result = run_klr("schema", "compile", write(tmp_path_factory.mktemp("hostile") / "many.py", TEXT + HEAD))
    assert result.returncode == 0, result.stderr

    def bare(value):
        if isinstance(value, dict):
            return {key: bare(inner) for key, inner in value.items() if key != "at"}
        return [bare(inner) for inner in value] if isinstance(value, list) else value
    return bare(json.loads(result.stdout))


def test_every_field_of_every_kind(tmp_path, bare_document):
    cases = by_rule(bare_document)
    assert len(cases) > 150
    assert judge(tmp_path, cases) == []
