"""Modules as kernels use them: found in files, evaluated when needed, unknown until used. And what errors look like."""

import re
import textwrap

import pytest
from trace_programs import run_ours


def write(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text), encoding="utf-8")


def call(tmp_path, files, *arguments, entry="kernel.py", name="k"):
    write(tmp_path, files)
    ((text, error),), diagnostics = run_ours(tmp_path / entry, arguments=[*arguments, "--call", name])
    return text, error, diagnostics


def script(tmp_path, text, *arguments):
    write(tmp_path, {"p.py": text})
    ((text, error),), diagnostics = run_ours(tmp_path / "p.py", arguments=arguments)
    return text, error, diagnostics


PACKAGES = {
    "kernel.py": """
        import lib.deep.leaf as leaf
        import lib.deep.other
        from lib import reexported, helper as h
        from lib.stars import *
        from lib.deep import sibling
        def k(): print(leaf.VALUE, lib.deep.other.NAME, reexported(), h.twice(4), STAR, sibling.up, late())
        def late():
            from lib.deep.leaf import local_import
            import lib.helper
            return local_import() + lib.helper.twice(1)
    """,
    "lib/__init__.py": "from .deep.leaf import reexported\nfrom . import helper\n",
    "lib/helper.py": "def twice(x): return x * 2\n",
    "lib/stars.py": "__all__ = ['STAR']\nSTAR = 'star'\nHIDDEN = 1\n",
    "lib/deep/__init__.py": "",
    "lib/deep/leaf.py": "VALUE = 41 + 1\ndef reexported(): return 'again'\ndef local_import(): return 5\n",
    "lib/deep/other.py": "NAME = __name__\n",
    "lib/deep/sibling.py": "from ..helper import twice as t\nfrom .leaf import VALUE\nup = t(VALUE)\n",
}


def test_packages_relative_imports_and_reexports(tmp_path):
    text, error, diagnostics = call(tmp_path, PACKAGES)
    assert text == "42 lib.deep.other again 8 star 84 7\n" and not error, diagnostics


def test_the_same_as_a_script(tmp_path):
    files = dict(PACKAGES)
    files["kernel.py"] = textwrap.dedent(files["kernel.py"]) + "k()\n"
    write(tmp_path, files)
    ours, diagnostics = run_ours(tmp_path / "kernel.py")
    assert ours[0] == ("42 lib.deep.other again 8 star 84 7\n", ""), diagnostics


def test_an_entry_inside_a_package_may_import_relatively(tmp_path):
    files = {"pkg/__init__.py": "", "pkg/sub/__init__.py": "", "pkg/util.py": "X = 7\n",
             "pkg/sub/kernel.py": "from ..util import X\nfrom . import near\ndef k(): print(X, near.Y, __name__)\n",
             "pkg/sub/near.py": "Y = 8\n"}
    text, error, diagnostics = call(tmp_path, files, entry="pkg/sub/kernel.py")
    assert text == "7 8 pkg.sub.kernel\n", diagnostics


def test_circular_imports(tmp_path):
    files = {"kernel.py": "from a import fa\ndef k(): print(fa())\n",
             "a.py": "from b import fb\ndef fa(): return fb() + 1\nBASE = 10\n",
             "b.py": "import a\nfrom a import BASE\ndef fb(): return a.BASE + BASE\n"}
    text, error, diagnostics = call(tmp_path, files)
    assert text == "21\n", diagnostics


def test_modules_run_only_when_needed(tmp_path):
    files = {"kernel.py": "import noisy\nfrom noisy import x\nimport quiet\ndef k(): print(quiet.y)\n",
             "noisy.py": "print('noise')\nx = 1\n", "quiet.py": "y = 2\n"}
    text, error, diagnostics = call(tmp_path, files)
    assert text == "2\n", diagnostics


def test_unknown_modules_are_opaque_until_used(tmp_path):
    files = {"kernel.py": """
        import scipy_that_is_not.linalg as sl
        from unknown_lib import thing, Base
        eye = sl.circulant(5)
        @thing.decorator(3)
        def decorated(): return 3
        class Sub(Base):
            def m(self): return 4
        def k(): print(decorated(), Sub().m())
        def bad(): return thing + 1
        def bad_eye(): return eye[0]
    """}
    text, error, diagnostics = call(tmp_path, files)
    assert text == "3 4\n" and not diagnostics, diagnostics
    text, error, diagnostics = call(tmp_path, files, name="bad")
    assert "error[E0205]" in diagnostics and "unknown_lib.thing" in diagnostics and "kernel.py:10" in diagnostics
    assert "imported here" in diagnostics
    text, error, diagnostics = call(tmp_path, files, name="bad_eye")
    assert "error[E0205]" in diagnostics and "kernel.py:11" in diagnostics


def test_a_failing_statement_is_reported_when_its_name_is_used(tmp_path):
    files = {"kernel.py": """
        broken = 1 // 0
        table = {"a": 1}["b"]
        fine = 3
        def k(): print(fine)
        def bad(): return broken + 1
    """}
    text, error, diagnostics = call(tmp_path, files)
    assert text == "3\n" and not diagnostics
    text, error, diagnostics = call(tmp_path, files, name="bad")
    assert diagnostics.count("error[") == 1 and "E0205" in diagnostics and "division" in diagnostics


def test_imports_guarded_by_try(tmp_path):
    files = {"kernel.py": """
        try:
            import not_there_at_all
            HAS = True
        except ImportError:
            HAS = False
        try:
            from math import ceil
        except ImportError:
            ceil = None
        def k(): print(HAS, ceil(1.5))
    """}
    text, error, diagnostics = call(tmp_path, files)
    assert text == "False 2\n", diagnostics


def test_a_missing_name_of_a_module(tmp_path):
    files = {"kernel.py": "from helper import twise\ndef k(): return twise(1)\n", "helper.py": "def twice(x): return 2 * x\n"}
    text, error, diagnostics = call(tmp_path, files)
    assert error == "ImportError" and "E0204" in diagnostics and "did you mean `twice`" in diagnostics
    assert "kernel.py:1" in diagnostics


def test_a_syntax_error_in_a_module_is_shown(tmp_path):
    files = {"kernel.py": "import broken\ndef k(): return broken.x\n", "broken.py": "def f(:\n    pass\n"}
    text, error, diagnostics = call(tmp_path, files)
    assert "broken.py:1" in diagnostics and "E01" in diagnostics


def test_kernels_are_listed(tmp_path):
    files = {"kernel.py": "import nki\n@nki.jit\ndef first(): pass\n@nki.jit\ndef second(): pass\ndef third(): pass\n"}
    text, error, diagnostics = call(tmp_path, files, name="frist")
    assert "E0206" in diagnostics and "did you mean `first`" in diagnostics and "first, second" in diagnostics


def error_of(tmp_path, text, *arguments):
    printed, error, diagnostics = script(tmp_path, text, *arguments)
    return error, diagnostics


def test_names_attributes_and_keywords_are_suggested(tmp_path):
    error, shown = error_of(tmp_path, "length = 3\nprint(lenght)\n")
    assert error == "NameError" and "E0201" in shown and "did you mean `length`" in shown and "p.py:2:7" in shown
    error, shown = error_of(tmp_path, "class C:\n    def tile(self): pass\nC().tlie()\n")
    assert error == "AttributeError" and "did you mean `tile`" in shown and "p.py:3" in shown
    error, shown = error_of(tmp_path, "def f(shape, dtype=None): pass\nf((1,), dtpye=3)\n")
    assert error == "TypeError" and "E0303" in shown and "did you mean `dtype`" in shown and "p.py:2:9" in shown
    assert "defined here" in shown
    error, shown = error_of(tmp_path, "d = {'sbuf': 1}\nd['sbfu']\n")
    assert error == "KeyError" and "did you mean `sbuf`" in shown
    error, shown = error_of(tmp_path, "import math\nmath.ciel(1)\n")
    assert error == "AttributeError" and "did you mean `ceil`" in shown


def test_errors_show_how_they_were_reached(tmp_path):
    error, shown = error_of(tmp_path, "def inner(x):\n    return x / 0\ndef outer():\n    return inner(1)\nouter()\n")
    assert error == "ZeroDivisionError" and "p.py:2:12" in shown
    assert re.search(r"in `inner`, called from here.*p\.py:4", shown, re.S) and re.search(r"in `outer`.*p\.py:5", shown, re.S)


def test_assertions_show_both_sides(tmp_path):
    error, shown = error_of(tmp_path, "x = (1, 2)\nassert x[1] == 3, f'bad {x}'\n")
    assert error == "AssertionError" and "E0309" in shown and "assertion failed: bad (1, 2)" in shown and "2 against 3" in shown


def test_caught_errors_leave_no_trace(tmp_path):
    printed, error, shown = script(tmp_path, "for i in range(3):\n    try: [][1]\n    except IndexError as e: print(e)\n")
    assert printed == "list index out of range\n" * 3 and not error and not shown


def test_recursion_without_end(tmp_path):
    error, shown = error_of(tmp_path, "def again(n):\n    return again(n + 1)\nagain(0)\n")
    assert error == "RecursionError" and "E0312" in shown and "`again`" in shown
    error, shown = error_of(tmp_path, "x = []\nfor i in range(100000): x = [x]\nprint(x == [x])\nrepr(x)\n")
    assert error == "RecursionError", shown


@pytest.mark.slow  # sanitizers make the C stack's frames too large for it
def test_the_recursion_limit_can_be_raised(tmp_path):
    error, shown = error_of(tmp_path, "def again(n):\n    return n and again(n - 1)\nprint(again(3000))\n", "--depth", "5000")
    assert not error, shown


def test_loops_without_end(tmp_path):
    program = "def f():\n    total = 0\n    for i in range(3):\n        while True:\n            total += 1\nf()\n"
    error, shown = error_of(tmp_path, program, "--steps", "10000")
    assert "E0313" in shown and "p.py:4" in shown and "unrolled" in shown
    error, shown = error_of(tmp_path, "try:\n    while True: pass\nexcept Exception: print('swallowed')\n", "--steps", "1000")
    assert "E0313" in shown and error


def test_numbers_without_end(tmp_path):
    for expression in ("10 ** 10 ** 10", "1 << 10 ** 12", "'a' * 10 ** 12", "[0] * 10 ** 12", "2 ** 2 ** 100"):
        error, shown = error_of(tmp_path, f"x = {expression}\n")
        assert error == "OverflowError", (expression, shown)


def test_strict_mode_makes_warnings_errors(tmp_path):
    text, error, shown = script(tmp_path, "x = [i for i in range(3)]\n", "--kernel", "--strict")
    assert "error[W0301]" in shown


def test_what_cannot_be_traced_says_so(tmp_path):
    for text in ("async def f(): pass\n", "x = 1j\n", "async def f():\n    await g()\nf()\n"):
        error, shown = error_of(tmp_path, text)
        assert "E0314" in shown or "error[E01" in shown, shown
