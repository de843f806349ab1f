"""Compiled kernel libraries, called through the structures of include/klr_kernel_abi.h, and the interpreter without a process of its own."""

import ctypes
import json
import os
import shutil

import numpy as np
from conftest import ROOT

DTYPES = [np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.float16, np.uint16, np.float32, np.float64]
BLOCK = 4096
# Those there are; test_schema_sanitize.py names its own.
COMPILERS = os.environ.get("KLR_TEST_COMPILER", "").split() or [name for name in ("gcc", "clang") if shutil.which(name)]


class Argument(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("count", ctypes.c_uint64), ("value", ctypes.c_uint64)]


class Param(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_uint8), ("is_array", ctypes.c_uint8), ("direction", ctypes.c_uint8), ("reserved", ctypes.c_uint8 * 5)]


class Fault(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_uint32), ("line", ctypes.c_uint32), ("param", ctypes.c_uint32), ("reserved", ctypes.c_uint32), ("index", ctypes.c_int64),
                ("count", ctypes.c_uint64), ("thread", ctypes.c_uint64)]


class Grid(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint64 * 3), ("local", ctypes.c_uint64 * 3)]


BODY = ctypes.CFUNCTYPE(None, ctypes.POINTER(Argument), ctypes.POINTER(Grid), ctypes.c_uint64, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64), ctypes.POINTER(Fault))
COMBINE = ctypes.CFUNCTYPE(None, ctypes.POINTER(Argument), ctypes.POINTER(Grid), ctypes.POINTER(ctypes.c_uint64), ctypes.c_uint64)
GRID = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.POINTER(Argument), ctypes.POINTER(ctypes.c_uint64))
NEEDED = ctypes.CFUNCTYPE(None, ctypes.POINTER(Argument), ctypes.POINTER(Grid), ctypes.POINTER(ctypes.c_uint64))


class Stage(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint32), ("unit_is_group", ctypes.c_uint32), ("reduction_count", ctypes.c_uint32), ("cost", ctypes.c_uint32),
                ("bodies", ctypes.c_void_p * 3), ("combine", ctypes.c_void_p), ("grid", ctypes.c_void_p), ("needed", ctypes.c_void_p),
                ("apart", ctypes.c_void_p * 3), ("is_for_many", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
                ("values", ctypes.c_void_p * 3), ("fold", ctypes.c_void_p)]


class Info(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint32), ("param_count", ctypes.c_uint32), ("stage_count", ctypes.c_uint32), ("dims", ctypes.c_uint32),
                ("is_checked", ctypes.c_uint32), ("line", ctypes.c_uint32), ("name", ctypes.c_char_p), ("doc", ctypes.c_char_p), ("path", ctypes.c_char_p),
                ("params", ctypes.POINTER(Param)), ("stages", ctypes.POINTER(Stage)), ("schema", ctypes.c_char_p), ("schema_hash", ctypes.c_char_p)]


class Library(ctypes.Structure):
    _fields_ = [("magic", ctypes.c_uint32), ("abi", ctypes.c_uint32), ("bytes", ctypes.c_uint32), ("kernel_count", ctypes.c_uint32),
                ("kernels", ctypes.POINTER(ctypes.POINTER(Info))), ("generator", ctypes.c_char_p), ("build", ctypes.c_char_p)]


def cpu_has(isa):
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as text:
        flags = text.read()
    return isa == 0 or (isa == 1 and " avx2 " in flags and " fma " in flags) or (isa == 2 and " avx512dq " in flags and " avx512vl " in flags)


class Kernels:
    """The kernels of a library by name; calling one runs it on copies and returns the written arrays by name."""

    def __init__(self, path):
        self.path = path
        self.loaded = ctypes.CDLL(str(path))
        self.library = Library.in_dll(self.loaded, "klr_kernel_library")
        assert self.library.magic == 0x4b524c4b and self.library.abi == 1
        self.infos = {self.library.kernels[i].contents.name.decode(): self.library.kernels[i].contents for i in range(self.library.kernel_count)}

    def run(self, name, values, grid=None, local=(256, 1, 1), isa=0, pieces=1):
        """`pieces`: into how many ranges the work is cut. Returns (arrays by name, fault)."""
        info = self.infos[name]
        arguments = (Argument * (info.param_count + 1))()
        arrays = {}
        for i in range(info.param_count):
            param, value = info.params[i], values[info.params[i].name.decode()]
            if param.is_array:
                array = arrays[param.name.decode()] = np.ascontiguousarray(value).copy()
                arguments[i].data, arguments[i].count = array.ctypes.data, array.size
            else:
                number = np.array([value]).astype(DTYPES[param.dtype])
                ctypes.memmove(ctypes.byref(arguments[i], Argument.value.offset), number.ctypes.data, number.itemsize)
        fault = Fault()
        for stage in info.stages[:info.stage_count]:
            self.run_stage(stage, arguments, grid, local, isa, pieces, fault)
        written = {info.params[i].name.decode() for i in range(info.param_count) if info.params[i].is_array and info.params[i].direction >= 2}
        return {key: array for key, array in arrays.items() if key in written}, fault

    @staticmethod
    def run_stage(stage, arguments, grid, local, isa, pieces, fault):
        launch = Grid((ctypes.c_uint64 * 3)(1, 1, 1), (ctypes.c_uint64 * 3)(*local))
        knows = GRID(stage.grid)(arguments, launch.size)
        assert knows or grid, "the kernel does not tell its grid"
        if grid and knows != 2:
            launch.size[:] = grid
        units = 1
        for size, group in zip(launch.size, local):
            units *= -(-size // group) if stage.unit_is_group else size
        blocks = -(-units // BLOCK)
        partials = (ctypes.c_uint64 * (blocks * stage.reduction_count + 1))()
        step = max(1, -(-units // pieces))
        step = -(-step // BLOCK) * BLOCK if stage.reduction_count else step
        body = (pieces > 1 and stage.apart[isa]) or next(filter(None, (stage.bodies[i] for i in range(isa, -1, -1))))
        for begin in range(0, units, step):
            part = ctypes.cast(ctypes.addressof(partials) + begin // BLOCK * stage.reduction_count * 8, ctypes.POINTER(ctypes.c_uint64))
            BODY(body)(arguments, launch, begin, min(begin + step, units), part, fault)
        if stage.combine:
            COMBINE(stage.combine)(arguments, launch, partials, blocks)

    def needed(self, name, values, size):
        info = self.infos[name]
        stage = info.stages[0]
        arguments = (Argument * (info.param_count + 1))()
        for i in range(info.param_count):
            if not info.params[i].is_array:
                number = np.array([values[info.params[i].name.decode()]]).astype(DTYPES[info.params[i].dtype])
                ctypes.memmove(ctypes.byref(arguments[i], Argument.value.offset), number.ctypes.data, number.itemsize)
        out = (ctypes.c_uint64 * (info.param_count + 1))()
        NEEDED(stage.needed)(arguments, Grid((ctypes.c_uint64 * 3)(*(size if isinstance(size, list) else (size, 1, 1))), (ctypes.c_uint64 * 3)(256, 1, 1)), out)
        return list(out)[:info.param_count]


NAMES = ["bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "bf16", "f32", "f64"]
Sizes = ctypes.c_uint64 * 3
_interpreter = None


def interpreter():
    global _interpreter
    if not _interpreter:
        _interpreter = ctypes.CDLL(os.path.join(ROOT, "build", "tests", "number", "libschema_test.so"))
        _interpreter.schema_test_read.restype = ctypes.c_void_p
        for name in ("told", "json", "is_read", "free", "interpret"):
            getattr(_interpreter, f"schema_test_{name}").argtypes = [ctypes.c_void_p]
        for name in ("told", "json"):
            getattr(_interpreter, f"schema_test_{name}").restype = ctypes.c_char_p
        _interpreter.schema_test_interpret.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(Argument), Sizes, Sizes, ctypes.c_uint64]
    return _interpreter


class Interpreted:
    """The kernels of a text, Python or JSON; what is refused raises ValueError with what was told."""

    def __init__(self, text, path="k.py"):
        self.library = interpreter()
        self.test = ctypes.c_void_p(self.library.schema_test_read(text.encode(), path.encode(), int(path.endswith(".json"))))
        if not self.library.schema_test_is_read(self.test):
            raise ValueError(self.told())
        self.json = self.library.schema_test_json(self.test).decode()
        self.params = {kernel["name"]: kernel["params"] for kernel in json.loads(self.json)["kernels"]}

    def __del__(self):
        self.library.schema_test_free(self.test)

    def told(self):
        return self.library.schema_test_told(self.test).decode()

    def run(self, name, values, grid=(0, 0, 0), local=(0, 0, 0), steps=0):
        """Runs on copies; returns the written arrays by name."""
        params = self.params[name]
        arguments, arrays, written = (Argument * (len(params) + 1))(), {}, set()
        for argument, param in zip(arguments, params):
            key, value = param["name"], values[param["name"]]
            if param["type"]["kind"] == "device_array":
                array = arrays[key] = np.ascontiguousarray(value).copy()
                argument.data, argument.count = array.ctypes.data, array.size
                if param["direction"] in ("out", "inout"):
                    written.add(key)
            else:
                number = np.array([value]).astype(DTYPES[NAMES.index(param["type"]["type"])])
                ctypes.memmove(ctypes.byref(argument, Argument.value.offset), number.ctypes.data, number.itemsize)
        if not self.library.schema_test_interpret(self.test, name.encode(), arguments, Sizes(*grid), Sizes(*local), steps):
            raise ValueError(self.told())
        return {key: arrays[key] for key in written}
