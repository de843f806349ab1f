"""src/core/nki_names.def says what the library in nki/ calls the operators and their fields."""

import ast
import os
import re
import subprocess
import sys

from conftest import PACKAGE, ROOT, run_klr

LIBRARY = {"nisa": "nki/isa/__init__.py", "nccl": "nki/collectives/__init__.py"}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as text:
        return text.read()


def variable(expression):
    """The variable a keyword's value is made of, as the messages of `_klr.emit` name it."""
    if isinstance(expression, ast.Name):
        return expression.id
    if isinstance(expression, ast.Attribute):
        return variable(expression.value)
    if isinstance(expression, ast.Call) and expression.args:
        return variable(expression.args[0])
    return None


def emitted():
    """(function, its parameters, operator, {field: variable}) of each call of `_klr.emit`."""
    for prefix, path in LIBRARY.items():
        for function in ast.parse(read(path)).body:
            if not isinstance(function, ast.FunctionDef):
                continue
            parameters = {argument.arg for argument in function.args.args + function.args.kwonlyargs}
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "_klr.emit":
                    fields = {keyword.arg: variable(keyword.value) for keyword in call.keywords}
                    yield f"{prefix}.{function.name}", parameters, call.args[0].value, fields


def rows(macro):
    return [tuple(cell.strip().strip('"') for cell in row.split(","))
            for row in re.findall(rf"^{macro}\((.*)\)$", read("src/core/nki_names.def"), re.M)]


def test_operators_have_the_names_of_the_functions_that_emit_them():
    variants = {(operator, function): field for operator, field, function in rows("NKI_VARIANT")}
    found = {}
    for function, _, operator, fields in emitted():
        if (operator, function) in variants:
            assert variants.pop((operator, function)) in fields
        else:
            found[operator] = function
    assert dict(rows("NKI")) == found and not variants


def test_fields_have_the_names_of_the_parameters_they_are_made_of():
    said = {(operator, field): parameter for operator, field, parameter in rows("NKI_FIELD")}
    used = set()
    for _, parameters, operator, fields in emitted():
        for field, name in fields.items():
            known_as = said.get((operator, field), field)
            if (operator, field) in said:
                used.add((operator, field))
                assert known_as in parameters, (operator, field)
            if name in parameters and field not in parameters and name not in fields:
                assert known_as == name, (operator, field)
    assert used == set(said)


CLASSES = """import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def classes(x):
    register: nisa.VirtualRegister = nisa.register_alloc(3)
    assert isinstance(register, nisa.VirtualRegister) and not isinstance(3, nisa.VirtualRegister)
    try:
        raise nisa.NkiValidationError("too wide")
    except nisa.NkiValidationError as error:
        print("caught", error, isinstance(error, Exception))
    tile = nl.load(x)
    first = nisa.tensor_scalar(tile, tile, nl.multiply, 2.0)
    assert isinstance(first, nisa.NkiInstruction) and not isinstance(tile, nisa.NkiInstruction)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    second = nisa.dma_copy(out, tile).depends_on(first)
    print(type(second) is nisa.NkiInstruction, nisa.VirtualRegister)
    return out
"""


def test_the_classes_of_nki_isa(tmp_path):
    (tmp_path / "k.py").write_text(CLASSES)
    done = run_klr("run", tmp_path / "k.py", "x=randn:f32[4,8]")
    assert done.returncode == 0, done.stderr
    assert "caught too wide True\nTrue <class 'VirtualRegister'>" in done.stderr
    (tmp_path / "k.py").write_text(CLASSES.replace("    tile = nl", "    nisa.VirtualRegister(3)\n    tile = nl"))
    done = run_klr("run", tmp_path / "k.py", "x=randn:f32[4,8]")
    assert done.returncode == 1 and "cannot create `VirtualRegister` instances" in done.stderr


DTYPES = """import nki
import nki.dtype as nt
import nki.isa as nisa
import nki.language as nl


@nki.jit
def narrow(x, kind: nki.dtype = nt.float8_e5m2):
    out = nl.ndarray(x.shape, dtype=kind, buffer=nl.shared_hbm)
    assert nki.dtype.float8_e5m2 == nl.float8_e5m2
    nisa.dma_copy(out, nl.copy(nl.load(x), dtype=nt.float8_e5m2))
    return out


if __name__ == "__main__":
    import numpy
    print(narrow(numpy.ones((1, 2), dtype="float32")).dtype, numpy.zeros(1, nt.bfloat16).dtype)
"""


def test_nki_dtype_is_a_module_of_types(tmp_path):
    script = tmp_path / "k.py"
    script.write_text(DTYPES)
    done = run_klr("run", script, "x=randn:f32[4,8]")
    assert done.returncode == 0 and "float8_e5m2[4,8]" in done.stdout, done.stderr
    done = subprocess.run([sys.executable, "-m", "klr", script], env={**os.environ, "PYTHONPATH": PACKAGE}, capture_output=True, text=True)
    assert done.stdout == "float8_e5m2 bfloat16\n", done.stderr
