"""Syntax trees in files against the same made from CPython's `ast`."""

import ast
import json

import pytest

import klr_reference
from test_serde import tool

OPERATORS = dict(zip("Add Sub Mult MatMult Div Mod Pow LShift RShift BitOr BitXor BitAnd FloorDiv".split(),
                     "add sub mul matmul div mod pow lshift rshift or xor and floor".split()))
COMPARISONS = dict(zip("Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn".split(),
                       "eq ne lt le gt ge is isNot isIn notIn".split()))
UNARY = dict(zip("Invert Not UAdd USub".split(), "invert not uadd usub".split()))


def kind(node):
    return type(node).__name__


class Converter:
    """One function as the format has it; names that `full` lists are replaced."""

    def __init__(self, path, first_line, full):
        self.path, self.first_line, self.full, self.locals = path, first_line, full, set()

    def pos(self, node):
        return {"line": node.lineno - self.first_line + 1, "column": node.col_offset,
                "lineEnd": node.end_lineno - self.first_line + 1, "columnEnd": node.end_col_offset,
                "filename": self.path}

    def constant(self, value):
        if value is None:
            return "none"
        if value is ...:
            return "ellipsis"
        name = {bool: "bool", int: "int", float: "float", str: "string"}[type(value)]
        return {name: {"value": value}}

    def name(self, node):
        if kind(node.ctx) == "Store":
            self.locals.add(node.id)
        full = node.id if node.id in self.locals else self.full.get(node.id, node.id)
        return {"name": {"id": full, "ctx": kind(node.ctx).lower()}}

    def inside(self, e):
        one, many = self.expr, self.exprs
        maybe = lambda x: x and self.expr(x)
        match kind(e):
            case "Constant": return {"const": {"value": self.constant(e.value)}}
            case "Name": return self.name(e)
            case "Attribute": return {"attr": {"value": one(e.value), "id": e.attr, "ctx": kind(e.ctx).lower()}}
            case "Tuple" | "List": return {kind(e).lower(): {"xs": many(e.elts), "ctx": kind(e.ctx).lower()}}
            case "Dict": return {"dict": {"keys": many(e.keys), "values": many(e.values)}}
            case "Subscript":
                return {"subscript": {"tensor": one(e.value), "index": one(e.slice), "ctx": kind(e.ctx).lower()}}
            case "Slice": return {"slice": {"l": maybe(e.lower), "u": maybe(e.upper), "step": maybe(e.step)}}
            case "BoolOp": return {"boolOp": {"op": "l" + kind(e.op).lower(), "values": many(e.values)}}
            case "BinOp": return {"binOp": {"op": OPERATORS[kind(e.op)], "left": one(e.left), "right": one(e.right)}}
            case "UnaryOp": return {"unaryOp": {"op": UNARY[kind(e.op)], "operand": one(e.operand)}}
            case "Compare":
                return {"compare": {"left": one(e.left), "ops": [COMPARISONS[kind(op)] for op in e.ops],
                                    "comparators": many(e.comparators)}}
            case "IfExp": return {"ifExp": {"test": one(e.test), "body": one(e.body), "orelse": one(e.orelse)}}
            case "Call":
                keywords = [self.keyword(k) for k in e.keywords]
                return {"call": {"f": one(e.func), "args": many(e.args), "keywords": keywords}}
            case "Starred": return {"starred": {"e": one(e.value), "ctx": kind(e.ctx).lower()}}
            case "JoinedStr": return {"joined": {"es": many(e.values)}}
            case "FormattedValue":
                return {"format": {"e": one(e.value), "conv": e.conversion if e.conversion > 0 else None}}

    def expr(self, e):
        return {"expr": self.inside(e), "pos": self.pos(e)}

    def exprs(self, list_):
        return [self.expr(e) for e in list_]

    def keyword(self, k):
        return ({"id": k.arg} if k.arg else {}) | {"value": self.expr(k.value), "pos": self.pos(k)}

    def stmt_inside(self, s):
        one, many, body = self.expr, self.exprs, self.stmts
        maybe = lambda x: x and self.expr(x)
        match kind(s):
            case "Pass": return "pass"
            case "Break" | "Continue": return kind(s).lower() + "Loop"
            case "Expr": return {"expr": {"e": one(s.value)}}
            case "Assert": return {"assert": {"e": one(s.test), "msg": maybe(s.msg)}}
            case "Return": return {"ret": {"e": one(s.value)}}
            case "Assign": return {"assign": {"xs": many(s.targets), "e": one(s.value)}}
            case "AugAssign": return {"augAssign": {"x": one(s.target), "op": OPERATORS[kind(s.op)], "e": one(s.value)}}
            case "AnnAssign":
                return {"annAssign": {"x": one(s.target), "annotation": one(s.annotation), "value": maybe(s.value)}}
            case "If": return {"ifStm": {"e": one(s.test), "thn": body(s.body), "els": body(s.orelse)}}
            case "For":
                return {"forLoop": {"x": one(s.target), "iter": one(s.iter), "body": body(s.body),
                                    "orelse": body(s.orelse)}}
            case "While": return {"whileLoop": {"test": one(s.test), "body": body(s.body), "orelse": body(s.orelse)}}
            case "With":
                items = [{"item": one(i.context_expr), **({"var": one(i.optional_vars)} if i.optional_vars else {})}
                         for i in s.items]
                return {"withBlock": {"items": items, "body": body(s.body)}}

    def stmts(self, list_):
        return [{"stmt": self.stmt_inside(s), "pos": self.pos(s)} for s in list_]

    def function(self, name, node, source):
        a = node.args
        decorators = self.exprs(node.decorator_list)
        everyone = a.posonlyargs + a.args + a.kwonlyargs + [x for x in (a.vararg, a.kwarg) if x]
        defaults = self.exprs(a.defaults)
        self.locals |= {x.arg for x in everyone}
        args = {"posonlyargs": [x.arg for x in a.posonlyargs], "args": [x.arg for x in a.args], "defaults": defaults,
                "kwonlyargs": [x.arg for x in a.kwonlyargs],
                "kw_defaults": [{"id": x.arg, "value": self.expr(d), "pos": self.pos(x)}
                                for x, d in zip(a.kwonlyargs, a.kw_defaults) if d]}
        args |= {"vararg": a.vararg.arg} if a.vararg else {}
        args |= {"kwarg": a.kwarg.arg} if a.kwarg else {}
        return {"name": name, "fileName": self.path, "line": self.first_line, "source": source,
                "decorators": decorators, "args": args, "body": self.stmts(node.body)}


KERNEL = '''"""A module."""
import nki
import nki.isa as nisa
from nki import language as nl
from math import sqrt

WIDTH = 128
SHAPE = (WIDTH, 4)


def helper(x, *rest, flag: bool = True, mode="a", **more):
  """Doc."""
  return x if flag and not rest else -x[0:2, ..., ::3]


class Pair(nl.NKIObject):
  """Two."""
  first: int = 1
  second = 2.5

  @staticmethod
  def sum(a, /, b, *, c=3, d):
    return a + b * c // d


@nki.jit
def kernel(a, b=None):
  out: int = helper(a, flag=False)
  x, (y, *z) = 1, (2, 3, 4)
  x += WIDTH << 2
  text = f"{x!r} é {y} {{}}"
  for i in range(0, 10):
    if i == 3 or not (0 < i <= 7 != 9):
      continue
    elif i in SHAPE:
      break
    else:
      pass
  while x > 0:
    x -= 1
  else:
    x = {"k": [1.5e300, True, None], "j": ()}
  with nl.no_reorder() as region, nl.other():
    nisa.memset(out[1, :], value=sqrt(2.0), **x)
  assert Pair.sum(1, 2, d=4) is not None, "message"
  return kernel
'''


def converted(text, path, stem, full):
    tree = ast.parse(text)
    functions = {}
    lines = text.splitlines(keepends=True)
    for node in tree.body:
        if kind(node) not in ("FunctionDef", "ClassDef"):
            continue
        first = min([node.lineno] + [d.lineno for d in node.decorator_list])
        source = "".join(lines[first - 1:node.end_lineno])
        inner = node.body if kind(node) == "ClassDef" else [node]
        prefix = stem + "." + (node.name + "." if kind(node) == "ClassDef" else "")
        for f in inner:
            if kind(f) == "FunctionDef":
                functions[prefix + f.name] = Converter(path, first, full).function(prefix + f.name, f, source)
    return functions


def without_places_in_texts(tree):
    """Python before 3.12 gives the parts of an f-string the place of the whole; the others' own are compared."""
    if isinstance(tree, list):
        return [without_places_in_texts(x) for x in tree]
    if not isinstance(tree, dict):
        return tree
    if "joined" in tree:
        return {"joined": [without_places_in_texts(part["expr"]) for part in tree["joined"]["es"]]}
    return {key: without_places_in_texts(value) for key, value in tree.items()}


def test_trees_equal_those_made_from_cpython(tmp_path):
    path = tmp_path / "mod.py"
    path.write_text(KERNEL, encoding="utf-8")
    full = {"helper": "mod.helper", "Pair": "mod.Pair", "kernel": "mod.kernel", "nisa": "nki.isa", "nl": "nki.language",
            "sqrt": "math.sqrt"}
    result = tool("ast", path, "kernel", "json", "a=randn:f32[128,512]")
    assert result.returncode == 0, result.stderr.decode()
    found = json.loads(result.stdout)
    wanted = converted(KERNEL, str(path), "mod", full)
    assert found["entry"] == "mod.kernel"
    assert [f["name"] for f in found["funcs"]] == ["mod.kernel", "mod.helper"]
    for function in found["funcs"] + found["classes"][0]["methods"]:
        assert without_places_in_texts(function) == without_places_in_texts(wanted[function["name"]])
    assert [(f["id"], f["value"]["expr"]) for f in found["classes"][0]["fields"]] == [
        ("first", {"const": {"value": {"int": {"value": 1}}}}), ("second", {"const": {"value": {"float": {"value": 2.5}}}})]
    assert {g["id"] for g in found["globals"]} == {"WIDTH", "SHAPE", "nki.isa"}
    argument = found["kwargs"][0]
    assert argument["id"] == "a"
    assert argument["value"]["expr"] == {"const": {"value": {"tensor": {"shape": [128, 512], "dtype": "float32"}}}}
    assert (found["arch"], found["grid"]) == (3, 2)


def test_file_has_the_bytes_of_the_independent_encoder(tmp_path):
    path = tmp_path / "mod.py"
    path.write_text(KERNEL, encoding="utf-8")
    kernel = json.loads(tool("ast", path, "kernel", "json", "b=(1, -2.0)").stdout)
    klr = tool("ast", path, "kernel", "klr", "b=(1, -2.0)").stdout
    assert klr == klr_reference.encode_python_file(kernel)
    (tmp_path / "k.klr").write_bytes(klr)
    dump = tool("bytes", tmp_path / "k.klr")
    assert dump.returncode == 0 and b"not understood" not in dump.stdout
    refused = tool("json", tmp_path / "k.klr").stderr.decode()
    assert "E0703" in refused and "`python` contents" in refused


@pytest.mark.parametrize("body,what", [
    ("x = lambda: 1", "`Lambda`"), ("x = [i for i in y]", "`ListComp`"), ("del x", "`Delete`"), ("raise x", "`Raise`"),
    ("def f(): pass", "`FunctionDef`"), ("x = 2 ** 5 + 3000000000", "an integer beyond 32 bits"),
    ("x = 1j", "a complex number"), ("x = f'{y:3}'", "a format specification"), ("x = {**y}", "`**` in a dictionary")])
def test_what_has_no_form_is_named(tmp_path, body, what):
    path = tmp_path / "mod.py"
    path.write_text(f"def kernel(y):\n  {body}\n", encoding="utf-8")
    result = tool("ast", path, "kernel", "json")
    said = result.stderr.decode()
    assert result.returncode == 1 and result.stdout == b""
    assert "E0709" in said and f"{what} has no form" in said and "mod.py:2:" in said


def test_a_missing_entry_is_named(tmp_path):
    path = tmp_path / "mod.py"
    path.write_text("x = 1\n", encoding="utf-8")
    assert "there is no function `kernel` in `mod`" in tool("ast", path, "kernel", "json").stderr.decode()
    assert "`mod` has 0 functions marked `jit`" in tool("ast", path, "", "json").stderr.decode()


def test_the_only_kernel_needs_no_name(tmp_path):
    path = tmp_path / "mod.py"
    path.write_text(KERNEL, encoding="utf-8")
    assert tool("ast", path, "", "json").stdout == tool("ast", path, "kernel", "json").stdout != b""
