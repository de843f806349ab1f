"""What real kernels do and Python or the language guide would not lead one to expect, as far as values are concerned."""

import textwrap

import pytest

from trace_programs import run_ours

PRELUDE = """
import nki
import nki.language as nl
import nki.isa as nisa
from nki.language import NKIObject
from dataclasses import dataclass, field
from enum import Enum
"""


def ours(tmp_path, program, *arguments, prelude=PRELUDE, files=()):
    for name, text in dict(files).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text), encoding="utf-8")
    path = tmp_path / "program.py"
    path.write_text(prelude + textwrap.dedent(program), encoding="utf-8")
    ((text, error),), diagnostics = run_ours(path, arguments=arguments)
    return text, error, diagnostics


def prints(tmp_path, program, expected, **options):
    text, error, diagnostics = ours(tmp_path, program, **options)
    assert not error, diagnostics
    assert text.splitlines() == textwrap.dedent(expected).strip("\n").splitlines(), diagnostics


def test_1_identity_against_none(tmp_path):
    prints(tmp_path, """
        x, y = None, nl.float32
        print(x is None, y is not None, y is None)
    """, "True True False")


def test_2_generated_initialiser_takes_every_class_level_name(tmp_path):
    prints(tmp_path, """
        class Section(NKIObject):
            start: int
            size = 4
            label: str = "s"
            flag = False
            def end(self): return self.start + self.size
        s = Section(1, size=8, flag=True)
        print(s.start, s.size, s.label, s.flag, s.end())
        print(Section().start, Section().size)
        @dataclass
        class Config(NKIObject):
            a: int
            b: int = 2
            c: list = field(default_factory=list)
            def __post_init__(self): self.total = (self.a or 0) + self.b
        print(Config().a, Config(5).total, Config(b=7).total, Config(1).c == Config(2).c, Config(1) == Config(1))
        class Own(NKIObject):
            x = 1
            def __init__(self, y): self.y = y
        print(Own(3).y, Own(3).x)
    """, """
        1 8 s True 9
        None 4
        None 7 7 True True
        3 1
    """)


def test_2_frozen_dataclasses_are_written_by_object_setattr(tmp_path):
    prints(tmp_path, """
        @dataclass(frozen=True)
        class F:
            a: int
            def __post_init__(self): object.__setattr__(self, "b", self.a * 2)
        print(F(3).b)
    """, "6")


def test_3_nc_version_is_ordered(tmp_path):
    prints(tmp_path, """
        v = nisa.get_nc_version()
        print(v >= nisa.nc_version.gen2, nisa.nc_version.gen2 < nisa.nc_version.gen3, nisa.nc_version.gen3 >= 3, v == v)
    """, "True True True True")


def test_4_dtypes_are_values(tmp_path):
    prints(tmp_path, """
        limits = {nl.float8_e4m3: 240.0, nl.bfloat16: 1.0}
        print(limits[nl.float8_e4m3], limits.get(nl.float32), nl.bfloat16 in limits)
        print(str(nl.bfloat16), str(nl.float32), nl.float32 == nl.float32, nl.float32 != nl.bfloat16)
        print(nl.float32 in (nl.bfloat16, "x", nl.float32), nl.int8 in ["int8x", nl.float32])
        def f(dtype=nl.float32): return dtype
        print(f() == nl.float32, str(f(nl.bfloat16)))
    """, """
        240.0 None True
        bfloat16 float32 True True
        True False
        True bfloat16
    """)


def test_5_modules_compute_values(tmp_path):
    prints(tmp_path, """
        import numpy as np
        from parts import *
        from parts import HW as H
        LIMIT = 2 ** 14
        LOWEST = float(np.finfo(np.float32).min)
        Alias = Manager
        print(LIMIT, LOWEST, Alias is Manager, H.banks, HW.banks, Manager(3).n, np.float32(0.1), np.inf, np.iinfo(np.int32).max)
    """, "16384 -3.4028234663852886e+38 True 8 8 3 0.10000000149011612 inf 2147483647", files={
        "parts.py": """
            import os, logging
            logger = logging.getLogger(__name__)
            logger.setLevel(logging.INFO)
            VERBOSE = os.environ.get("SOME_FLAG_NOBODY_SETS", "0") == "1"
            class Params:
                def __init__(self, banks): self.banks = banks
            HW = Params(8)
            class Manager:
                def __init__(self, n): self.n = n
        """})


def test_7_kernels_are_called_from_kernels_and_made_at_the_call(tmp_path):
    prints(tmp_path, """
        @nki.jit
        def inner(x): return x + 1
        @nki.jit(mode="trace", debug_kernel=True)
        def outer(x): return inner(x) * 2
        def plain(x): return x - 1
        print(outer(3), nki.jit(plain)(3), outer[2](4), outer.__name__)
    """, "8 2 10 outer")


def test_8_loop_variables_are_ints(tmp_path):
    prints(tmp_path, """
        for r in (nl.affine_range, nl.sequential_range, nl.static_range, nl.range, range):
            for i in r(2):
                print(isinstance(i, int), i, end=" ")
        print()
    """, "True 0 True 1 True 0 True 1 True 0 True 1 True 0 True 1 True 0 True 1 ")


def test_9_fields_are_changed_from_outside(tmp_path):
    prints(tmp_path, """
        class Configs(NKIObject):
            use_dynamic_while = False
            depth: int = 1
        c = Configs()
        c.use_dynamic_while = True
        c.added = [1]
        c.depth += 2
        def helper(configs): configs.depth *= 10
        helper(c)
        print(c.use_dynamic_while, c.added, c.depth, Configs().use_dynamic_while)
    """, "True [1] 30 False")


def test_12_names_on_paths_not_taken_need_not_exist(tmp_path):
    prints(tmp_path, """
        import package_that_nobody_has as nobody
        def f(flag):
            if flag:
                return SbufManager(1)
            return "ok"
        print(f(False))
    """.replace("import package_that_nobody_has as nobody", ""), "ok")


def test_12_unknown_modules_are_an_error_only_when_used(tmp_path):
    text, error, diagnostics = ours(tmp_path, """
        import helper_module
        print(helper_module.fine)
        print(helper_module.bad())
    """, files={"helper_module.py": """
        fine = 1
        def bad(): return undefined_thing.attribute
    """})
    assert text == "1\n" and error == "NameError"
    assert "undefined_thing" in diagnostics and "helper_module.py:3" in diagnostics


def test_14_bound_methods_and_functions_in_one_variable(tmp_path):
    prints(tmp_path, """
        class Manager(NKIObject):
            n: int = 5
            def alloc(self, shape, dtype=None, name=None): return ("managed", self.n, shape, name)
        def ndarray(shape, dtype=None, name=None): return ("plain", shape, name)
        for sbm in (Manager(), None):
            alloc = sbm.alloc if sbm else ndarray
            print(alloc((1, 2), dtype=nl.float32, name="t"))
    """, """
        ('managed', 5, (1, 2), 't')
        ('plain', (1, 2), 't')
    """)


def test_15_anything_is_a_condition(tmp_path):
    prints(tmp_path, """
        heap, scopes, n, g = [1, 2], [], 7, 2
        while heap: heap.pop()
        if not scopes: print("empty")
        class Obj(NKIObject):
            x: int = 0
        if Obj(): print("object")
        if n % g or None: print("int")
    """, """
        empty
        object
        int
    """)


def test_16_self_documenting_f_strings(tmp_path):
    prints(tmp_path, """
        shape, dtype = (128, 512), nl.bfloat16
        class Mode(Enum):
            A = 1
        mode = Mode.A
        print(f"{shape=} {mode=} {shape[0]=} {len(shape)=}")
        print(f"{dtype}")
    """, """
        shape=(128, 512) mode=<Mode.A: 1> shape[0]=128 len(shape)=2
        bfloat16
    """)


def test_17_static_methods_and_bare_functions(tmp_path):
    prints(tmp_path, """
        class View(NKIObject):
            n: int = 1
            @staticmethod
            def strides(shape): return [shape[1], 1]
            def bare(x): return x * 2
        class Kind(Enum):
            A = "a"
            @staticmethod
            def parse(text): return Kind(text)
        print(View.strides((2, 3)), View(1).strides((4, 5)), View.bare(4), Kind.parse("a"))
    """, "[3, 1] [5, 1] 8 Kind.A")


def test_18_print_takes_any_text(tmp_path):
    prints(tmp_path, 'print("┌──┐ é", "日本")', "┌──┐ é 日本")


def test_19_loop_variables_outlive_loops(tmp_path):
    prints(tmp_path, """
        def f():
            for i in range(5):
                for j in range(5):
                    for k in range(3):
                        if k == 1: break
                    if j == 2: break
            return i, j, k
        print(f())
    """, "(4, 2, 1)")


def test_20_arguments_are_class_instances(tmp_path):
    prints(tmp_path, """
        class Quant(Enum):
            NONE = 0
            FP8 = 1
        @dataclass(frozen=True, eq=True)
        class Config:
            kind: Quant = Quant.NONE
            groups: tuple = ((0, 1),)
        @nki.jit
        def kernel(config, other=Config(Quant.FP8)):
            return config.kind == Quant.NONE, other.kind.name, config == Config(), len(config.groups)
        print(kernel(Config()))
    """, "(True, 'FP8', True, 1)")


def test_21_old_imports_that_only_annotate(tmp_path):
    prints(tmp_path, """
        import neuronxcc.nki.typing as nt
        from neuronxcc.nki.language import something
        def f(x: nt.tensor[128, 512], y: something = None): return 5
        print(f(1))
    """, "5")


def test_21_old_names_in_use_name_their_replacement(tmp_path):
    text, error, diagnostics = ours(tmp_path, """
        import neuronxcc.nki.language as old
        old.load(1)
    """)
    assert error == "ImportError" and "E0207" in diagnostics and "nki.language.load" in diagnostics


def test_22_slices_stored_in_variables(tmp_path):
    prints(tmp_path, """
        part = slice(1, 3)
        index = nl.ds(0, 4)
        print([0, 1, 2, 3][part], isinstance(index, int), callable(nl.ndarray))
        def f(x: nl.ndarray, maker=nl.ndarray): return maker is nl.ndarray
        print(f(1))
    """, """
        [1, 2] False True
        True
    """)


def test_23_machine_constants(tmp_path):
    prints(tmp_path, """
        print(nl.tile_size.pmax, nl.tile_size.gemm_moving_fmax, nl.tile_size.total_available_sbuf_size > 100000)
    """, "128 512 True")


WARNED = [
    ("[i for i in range(3)]", "W0301"), ("sum(i for i in range(3))", "W0301"), ("(lambda: 1)()", "W0301"),
    ("{1, 2}", "W0301"), ("(y := 3)", "W0301"), ("max(*[1, 2])", "W0301"), ("{1: 2}", "W0302"),
    ("(1,) is [1]", "W0304"),
]


@pytest.mark.parametrize("expression,code", WARNED)
def test_what_the_guide_forbids_is_warned_about_once(tmp_path, expression, code):
    program = f"for i in range(3):\n    x = {expression}\n"
    text, error, diagnostics = ours(tmp_path, program, "--kernel", prelude="")
    assert not error
    assert diagnostics.count(f"warning[{code}]") == 1, diagnostics
    assert "program.py:2" in diagnostics
    text, error, diagnostics = ours(tmp_path, program, prelude="")
    assert "warning" not in diagnostics


@pytest.mark.parametrize("statement", ["try: pass\n    except ValueError: pass", "del x", "match x:\n        case 1: pass",
                                       "raise ValueError(1)"])
def test_forbidden_statements_are_warned_about(tmp_path, statement):
    text, error, diagnostics = ours(tmp_path, f"def f():\n    x = 1\n    {statement}\nf()\n", "--kernel", prelude="")
    assert diagnostics.count("warning[W0301]") == 1, diagnostics
