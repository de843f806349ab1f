"""tests/conformance/functions.md: every function, parameter, member and element type has vectors, or a reason for none."""

import ast
import fnmatch
import os
import re
import sys

import pytest
from conftest import ROOT
from test_conformance import form
from test_language_functions import SIGNATURES

VECTORS = {vector["id"]: vector for vector in form.read_all()}


def definitions(*parts):
    with open(os.path.join(ROOT, "nki", *parts), encoding="utf-8") as text:
        return ast.parse(text.read()).body


def functions_of(*parts):
    return {node.name: [argument.arg for argument in node.args.args] for node in definitions(*parts)
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}


# {module: {function: parameters}} of everything that a kernel can call.
FUNCTIONS = {"nisa": functions_of("isa", "__init__.py"), "ncc": functions_of("collectives", "__init__.py"),
             "nl": {name: [a.arg for a in ast.parse(f"def f({signature}): pass").body[0].args.args] for name, signature in SIGNATURES.items()}}
ENUMS = {node.name: [line.targets[0].id for line in node.body if isinstance(line, ast.Assign)]
         for node in definitions("isa", "constants.py") if isinstance(node, ast.ClassDef)}
MEMBERS = ["slice", "select", "vector_select", "permute", "broadcast", "expand_dim", "squeeze_dim", "reshape_dim", "flatten_dims", "reshape", "rearrange", "ap",
           "view", "indirect", "is_contiguous", "get_pattern", "is_indirect", "__getitem__", "__setitem__", "__init__"]
ATTRIBUTES = ["shape", "strides", "offset", "name", "dtype", "buffer", "ndim", "size"]


def read_rows():
    """(rows of three cells, {what no vector passes: reason}) of functions.md."""
    with open(os.path.join(form.FOLDER, "functions.md"), encoding="utf-8") as text:
        rows = [tuple(cell.strip() for cell in line.strip().strip("|").split(" | ")) for line in text if line.startswith("| ")]
    rows = [row for row in rows if row[0] not in ("function", "member", "parameter or member")]
    assert all(len(row) in (2, 3) for row in rows), [row for row in rows if len(row) not in (2, 3)]
    return [row for row in rows if len(row) == 3], dict(row for row in rows if len(row) == 2)


ROWS, REASONS = read_rows()


def file_of(function):
    """The file whose vectors are named without it."""
    module, name = function.split(".")
    return "nl_views" if module == "NkiTensor" else name


class Uses:
    """What a vector's kernel calls: functions, the parameters it passes them, attributes, subscripts read and written."""

    def __init__(self, vector):
        self.calls, self.passed, self.attributes, self.enums, self.subscripts = set(), set(), set(), set(), set()
        for node in ast.walk(ast.parse(form.kernel_source(vector))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                self.call(node, node.func.value.id, node.func.attr)
            if isinstance(node, ast.With):
                self.calls |= {("nl", item.context_expr.func.attr) for item in node.items}
            if isinstance(node, ast.Attribute):
                self.attributes.add(node.attr)
                if isinstance(node.value, ast.Attribute):
                    self.enums.add((node.value.attr, node.attr))
            if isinstance(node, ast.Subscript):
                self.subscripts.add(type(node.ctx).__name__)

    def call(self, node, module, name):
        parameters = FUNCTIONS.get(module, {}).get(name)
        if parameters is not None:
            self.calls.add((module, name))
            self.passed |= {(module, name, p) for p in [*parameters[:len(node.args)], *(k.arg for k in node.keywords)]}


USES = {name: Uses(vector) for name, vector in VECTORS.items()}


def shows(function, name):
    """Whether the vector uses what the row is about."""
    module, member = function.split(".")
    uses = USES[name]
    if module != "NkiTensor":
        return (module, member) in uses.calls
    return {"__getitem__": "Load", "__setitem__": "Store"}.get(member) in uses.subscripts or member in uses.attributes


def test_every_function_and_member_stands_there():
    named = {row[0] for row in ROWS}
    every = {f"{module}.{name}" for module, functions in FUNCTIONS.items() for name in functions} | {f"NkiTensor.{member}" for member in MEMBERS}
    assert len(every) > 180 and not every - named, sorted(every - named)
    assert named - every == {"NkiTensor.shape"}


@pytest.mark.parametrize("function", sorted({row[0] for row in ROWS}))
def test_every_statement_has_vectors_that_call_the_function_or_a_reason(function):
    for _, statement, names in (row for row in ROWS if row[0] == function):
        if names.startswith("no vector: "):
            assert len(names) > 20
            continue
        for name in names.split(", "):
            pattern = name if "." in name else f"{file_of(function)}.{name}"
            found = fnmatch.filter(VECTORS, pattern)
            assert found, (statement, name)
            assert all(shows(function, vector) for vector in found), (statement, name, [v for v in found if not shows(function, v)])


def test_every_vector_that_runs_is_shown_by_a_statement():
    """Of the files of functions: what a vector shows is stated somewhere, here or in cover.md's topics."""
    shown = set()
    for function, _, names in ROWS:
        for name in names.split(", "):
            shown |= set(fnmatch.filter(VECTORS, name if "." in name else f"{file_of(function)}.{name}"))
    with open(os.path.join(form.FOLDER, "cover.md"), encoding="utf-8") as text:
        cover = re.findall(r"^\| .+? \| (.+?) \|$", text.read(), flags=re.M)
    for names in cover:
        shown |= {vector for name in names.split(", ") if not names.startswith("no vector") for vector in fnmatch.filter(VECTORS, name)}
    missing = sorted(set(VECTORS) - shown)
    assert not missing, missing


@pytest.mark.parametrize("module", sorted(FUNCTIONS))
def test_every_parameter_is_passed(module):
    passed = set().union(*(uses.passed for uses in USES.values()))
    missing = {f"{module}.{name}({parameter})" for name, parameters in FUNCTIONS[module].items() for parameter in parameters
               if parameter != "name" and not (module == "nisa" and parameter == "dtype" and name != "memset") and (module, name, parameter) not in passed}
    assert not missing - set(REASONS), sorted(missing - set(REASONS))


def test_every_member_of_an_enumeration_is_used():
    used = set().union(*(uses.enums for uses in USES.values()))
    missing = {f"nisa.{enum}.{member}" for enum, members in ENUMS.items() for member in members if (enum, member) not in used}
    assert sum(map(len, ENUMS.values())) > 20 and not missing - set(REASONS), sorted(missing)
    assert all(reason.startswith("no vector: ") for reason in REASONS.values())
    assert {name for name in REASONS if name.startswith("nisa.") and "(" not in name} == missing


def test_every_attribute_element_type_and_memory_is_used():
    assert set(ATTRIBUTES) <= set().union(*(uses.attributes for uses in USES.values()))
    tiles = [tile for vector in VECTORS.values() if "refused" not in vector for tile in vector["tiles"].values()]
    assert {tile["dtype"] for tile in tiles} == set(form.DTYPES) and {tile["space"] for tile in tiles} == set(form.SPACES)


def test_every_choice_has_a_row():
    """What the documents leave open of every use of an instruction, and what is chosen: `gaps.def`'s CHOICE."""
    with open(os.path.join(ROOT, "src", "machine", "gaps.def"), encoding="utf-8") as text:
        choices = re.findall(r'^GAP\(\w+, "([\w-]+)",\s+(?:"[^"]*"\s*)+, CHOICE\b', text.read(), flags=re.M)
    with open(os.path.join(form.FOLDER, "cover.md"), encoding="utf-8") as text:
        rows = dict(re.findall(r"^\| gap ([\w-]+) \| (.+?) \|$", text.read(), flags=re.M))
    assert len(choices) > 25 and set(rows) == set(choices), (sorted(set(choices) - set(rows)), sorted(set(rows) - set(choices)))


def test_each_kind_of_omission_is_found(monkeypatch):
    """The checks above fail when a function has no row, a statement no vector, a parameter no use."""
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "ROWS", [row for row in ROWS if row[0] != "nisa.iota"])
    with pytest.raises(AssertionError, match="nisa.iota"):
        test_every_function_and_member_stands_there()
    monkeypatch.setattr(module, "ROWS", [("nisa.iota", "a statement of ours", "tensor_copy.quadrants")])
    with pytest.raises(AssertionError, match="a statement of ours"):
        test_every_statement_has_vectors_that_call_the_function_or_a_reason("nisa.iota")
    monkeypatch.setattr(module, "ROWS", [("nisa.iota", "a statement of ours", "no_such_vector")])
    with pytest.raises(AssertionError, match="a statement of ours"):
        test_every_statement_has_vectors_that_call_the_function_or_a_reason("nisa.iota")
    monkeypatch.setitem(FUNCTIONS["nisa"], "iota", [*FUNCTIONS["nisa"]["iota"], "further"])
    with pytest.raises(AssertionError, match=r"nisa.iota\(further\)"):
        test_every_parameter_is_passed("nisa")
    monkeypatch.setitem(ENUMS, "engine", [*ENUMS["engine"], "steam"])
    with pytest.raises(AssertionError, match="nisa.engine.steam"):
        test_every_member_of_an_enumeration_is_used()
