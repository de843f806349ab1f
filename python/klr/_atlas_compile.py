"""The functions of `atlas_compile`, under which older scripts compile scalar kernels. `klr.schema` has them and more.

    from atlas_compile import AtlasCompiler, atlas_kernel, compile_to_json

    text = compile_to_json(vector_add, "vector_add.json")
    document = AtlasCompiler().compile_function(vector_add)

Documents are those of `klr.schema.compile`, of version 1.1. The function's text is read, it is never run.

As a program, `python -m klr -m atlas_compile FILE.py [-o FILE.json] [-v]` writes the document of a file beside it, or where -o says.
`klr schema compile` does the same without Python.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Dict, Optional, Union

from klr import _errors, _native, _scalar
from klr._scalar import Kernel

__all__ = ["AtlasCompiler", "atlas_kernel", "compile_to_json"]


def _kernel(function: Union[Kernel, Callable[..., Any]], frame: Any) -> Kernel:
    return function if isinstance(function, Kernel) else _scalar.make(function, frame, {})


@_native.Entry
def compile_to_json(func: Union[Kernel, Callable[..., Any]], output_path: Union[str, "os.PathLike[str]", None] = None) -> str:
    """The document of one function as text, two blanks a level; also written to `output_path`. Raises klr.Error."""
    text: str = _kernel(func, sys._getframe(1))._program.read()[1].json()
    if output_path is not None:
        try:
            with open(output_path, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as failure:
            raise _scalar.error("value", f"cannot write `{os.fspath(output_path)}`: {failure.strerror}") from None
    return text


class AtlasCompiler:
    """Compiles functions to documents."""

    @_native.Entry
    def compile_function(self, func: Union[Kernel, Callable[..., Any]], module_source: Optional[str] = None) -> Dict[str, Any]:
        """The document of one function, as a dictionary. `module_source`, the text of a whole file, is read in place of the function's
        own file; the document then holds that kernel of it alone. Raises klr.Error."""
        if module_source is None:
            return _kernel(func, sys._getframe(1)).document()
        import json

        name = getattr(func, "__name__", "")
        document: Dict[str, Any] = json.loads(_scalar.read_text(module_source, getattr(getattr(func, "__code__", None), "co_filename", "<source>"), False)[1].json())
        document["kernels"] = [kernel for kernel in document["kernels"] if kernel["name"] == name]
        if not document["kernels"]:
            raise _errors.Error(f"the source has no kernel `{name}`")
        return document


def main() -> int:
    """The program; its exit status."""
    import argparse

    parser = argparse.ArgumentParser(prog="atlas_compile", description="Compile a Python file of kernels to a JSON document.")
    parser.add_argument("input", help="the Python file")
    parser.add_argument("-o", "--output", help="the JSON file; default: the input's name with .json")
    parser.add_argument("-v", "--verbose", action="store_true", help="name the kernels")
    options = parser.parse_args()
    output = options.output or os.path.splitext(options.input)[0] + ".json"
    if os.path.abspath(output) == os.path.abspath(options.input):
        parser.error("the document would replace the input: say where it goes with -o FILE.json")
    try:
        with open(options.input, "rb") as source:
            document = _scalar.read_text(source.read(), options.input, options.input.endswith(".json"))[1]
        text, names = document.json(), [kernel["name"] for kernel in document.kernels()]
        os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
        with open(output, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as failure:
        print(f"atlas_compile: {failure.filename}: {failure.strerror}", file=sys.stderr)
        return 1
    except _errors.Error as failure:
        print(failure, file=sys.stderr)
        return 1
    if options.verbose:
        print(f"Found {len(names)} kernel(s):", *(f"  - {name}" for name in names), sep="\n")
    print(f"Compiled {names[0] if len(names) == 1 else f'{len(names)} kernels'} -> {output}")
    return 0


def atlas_kernel(func: Callable[..., Any]) -> Kernel:
    """Make a function a kernel: called with arrays it runs."""
    return _scalar.make(func, sys._getframe(1), {})
