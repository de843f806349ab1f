"""Arguments and results of kernels called from Python; what is kept between calls, and when it is not used again."""

import collections
import dataclasses
import enum
import functools
import gc
import importlib
import linecache
import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import types
import typing
import warnings
import weakref

import ml_dtypes
import numpy as np
import pytest

from conftest import PACKAGE

if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

import klr  # noqa: E402
import klr.nki as nki  # noqa: E402
import klr.nki.isa as nisa  # noqa: E402
import klr.nki.language as nl  # noqa: E402
from klr._jit import Options  # noqa: E402

pytestmark = pytest.mark.slow  # one interpreter, without the sanitizers' runtime
ONES = np.ones((4, 3), np.float32)


def traced_for(kernel, *arguments):
    """(what is kept of the kernel for these arguments, the arrays of its inputs)"""
    return kernel._trace(kernel.bind(arguments, {}), Options())


def load(x):
    t = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)
    return t


def store(t):
    out = nl.ndarray(t.shape, dtype=t.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=t)
    return out


def times(x, factor):
    t = load(x)
    nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=factor)
    return store(t)


def factor_of(kernel, *arguments, **keywords):
    """What a kernel that multiplies ones multiplies by."""
    result = kernel(ONES, *arguments, **keywords)
    assert np.all(result == result[0, 0])
    return float(result[0, 0])


@nki.jit
def scaled(x, factor):
    return times(x, factor)


@nki.jit
def add(a, b):
    t = load(a)
    nisa.tensor_tensor(dst=t, data1=t, data2=load(b), op=nl.add)
    return store(t)


@nki.jit
def copy_into(x, y):
    nisa.dma_copy(dst=x, src=load(y))


@nki.jit
def negate_in_place(x):
    t = load(x)
    nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=-1.0)
    nisa.dma_copy(dst=x, src=t)
    return x


def is_kept(kernel, *arguments):
    return traced_for(kernel, *arguments)[0] is traced_for(kernel, *arguments)[0]


# ---- nothing stale: whatever a kernel reaches may change between calls

def test_containers_that_change_in_place():
    numbers, table, deep = [2.0], {"factor": 3.0}, {"a": [{"b": (1, [5.0])}]}

    @nki.jit
    def kernel(x):
        return times(x, numbers[0] * table["factor"] * deep["a"][0]["b"][1][0])

    assert factor_of(kernel) == 30 and is_kept(kernel, ONES)
    numbers[0] = 4.0
    assert factor_of(kernel) == 60
    table["factor"] = 1.0
    assert factor_of(kernel) == 20
    deep["a"][0]["b"][1][0] = 0.5
    assert factor_of(kernel) == 2
    numbers.append(1.0)
    assert factor_of(kernel) == 2 and is_kept(kernel, ONES)


def test_closures_that_are_bound_again():
    def make():
        factor = 2.0

        @nki.jit
        def kernel(x):
            return times(x, factor)

        def change(to):
            nonlocal factor
            factor = to

        return kernel, change

    kernel, change = make()
    assert factor_of(kernel) == 2
    change(7.0)
    assert factor_of(kernel) == 7
    change(7.0 + 0)
    assert is_kept(kernel, ONES)


class Settings:
    factor = 2.0
    limits = [1.0, 2.0]

    def __init__(self, own=1.0):
        self.own = own

    def value(self):
        return self.factor * self.own


SETTINGS = Settings()
HOLDER = types.SimpleNamespace(inner=types.SimpleNamespace(settings=SETTINGS, factor=3.0))


@nki.jit
def by_settings(x):
    return times(x, SETTINGS.value())


@nki.jit
def by_class(x):
    return times(x, Settings.factor * Settings.limits[0])


def test_objects_and_classes_that_change(monkeypatch):
    assert factor_of(by_settings) == 2 and is_kept(by_settings, ONES)
    monkeypatch.setattr(SETTINGS, "own", 5.0)
    assert factor_of(by_settings) == 10
    monkeypatch.setattr(Settings, "factor", 3.0)
    assert factor_of(by_settings) == 15 and factor_of(by_class) == 3
    monkeypatch.setattr(Settings, "limits", [4.0])
    assert factor_of(by_class) == 12
    Settings.limits[0] = 0.5
    assert factor_of(by_class) == 1.5
    monkeypatch.setattr(Settings, "value", lambda self: 9.0)
    assert factor_of(by_settings) == 9
    monkeypatch.undo()
    assert factor_of(by_settings) == 2 and factor_of(by_class) == 2


class Outer(Settings):
    class Inner:
        factor = 2.0

    @classmethod
    def of_class(cls):
        return cls.Inner.factor

    @staticmethod
    def static(n=3.0):
        return n

    @property
    def double(self):
        return self.factor * 2

    def __init__(self):
        super().__init__()


class Parameters(nl.NKIObject):
    factor: float = 2.0
    other = 1.0


@dataclasses.dataclass
class Fixed:
    factor: float = 2.0


OUTER = Outer()


@nki.jit
def by_outer(x):
    return times(x, OUTER.of_class() * OUTER.static() * OUTER.double * OUTER.own)


@nki.jit
def by_new_objects(x):
    return times(x, Parameters().factor * Parameters().other * Fixed().factor)


def test_parts_of_classes_that_are_replaced(monkeypatch):
    def wanted():
        return OUTER.of_class() * OUTER.static() * OUTER.double * OUTER.own

    assert factor_of(by_outer) == wanted() == 24 and is_kept(by_outer, ONES)
    for change in ((Outer.Inner, "factor", 4.0), (Outer, "static", staticmethod(lambda: 5.0)), (Outer, "of_class", classmethod(lambda cls: 1.0)),
                   (Outer, "double", property(lambda self: 7.0)), (Settings, "factor", 9.0), (Outer, "double", 0.5), (OUTER, "own", 2.0)):
        monkeypatch.setattr(*change)
        assert factor_of(by_outer) == wanted()
    monkeypatch.undo()
    monkeypatch.setattr(Outer.static, "__defaults__", (6.0,))
    assert factor_of(by_outer) == wanted() == 48
    assert factor_of(by_new_objects) == 4
    monkeypatch.setattr(Parameters, "other", 3.0)
    monkeypatch.setattr(Parameters, "factor", 5.0)
    monkeypatch.setattr(Fixed, "factor", 7.0)  # its initialiser has its own
    assert factor_of(by_new_objects) == Parameters().factor * Parameters().other * Fixed().factor == 30


def test_an_object_that_gets_another_class():
    class A:
        def value(self):
            return 2.0

    class B(A):
        def value(self):
            return 4.0

    thing = A()

    @nki.jit
    def kernel(x):
        return times(x, thing.value())

    assert factor_of(kernel) == 2
    thing.__class__ = B
    assert factor_of(kernel) == 4


@dataclasses.dataclass
class Deep:
    child: object
    factor: float = 1.0


def test_objects_far_down():
    bottom = Deep(None, 2.0)
    top = bottom
    for _ in range(30):
        top = Deep(top)

    def value(node):
        return node.factor if node.child is None else value(node.child)

    @nki.jit
    def kernel(x):
        return times(x, value(top))

    @nki.jit
    def of_argument(x, node):
        return times(x, value(node))

    assert factor_of(kernel) == 2 and factor_of(of_argument, top) == 2
    bottom.factor = 3.0
    assert factor_of(kernel) == 3 and factor_of(of_argument, top) == 3


def helper():
    return 2.0


def other_helper():
    return 5.0


@nki.jit
def with_helper(x):
    return times(x, helper())


@nki.jit
def with_module(x):
    return times(x, this.HOLDER.inner.settings.own * this.HOLDER.inner.factor * this.helper())


this = sys.modules[__name__]


def test_functions_that_are_replaced(monkeypatch):
    assert factor_of(with_helper) == 2
    monkeypatch.setattr(this, "helper", other_helper)
    assert factor_of(with_helper) == 5
    monkeypatch.undo()
    assert factor_of(with_helper) == 2
    monkeypatch.setattr(helper, "__code__", other_helper.__code__)
    assert factor_of(with_helper) == 5


def test_what_is_reached_through_a_module(monkeypatch):
    assert factor_of(with_module) == 6 and is_kept(with_module, ONES)
    monkeypatch.setattr(HOLDER.inner, "factor", 4.0)
    assert factor_of(with_module) == 8
    monkeypatch.setattr(this, "HOLDER", types.SimpleNamespace(inner=HOLDER.inner))
    monkeypatch.setattr(HOLDER.inner, "factor", 5.0)
    assert factor_of(with_module) == 10
    monkeypatch.setattr(this, "helper", other_helper)
    assert factor_of(with_module) == 25


def test_defaults_that_change():
    @nki.jit
    def kernel(x, factor=2.0, *, other=1.0, more=[1.0]):  # noqa: B006
        return times(x, factor * other * more[0])

    assert factor_of(kernel) == 2
    kernel.function.__defaults__ = (3.0,)
    assert factor_of(kernel) == 3
    kernel.function.__kwdefaults__["other"] = 2.0
    assert factor_of(kernel) == 6
    kernel.function.__kwdefaults__["more"][0] = 0.5
    assert factor_of(kernel) == 3
    assert factor_of(kernel, 10.0, more=[1]) == 20


def test_names_that_come_and_go(monkeypatch):
    @nki.jit
    def kernel(x):
        return times(x, float(max(2, 3)))

    assert factor_of(kernel) == 3
    monkeypatch.setattr(this, "max", min, raising=False)
    assert factor_of(kernel) == 2
    monkeypatch.undo()
    assert factor_of(kernel) == 3


SCALE = 2.0


@nki.jit
def by_global(x):
    return times(x, SCALE)


def test_a_name_that_is_deleted(monkeypatch):
    assert factor_of(by_global) == 2
    monkeypatch.delattr(this, "SCALE")
    with pytest.raises(NameError, match="SCALE"):
        by_global(ONES)
    monkeypatch.undo()
    assert factor_of(by_global) == 2


TABLE = np.full((4, 3), 2.0, np.float32)


@nki.jit
def with_table(x):
    t = load(x)
    nisa.tensor_tensor(dst=t, data1=t, data2=nl.load(nl.shared_constant(TABLE)), op=nl.multiply)
    return store(t)


def test_constants_that_change(monkeypatch):
    assert factor_of(with_table) == 2 and is_kept(with_table, ONES)
    TABLE[:] = 3.0
    assert factor_of(with_table) == 3
    monkeypatch.setattr(this, "TABLE", TABLE * 2)
    assert factor_of(with_table) == 6
    assert np.array_equal(with_table(TABLE), TABLE * TABLE)  # the same array as an argument and as a constant


def test_constants_of_files_that_change(tmp_path):
    @nki.jit
    def kernel(x, path):
        t = load(x)
        nisa.tensor_tensor(dst=t, data1=t, data2=nl.load(nl.shared_constant(path)), op=nl.multiply)
        return store(t)

    path = str(tmp_path / "c.npy")
    np.save(path, ONES * 2)
    assert factor_of(kernel, path) == 2 and is_kept(kernel, ONES, path)
    np.save(path, ONES * 3)
    assert factor_of(kernel, path) == 3


def test_the_environment(monkeypatch):
    @nki.jit
    def kernel(x):
        import os

        return times(x, float(os.environ.get("KLR_TEST_FACTOR", "2")) * {2: 10, 3: 100, 4: 1000}[nisa.get_nc_version().value])

    monkeypatch.delenv("NEURON_PLATFORM_TARGET_OVERRIDE", raising=False)
    assert factor_of(kernel) == 200 and is_kept(kernel, ONES)
    monkeypatch.setenv("KLR_TEST_FACTOR", "3")
    assert factor_of(kernel) == 300
    monkeypatch.setenv("NEURON_PLATFORM_TARGET_OVERRIDE", "trn3")
    assert factor_of(kernel) == 3000
    monkeypatch.setenv("NEURON_PLATFORM_TARGET_OVERRIDE", "trn1")
    assert factor_of(kernel) == 30
    monkeypatch.setenv("NEURON_PLATFORM_TARGET_OVERRIDE", "nothing")
    with pytest.raises(klr.Error, match="`nothing` is no target"):
        kernel(ONES)


def test_logical_cores_are_told_apart():
    @nki.jit
    def kernel(x):
        return times(x, 1.0 + nl.num_programs(0))

    assert [factor_of(k) for k in (kernel, kernel[2], kernel, kernel[1], kernel[(2,)])] == [2, 3, 2, 2, 3]


def test_the_precision_is_not_kept(monkeypatch):
    x = np.full((2, 2), 1 + 2.0**-7, ml_dtypes.bfloat16)
    assert scaled(x, 1 + 2.0**-6)[0, 0] == x[0, 0] * ml_dtypes.bfloat16(1 + 2.0**-6)
    monkeypatch.setenv("NKI_PRECISE_FP", "0")
    assert scaled(x, 1 + 2.0**-6).dtype == x.dtype


def write(path, text, step):
    """A file that is new to everybody, even within one tick of the clock of files."""
    path.write_text(text)
    os.utime(path, (os.stat(path).st_atime, os.stat(path).st_mtime + step))


MODULE = """
import klr.nki as nki, klr.nki.isa as nisa, klr.nki.language as nl
from {name}_part import part{comment}
class Config:
    scale = {factor}
def half():
    return 0.5
@nki.jit
def kernel(x):
    t = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)
    nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0={factor} * half() * part() * Config.scale)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=t)
    return out
"""
PART = "{comment}\ndef part():\n    return {factor}\n"


def test_files_that_are_edited_and_loaded_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    name = "edited_kernels"
    main, part = tmp_path / f"{name}.py", tmp_path / f"{name}_part.py"
    write(part, PART.format(comment="", factor=1), 0)
    write(main, MODULE.format(name=name, comment="", factor=2.0), 0)
    module = importlib.import_module(name)
    assert factor_of(module.kernel) == 2
    old = module.kernel
    write(main, MODULE.format(name=name, comment="\n\n", factor=4.0), 10)
    assert factor_of(old) == 2  # not loaded again: Python runs the old one too
    assert factor_of(lambda x: old(np.ones((8, 3), np.float32))) == 2  # traced anew, from the old text
    importlib.reload(module)
    assert factor_of(module.kernel) == 8
    write(part, PART.format(comment="\n# moved", factor=10), 20)
    part_module = sys.modules[f"{name}_part"]
    importlib.reload(part_module)
    assert factor_of(module.kernel) == 8  # it holds the old function, as in Python
    importlib.reload(module)
    assert factor_of(module.kernel) == 80


def test_a_function_whose_text_is_gone(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "lost_text.py"
    write(path, PART.format(comment="", factor=3), 0)
    module = importlib.import_module("lost_text")
    write(path, "# another\n" + PART.format(comment="\n", factor=4), 10)

    @nki.jit
    def kernel(x):
        return times(x, module.part())

    with pytest.raises(klr.Error, match="has changed since it was loaded: reload"):
        kernel(ONES)
    importlib.reload(module)
    assert factor_of(kernel) == 4


def test_equal_arguments_of_other_types_are_told_apart():
    @nki.jit
    def kernel(x, n):
        return times(x, {"int": 2.0, "float": 3.0, "bool": 4.0}[type(n).__name__])

    assert [factor_of(kernel, n) for n in (1, 1.0, True, 1)] == [2, 3, 4, 2]

    @nki.jit
    def inverse(x, n):
        return times(x, 2.0 if str(n).startswith("-") else 3.0)

    assert [factor_of(inverse, n) for n in (0.0, -0.0, 0.0, float("nan"), float("nan"))] == [3, 2, 3, 3, 3]
    assert is_kept(inverse, ONES, float("nan"))

    @nki.jit
    def first(x, d):
        return times(x, list(d.values())[0])

    assert [factor_of(first, d) for d in ({"a": 2.0, "b": 3.0}, {"b": 3.0, "a": 2.0})] == [2, 3]


def test_an_array_passed_twice_differs_from_equal_ones():
    a, b = ONES, ONES * 2
    assert [float(add(*pair)[0, 0]) for pair in ((a, a), (a, b), (b, a), (b, b), (a, a))] == [2, 3, 3, 4, 2]

    @nki.jit
    def appends(x, one, two):
        one.append(1.0)
        return times(x, float(len(two)))

    same, other = [2.0], [2.0]
    assert [factor_of(appends, same, same), factor_of(appends, same, other), factor_of(appends, other, other)] == [2, 1, 2]


def test_an_argument_that_the_kernel_also_reaches_by_name():
    shared = [2.0]

    @nki.jit
    def kernel(x, numbers):
        numbers.append(1.0)
        return times(x, float(len(shared)))

    assert [factor_of(kernel, n) for n in (shared, [2.0], shared)] == [2, 1, 2]
    assert shared == [2.0]  # what a kernel does to Python's containers stays in the trace


def test_functions_as_arguments_are_known_by_what_they_are():
    @nki.jit
    def kernel(x, f):
        return times(x, f(2.0))

    def make(n):
        return lambda y: y * n

    traced = [traced_for(kernel, ONES, make(n))[0] for n in (3, 3, 4)]
    assert traced[0] is traced[1] and traced[1] is not traced[2]
    assert [factor_of(kernel, make(n)) for n in (3, 4, 3)] == [6, 8, 6]
    numbers = [3.0]
    captures = lambda y: y * numbers[0]  # noqa: E731
    assert factor_of(kernel, captures) == 6
    numbers[0] = 4.0
    assert factor_of(kernel, captures) == 8
    assert factor_of(kernel, helped) == 4


def helped(y):
    return y * helper()


def test_what_is_kept_is_bounded_and_lets_arrays_go():
    from klr import _jit

    @nki.jit
    def kernel(x, n):
        return times(x, float(n))

    big = np.zeros((128, 64), np.float32)
    gone = weakref.ref(big)
    for n in range(_jit._KEPT + 20):
        traced_for(kernel, big, n)
    assert len(kernel._cache) <= _jit._KEPT
    del big
    gc.collect()
    assert gone() is None


def test_equal_objects_find_the_kept_kernel():
    @nki.jit
    def kernel(x, config, options):
        return times(x, config.factor * options["n"])

    traced = [traced_for(kernel, ONES, Deep(None, 2.0), {"n": 3, "l": [1, (2,)], "e": Mode.A})[0] for _ in range(3)]
    assert traced[0] is traced[1] is traced[2]


def test_a_kept_kernel_gives_what_a_new_one_gives_whatever_changes():
    """At random: one change or none to what the kernel reaches, then a call; Python itself says what is right."""
    chance = np.random.default_rng(5)

    class Node:
        bias = 1.0

        def __init__(self, value, more=None):
            self.value, self.more = value, more

        def total(self):
            return self.value + self.bias + (self.more.total() if self.more else 0.0)

    numbers, table, nodes = [1.0, 2.0], {"a": 1.0, "b": [2.0, (3.0, [4.0])]}, [Node(1.0, Node(2.0)), Node(3.0)]
    table["node"] = nodes[1]
    factor, functions = 2.0, [lambda n: n + 1.0, lambda n: n * 2.0]
    used = functions[0]

    def weight(extra=0.5):
        return sum(numbers) + table["a"] + table["b"][1][1][0] + table["b"][0] + nodes[0].total() + table["node"].total() + used(factor) + extra

    @nki.jit
    def kernel(x):
        return times(x, weight())

    def number():
        return float(chance.integers(0, 8))

    def bind(new_factor=None, new_used=None):
        nonlocal factor, used
        factor = factor if new_factor is None else new_factor
        used = used if new_used is None else new_used

    changes = [
        lambda: numbers.__setitem__(slice(0, 1), [number()]), lambda: numbers.append(number()), lambda: numbers.clear(), lambda: numbers.extend([1.0, 2.0]),
        lambda: table.update(a=number()), lambda: table["b"].__setitem__(0, number()), lambda: table["b"][1][1].__setitem__(0, number()),
        lambda: table.update(b=[number(), (0.0, [number()])]), lambda: table.update(node=nodes[0]), lambda: table.update(node=nodes[1]),
        lambda: setattr(nodes[0], "value", number()), lambda: setattr(nodes[0].more, "value", number()), lambda: setattr(nodes[1], "bias", number()),
        lambda: nodes[1].__dict__.pop("bias", None), lambda: setattr(Node, "bias", number()), lambda: setattr(nodes[1], "more", Node(number())),
        lambda: bind(new_factor=number()), lambda: bind(new_used=functions[chance.integers(2)]), lambda: setattr(weight, "__defaults__", (number(),)),
        lambda: nodes.__setitem__(0, Node(number(), Node(number()))), lambda: None, lambda: None]
    for _ in range(250):
        changes[chance.integers(len(changes))]()
        assert factor_of(kernel) == np.float32(weight())


# ---- values

class Mode(enum.Enum):
    A = "a"
    B = "b"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 4


class Bits(enum.IntFlag):
    ONE = 1
    TWO = 2


class Slots:
    __slots__ = ("factor", "unset")

    def __init__(self, factor):
        self.factor = factor


class Numbers(list):
    def first(self):
        return self[0]


@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.float64(2), np.float16(2), np.int64(2), np.uint8(2), np.longdouble(2),
                                    ml_dtypes.bfloat16(2), ml_dtypes.float8_e4m3(2), np.array(2.0), np.array(2, np.int16),
                                    Level.HIGH // 2, Bits.TWO, np.array(2, ml_dtypes.bfloat16)], ids=lambda n: type(n).__name__)
def test_numbers_of_many_kinds(number):
    assert factor_of(scaled, number) == 2


def test_values_of_many_kinds():
    @nki.jit
    def kernel(x, values):
        slots, numbers, mode, pair, nothing, text, level, deep = values
        assert nothing is None and text == "café" and pair == (1, 2) and level == 4 and deep["k"][0] == {1, 2}
        assert mode == Mode.B and mode.name == "B"
        return times(x, slots.factor * numbers.first())

    values = [Slots(3.0), Numbers([2.0]), Mode.B, (1, 2), None, "café", Level.HIGH, {"k": [{1, 2}]}]
    assert factor_of(kernel, values) == 6 and is_kept(kernel, ONES, values)
    values[0].factor = 4.0
    assert factor_of(kernel, values) == 8
    values[1][0] = 3.0
    assert factor_of(kernel, values) == 12


def test_arrays_inside_of_arguments():
    @nki.jit
    def kernel(group, options):
        t = load(group[0])
        for other in (group[1]["x"], options.child):
            nisa.tensor_tensor(dst=t, data1=t, data2=load(other), op=nl.add)
        return store(t)

    for n in (1, 2, 3):
        arrays = [ONES * n * k for k in (1, 10, 100)]
        assert np.array_equal(kernel([arrays[0], {"x": arrays[1]}], Deep(arrays[2])), ONES * 111 * n)
    assert len(kernel._cache) == 1


def test_a_kernel_that_takes_kernels_types_and_modules():
    import math

    @nki.jit
    def kernel(x, inner, dtype, module):
        t = nl.ndarray(x.shape, dtype=dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=t, src=inner(x, module.floor(2.5)))
        return store(t)

    result = kernel(ONES, scaled, nl.bfloat16, math)
    assert result.dtype == ml_dtypes.bfloat16 and float(result[0, 0]) == 2
    assert kernel(ONES, scaled, np.float16, math).dtype == np.float16


Pair = collections.namedtuple("Pair", "first second", defaults=(3.0,))


class TypedPair(typing.NamedTuple):
    first: float
    second: float = 4.0


def test_objects_of_pythons_libraries():
    ordered, counted, queue = collections.OrderedDict(a=2.0), collections.defaultdict(lambda: 5.0, a=1.0), collections.deque([1.0, 3.0])
    space, view_of = types.SimpleNamespace(n=2.0), {"a": 1.0}
    view, log = types.MappingProxyType(view_of), logging.getLogger(__name__)
    part = functools.partial(helped_by, more=2.0)

    @functools.lru_cache(maxsize=None)
    def cached(n):
        return n * space.n

    @nki.jit
    def kernel(x, pair=Pair(1.0)):
        log.info("traced %s", pair)
        first, second = pair
        return times(x, ordered["a"] * counted["a"] * counted["b"] * queue[-1] * cached(view["a"]) * part(1.0) * second + pair.first)

    def wanted(pair=Pair(1.0)):
        return ordered["a"] * counted["a"] * 5 * queue[-1] * space.n * view["a"] * 2 * part.keywords["more"] * pair.second + pair.first

    assert factor_of(kernel) == wanted() and is_kept(kernel, ONES)
    assert factor_of(kernel, Pair(2.0, 7.0)) == wanted(Pair(2.0, 7.0)) and factor_of(kernel, TypedPair(2.0)) == wanted(TypedPair(2.0))
    for change in (lambda: ordered.update(a=3.0), lambda: counted.update(a=2.0), lambda: queue.append(4.0), lambda: setattr(space, "n", 0.5),
                   lambda: view_of.update(a=2.0), lambda: part.keywords.update(more=4.0)):
        change()
        assert factor_of(kernel) == wanted()


def helped_by(n, more):
    return n * helper() * more


def test_objects_of_pythons_libraries_as_arguments():
    @nki.jit
    def kernel(x, f, queue):
        return times(x, f(2.0) * queue[0])

    @functools.lru_cache(maxsize=None)
    def cached(n):
        return n * 3.0

    for n in (1.0, 2.0, 1.0):
        assert factor_of(kernel, functools.partial(helped_by, more=n), collections.deque([5.0])) == 20 * n
        assert factor_of(kernel, cached, [n]) == 6 * n


# ---- the forms a kernel may have

class Model:
    def __init__(self, factor):
        self.factor = factor

    @nki.jit
    def forward(self, x, more=1.0):
        return times(x, self.factor * more)

    @staticmethod
    @nki.jit
    def fixed(x):
        return times(x, 7.0)

    def plain(self, x):
        return times(x, self.factor)

    def __call__(self, x):
        return times(x, self.factor + 1)


def doubled(function):
    @functools.wraps(function)
    def wrapper(*args, **keywords):
        return scaled(function(*args, **keywords), 2.0)

    return wrapper


@nki.jit
@doubled
def decorated_below(x, factor=3.0):
    return times(x, factor)


def test_methods_and_other_callables():
    one, two = Model(2.0), Model(3.0)
    assert [factor_of(m.forward) for m in (one, two, one)] == [2, 3, 2]
    assert factor_of(one.forward, 2.0) == 4 and factor_of(one.forward[2], more=3.0) == 6
    assert factor_of(nki.simulate(two.forward)) == 3
    one.factor = 9.0
    assert factor_of(one.forward) == 9
    assert factor_of(Model.fixed) == 7 and factor_of(one.fixed) == 7
    assert factor_of(nki.jit(one.plain)) == 9 and factor_of(nki.jit(two)) == 4
    assert factor_of(nki.jit(functools.partial(scaled, factor=5.0))) == 5
    assert factor_of(nki.jit(functools.partial(Model(6.0).plain))) == 6
    assert factor_of(decorated_below) == 6 and factor_of(decorated_below, factor=4.0) == 8
    single = nki.jit(lambda x: times(x, 8.0))
    assert factor_of(single) == 8
    pair = nki.jit(lambda x: times(x, 2.0)), nki.jit(lambda x: times(x, 3.0))
    assert [factor_of(k) for k in pair] == [2, 3]


def test_what_cannot_be_a_kernel():
    async def waits(x):
        return x

    def yields(x):
        yield x

    for function, message in ((waits, "async"), (yields, "generator"), (Model, "not a class"), (3, "not int"), (print, "built-in `print`"),
                              (classmethod(helped), "above @nki.jit")):
        with pytest.raises(TypeError, match=message):
            nki.jit(function)


def test_functions_without_text(monkeypatch):
    names = dict(nl=nl, nki=nki, times=times)
    exec("@nki.jit\ndef typed(x):\n    return times(x, 2.0)\n", names)
    assert factor_of(names["typed"]) == 2  # Python evaluates it
    exec("def factor():\n    return 3.0\n", names)

    @nki.jit
    def helped_by(x):
        return times(x, names["factor"]())

    assert factor_of(helped_by) == 3
    for call in (lambda: names["typed"].trace(ONES), lambda: names["typed"].ranks([(ONES,), (ONES,)])):
        with pytest.raises(klr.Error, match="not at a prompt"):
            call()
    monkeypatch.setenv("NKI_EAGER", "0")
    with pytest.raises(klr.Error, match="not at a prompt"):
        names["typed"](ONES)
    text = "@nki.jit\ndef cell(x):\n    return times(x, 4.0)\n"  # as notebooks do
    linecache.cache["<cell-1>"] = (len(text), None, text.splitlines(True), "<cell-1>")
    exec(compile(text, "<cell-1>", "exec"), names)
    assert factor_of(names["cell"]) == 4


def test_classes_of_notebook_cells(tmp_path):
    """Also where the module has a file, as after %run, and where cells are called after files that do not exist."""
    script = tmp_path / "ran.py"
    script.write_text("class Settings2:\n    factor = 9.0\n")
    names = {"__name__": "ran", "__file__": str(script), "nki": nki, "times": times}
    module = sys.modules["ran"] = types.ModuleType("ran")
    try:
        module.__dict__.update(names)
        for number, factor in enumerate((2.0, 5.0)):
            text = f"class Settings:\n    factor = {factor}\n    @staticmethod\n    def none(): pass\n" if number else \
                f"class Settings:\n    factor = {factor}\n"
            text += "@nki.jit\ndef cell(x, settings):\n    return times(x, settings.factor)\n"
            path = f"/tmp/ipykernel_0/{number}.py"
            linecache.cache[path] = (len(text), None, text.splitlines(True), path)
            exec(compile(text, path, "exec"), module.__dict__)
            assert factor_of(module.cell, module.Settings()) == factor
    finally:
        del sys.modules["ran"]


def test_wrong_arguments():
    with pytest.raises(TypeError, match=r"scaled\(\): missing a required argument: 'factor'"):
        scaled(ONES)
    with pytest.raises(TypeError, match="unexpected keyword argument 'third'"):
        scaled(ONES, 1.0, third=3)
    with pytest.raises(TypeError, match="multiple values"):
        scaled(ONES, 1.0, x=ONES)
    with pytest.raises(TypeError, match="too many"):
        scaled(ONES, 1.0, 2.0)

    @nki.jit
    def some(*arrays, **options):
        return times(options["x"], 2.0)

    assert factor_of(lambda x: some(x=x)) == 2
    with pytest.raises(KeyError):
        some(ONES)


def test_nesting_without_end():
    deep = []
    for _ in range(100000):
        deep = [deep]
    with pytest.raises(RecursionError, match="argument `factor` is nested too deeply"):
        scaled(ONES, deep)
    ring = [1.0]
    ring.append(ring)

    @nki.jit
    def kernel(x, numbers):
        return times(x, numbers[1][1][0] + 1)

    assert factor_of(kernel, ring) == 2

    @nki.jit
    def endless(x):
        return endless(x)

    with pytest.raises(klr.Error, match="recursion"):
        endless(ONES)
    assert factor_of(scaled, 2.0) == 2


# ---- arrays no kernel takes

@pytest.mark.parametrize("dtype, instead", [("int64", "np.int32"), ("uint64", "np.uint32"), ("float64", "np.float32"), ("longdouble", "np.float32"),
                                            ("object", None), ("U3", None), ("S2", None), ("complex64", None), ("M8[s]", None), ("m8[s]", None),
                                            ([("re", "f4"), ("im", "f4")], None), ("V4", None)])
def test_element_types_that_no_kernel_takes(dtype, instead):
    with pytest.raises(TypeError, match="argument `b` is an array of dtype") as caught:
        add(ONES, np.zeros((4, 3), dtype))
    assert isinstance(caught.value, klr.Error)
    assert (f".astype({instead})" in str(caught.value)) == (instead is not None)


def test_arrays_that_no_kernel_takes():
    with pytest.raises(TypeError, match=r"argument `a` is a masked array: .* \.filled"):
        add(np.ma.masked_array(ONES, ONES > 0), ONES)
    with pytest.raises(klr.Error, match="argument `b` has a dimension of size 0"):
        add(ONES, np.zeros((4, 0), np.float32))
    with pytest.raises(klr.Error, match="`a`.*dimensions"):
        add(np.zeros((1,) * 40, np.float32), ONES)
    huge = np.broadcast_to(np.float32(0), (1 << 20, 1 << 22))
    with pytest.raises(klr.Error, match="argument `a` is larger than the memory of any device"):
        add(huge, huge)


class Labelled(np.ndarray):
    pass


def test_arrays_in_many_layouts():
    base = np.arange(48, dtype=np.float32).reshape(6, 8)
    read_only = base.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + base.tobytes(), np.uint8)[1:].view(np.float32).reshape(6, 8)
    assert not unaligned.flags.aligned
    for array in (base, base[::-1], base[:, ::-1], base.T, base[1:5:2, 2:7:3], base.astype(">f4"), np.asfortranarray(base), read_only,
                  np.broadcast_to(base[0], (6, 8)), unaligned, base.view(Labelled), np.matrix(base), base[:, None, :].swapaxes(0, 2)):
        before = array.copy()
        assert np.array_equal(add(array, array), np.asarray(before) * 2)
        assert np.array_equal(array, before)
    mapped = base.astype(ml_dtypes.bfloat16)[::-2, 1::3]
    assert np.array_equal(add(mapped, mapped).astype(np.float32), mapped.astype(np.float32) * 2)


class Shared:
    """An array of yet another library."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_arrays_of_other_libraries():
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    result = add(Shared(x), Shared(x[:, ::-1]))
    assert type(result) is np.ndarray and np.array_equal(result, x + x[:, ::-1])
    assert is_kept(add, Shared(x), Shared(x))
    shared, before = Shared(x), x.copy()
    assert negate_in_place(shared) is shared and np.array_equal(x, -before)
    assert factor_of(scaled, Shared(np.array(3.0, np.float32))) == 3
    with pytest.raises(ValueError, match="shares memory"):
        copy_into(Shared(x), x)
    with pytest.raises(TypeError, match="argument `a` is an array of dtype float64"):
        add(Shared(x.astype(np.float64)), x)

    class Broken(Shared):
        def __dlpack__(self, **options):
            raise RuntimeError("on another planet")

    with pytest.raises(TypeError, match="`b` is an array of .*Broken that NumPy cannot read: on another planet"):
        add(x, Broken(x))


def test_arrays_written_in_many_layouts(tmp_path):
    def views(a):
        yield from (a, a[::-1], a[:, ::-1], a.T, a[1:5:2, 2:7:3], a.view(Labelled))

    for i in range(6):
        base = np.arange(48, dtype=np.float32).reshape(6, 8)
        wanted = base.copy()
        list(views(wanted))[i][...] *= -1
        view = list(views(base))[i]
        assert negate_in_place(view) is view
        assert np.array_equal(base, wanted)
    swapped = np.arange(6, dtype=">i2").reshape(2, 3).astype(">f4")
    negate_in_place(swapped)
    assert swapped.tolist() == [[0, -1, -2], [-3, -4, -5]]
    np.save(tmp_path / "m.npy", ONES)
    for mode in ("r+", "c"):
        mapped = np.load(tmp_path / "m.npy", mmap_mode=mode)
        negate_in_place(mapped)
        assert mapped[0, 0] == (-1 if mode == "r+" else 1)
        del mapped
        assert np.load(tmp_path / "m.npy")[0, 0] == -1
    with pytest.raises(ValueError, match="read-only"):
        negate_in_place(np.load(tmp_path / "m.npy", mmap_mode="r"))


def test_memory_that_cannot_be_written_as_asked():
    narrow = np.lib.stride_tricks.as_strided(np.zeros(8, np.float32), (3, 4), (8, 4))
    with pytest.raises(ValueError, match="several elements lie in one place"):
        negate_in_place(narrow)
    base = np.arange(24, dtype=np.float32).reshape(8, 3)
    before = base.copy()
    with pytest.raises(ValueError, match="argument `x`, which shares memory with `y`"):
        copy_into(base[:4], base[2:6])
    with pytest.raises(klr.Error):
        copy_into(base[:4], base[:4])
    assert np.array_equal(base, before)
    copy_into(base[:4], base[4:])
    assert np.array_equal(base[:4], before[4:])
    copy_into(base[::2], base[1::2])  # between each other, nothing in common
    assert np.array_equal(base[::2], base[1::2])
    assert np.array_equal(add(base[:4], base[2:6]), base[:4] + base[2:6])  # nothing is written

    @nki.jit
    def turn(x, y):
        nisa.dma_copy(dst=y, src=load(x))
        nisa.dma_copy(dst=x, src=store(load(y)))

    same = ONES * 3
    turn(same, same)  # one tensor under two names
    assert np.all(same == 3)


def test_arguments_are_untouched_when_a_run_fails():
    @nki.jit
    def fails(x, index):
        t = load(x)
        nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=2.0)
        nisa.dma_copy(dst=x, src=t)
        i = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
        nisa.dma_copy(dst=i, src=index)
        row = nisa.register_alloc()
        nisa.register_load(row, i)
        nisa.dma_copy(dst=t[0:1, :], src=x.ap([[3, 1], [1, 3]], scalar_offset=row))

    x = ONES.copy()
    with pytest.raises(klr.Error) as caught:
        fails(x, np.array([[1000]], np.int32))
    assert np.array_equal(x, ONES), caught.value
    assert np.array_equal(add(x, x), ONES * 2)


# ---- what nobody wrote

@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.int32, np.uint8])
def test_what_nobody_wrote_is_nan_or_four_and_a_warning(dtype):
    @nki.jit
    def partly(x):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out[0:1, :], src=load(x[0:1, :]))
        return out

    x = np.ones((3, 4), dtype)
    with pytest.warns(klr.Warning, match=r"element \[1, 0\] of result `out.*` was never written") as caught:
        result = partly(x)
    assert caught[0].filename == __file__ and caught[0].message.diagnostic["code"] == "W0611"
    assert np.array_equal(result[0], x[0])
    rest = result[1:].astype(np.float32)
    assert np.all(np.isnan(rest)) if np.dtype(dtype).kind not in "iu" else np.all(rest == 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error", klr.Warning)
        with pytest.raises(klr.Warning):
            partly(x)


def test_what_comes_from_what_nobody_wrote():
    @nki.jit
    def partly(x):
        t = nl.ndarray((4, 4), dtype=x.dtype, buffer=nl.sbuf)
        nisa.dma_copy(dst=t[0:3, :], src=x)
        nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0=1.0)
        return store(t)

    with pytest.warns(klr.Warning):
        result = partly(np.ones((3, 4), np.float32))
    assert np.all(result[:3] == 2) and np.all(np.isnan(result[3:]))


# ---- warnings and errors

def test_warnings_are_filtered_as_pythons_are():
    @nki.jit
    def old(x):
        for _ in nl.affine_range(1):
            y = times(x, 2.0)
        return y

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old(ONES)
        old(ONES)
    assert len(caught) == 2 and all(issubclass(w.category, klr.Warning) for w in caught)
    assert "affine_range" in open(caught[1].filename).read().splitlines()[caught[1].lineno - 1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        old(ONES)
        old(ONES)
    assert len(caught) == 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore", klr.Warning)
        old(ONES)
    assert not caught
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(klr.Warning, match="affine_range"):
            old(ONES)
    assert factor_of(scaled, 2.0) == 2


def test_errors_can_be_pickled_and_carry_data():
    with pytest.raises(klr.Error) as caught:
        add(ONES, np.ones((4, 2), np.float32))
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value) and str(again) == str(caught.value) and again.diagnostics == caught.value.diagnostics


class Refused(ValueError):
    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")


@nki.jit
def raising(x, kind):
    if kind == "value":
        raise ValueError("no good")
    if kind == "own":
        raise Refused("it", "because")
    if kind == "os":
        raise OSError("disk")
    if kind == "key":
        raise KeyError("k")
    return times(x, 2.0)


@pytest.mark.parametrize("kind, raised, text", [("value", ValueError, "no good"), ("own", Refused, "it: because"), ("os", OSError, "disk"),
                                                ("key", KeyError, "'k'")])
@pytest.mark.filterwarnings("ignore:.*W0301")
def test_errors_are_also_of_the_class_that_the_kernel_raises(kind, raised, text):
    with pytest.raises(raised, match=text) as caught:
        raising(ONES, kind)
    assert isinstance(caught.value, klr.Error) and caught.value.code == "E0310"
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value) and str(again) == str(caught.value) and again.code == "E0310"
    assert factor_of(raising, "nothing") == 2


def test_kernels_are_pickled_by_name():
    again = pickle.loads(pickle.dumps(scaled[2]))
    assert again.lnc == 2 and again.function is scaled.function


# ---- many at once

def test_threads_call_the_same_and_other_kernels_while_things_change():
    numbers = [1.0]

    @nki.jit
    def kernel(x, n):
        return times(x, n * 2.0 + 0.0 * numbers[0])

    wrong, stop = [], threading.Event()

    def change():
        while not stop.is_set():
            numbers[0] += 1.0
            numbers.append(0.0)
            del numbers[1:]

    def call(seed):
        for i in range(25):
            n = float((seed + i) % 5)
            if factor_of(kernel, n) != n * 2 or factor_of(scaled, n) != n:
                wrong.append((seed, i))

    changer = threading.Thread(target=change)
    workers = [threading.Thread(target=call, args=(s,)) for s in range(6)]
    changer.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    stop.set()
    changer.join()
    assert not wrong


def test_an_array_that_another_thread_writes_meanwhile():
    x, stop = np.ones((128, 512), np.float32), threading.Event()

    def change():
        while not stop.is_set():
            x[:] = 2.0
            x[:] = 1.0

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(50):
            assert set(np.unique(scaled(x, 2.0))) <= {2.0, 4.0}
    finally:
        stop.set()
        thread.join()


@nki.jit
def long_one(x):
    t = load(x)
    for _ in range(3000):
        nisa.activation(dst=t, op=nl.exp, data=t, scale=0.0)
    return store(t)


def test_other_threads_run_while_a_kernel_does():
    x = np.ones((128, 512), np.float32)
    traced, inputs = traced_for(long_one, x)
    counted, done = [0], threading.Event()

    def run():
        long_one(x)
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    while not done.wait(0.001):
        counted[0] += 1
    thread.join()
    assert counted[0] > 5  # the lock was free meanwhile


def child(queue):
    queue.put((float(scaled(ONES, 3.0)[0, 0]), float(add(ONES, ONES)[0, 0])))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_made_after_use(method):
    assert factor_of(scaled, 3.0) == 3
    scaled(np.ones((128, 4096), np.float32), 2.0)  # threads have run
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fork() in a process with threads
        process = context.Process(target=child, args=(queue,))
        process.start()
    process.join(60)
    assert process.exitcode == 0 and queue.get() == (3.0, 2.0)


def test_memory_does_not_grow_with_calls():
    import resource

    def used():
        return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

    for _ in range(300):
        scaled(ONES, 2.0)
    gc.collect()
    before = used()
    for _ in range(3000):
        scaled(ONES, 2.0)
    assert used() - before < 2 << 20


def test_a_missing_package_is_named():
    code = "import sys; sys.modules['ml_dtypes'] = None\nimport klr.nki"
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=PACKAGE), capture_output=True, text=True)
    assert "klr needs ml_dtypes" in done.stderr and "pip install ml_dtypes" in done.stderr
    code = "import sys; sys.modules['numpy'] = None\nimport klr.nki"
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=PACKAGE), capture_output=True, text=True)
    assert "klr needs numpy" in done.stderr and "pip install numpy" in done.stderr
    code = "import sys, klr.nki; print({'torch', 'jax'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=PACKAGE), capture_output=True, text=True)
    assert done.stdout == "set()\n"
