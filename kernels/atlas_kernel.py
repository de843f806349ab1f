"""The names that scalar kernels import: for editors, type checkers and Python, which can so import a kernel's module.

`klr schema` parses kernels and knows these names itself; it never imports this file. It is also what `klr.schema` exports.
Where a function has a meaning only inside of a kernel, calling it elsewhere raises. `docs/schema.md` is the language.
"""

import builtins
from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar, Union

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Number = Union[int, float]

# Python's own, which kernels call too: `import *` leaves them alone.
abs, max, min, pow, round = builtins.abs, builtins.max, builtins.min, builtins.pow, builtins.round

# Element types and the types of scalar parameters. For type checkers they are the plain numbers; T(x) converts.
if TYPE_CHECKING:
    i8 = int
    i16 = int
    i32 = int
    i64 = int
    u8 = int
    u16 = int
    u32 = int
    u64 = int
    usize = int
    f16 = float
    bf16 = float
    f32 = float
    f64 = float
else:
    i8, i16, i32, i64, u8, u16, u32, u64, usize = (
        type(name, (int,), {"__module__": __name__}) for name in ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "usize"))
    f16, bf16, f32, f64 = (type(name, (float,), {"__module__": __name__}) for name in ("f16", "bf16", "f32", "f64"))


class DeviceArray(Generic[T]):
    """An array of one dimension; its length comes with it at launch. An index is inside or an error: none counts from the end."""

    def __getitem__(self, index: int) -> T:
        raise _compiled("DeviceArray")

    def __setitem__(self, index: int, value: Any) -> None:
        raise _compiled("DeviceArray")


def _compiled(name: str) -> Exception:
    return RuntimeError(f"{name} has a meaning only inside of a scalar kernel, and kernels are compiled, not run by Python: decorate the function with "
                        "@klr.schema.kernel and call it with arrays, or run `klr schema run FILE.py NAME ARG=VALUE...`")


def inline(function: F) -> F:
    """Makes a function a helper: kernels call it, it may return a value, and its parameters need no types."""
    function.__klr_inline__ = True  # type: ignore[attr-defined]
    return function


device = inline


def shared_array(dtype: Callable[..., T], count: int) -> DeviceArray[T]:
    """An array that the threads of a group share; count is a literal."""
    raise _compiled("shared_array")


def get_global_id(dimension: int = 0) -> int:
    """Which thread of all, from 0."""
    raise _compiled("get_global_id")


def get_local_id(dimension: int = 0) -> int:
    """Which thread of its group, from 0."""
    raise _compiled("get_local_id")


def get_group_id(dimension: int = 0) -> int:
    """Which group, from 0."""
    raise _compiled("get_group_id")


def get_global_size(dimension: int = 0) -> int:
    """How many threads there are."""
    raise _compiled("get_global_size")


def get_local_size(dimension: int = 0) -> int:
    """How many threads a group has."""
    raise _compiled("get_local_size")


def get_num_groups(dimension: int = 0) -> int:
    """How many groups there are."""
    raise _compiled("get_num_groups")


def barrier() -> None:
    """Waits for the group's other threads; what they wrote to shared arrays is then seen."""
    raise _compiled("barrier")


def sqrt(x: Number) -> Any:
    """Correctly rounded."""
    raise _compiled("sqrt")


def rsqrt(x: Number) -> Any:
    """1 / sqrt(x), two roundings."""
    raise _compiled("rsqrt")


def reciprocal(x: Number) -> Any:
    """1 / x."""
    raise _compiled("reciprocal")


def floor(x: Number) -> Any:
    """Rounds down."""
    raise _compiled("floor")


def ceil(x: Number) -> Any:
    """Rounds up."""
    raise _compiled("ceil")


def trunc(x: Number) -> Any:
    """Rounds towards 0."""
    raise _compiled("trunc")


def exp(x: Number) -> Any:
    """E to the power of x."""
    raise _compiled("exp")


def exp2(x: Number) -> Any:
    """2 to the power of x."""
    raise _compiled("exp2")


def expm1(x: Number) -> Any:
    """Exp(x) - 1."""
    raise _compiled("expm1")


def log(x: Number) -> Any:
    """Natural logarithm."""
    raise _compiled("log")


def log2(x: Number) -> Any:
    """Logarithm of base 2."""
    raise _compiled("log2")


def log10(x: Number) -> Any:
    """Logarithm of base 10."""
    raise _compiled("log10")


def log1p(x: Number) -> Any:
    """Log(1 + x)."""
    raise _compiled("log1p")


def sin(x: Number) -> Any:
    """Of radians."""
    raise _compiled("sin")


def cos(x: Number) -> Any:
    """Of radians."""
    raise _compiled("cos")


def tan(x: Number) -> Any:
    """Of radians."""
    raise _compiled("tan")


def asin(x: Number) -> Any:
    """In radians."""
    raise _compiled("asin")


def acos(x: Number) -> Any:
    """In radians."""
    raise _compiled("acos")


def atan(x: Number) -> Any:
    """In radians."""
    raise _compiled("atan")


def sinh(x: Number) -> Any:
    """Hyperbolic sine."""
    raise _compiled("sinh")


def cosh(x: Number) -> Any:
    """Hyperbolic cosine."""
    raise _compiled("cosh")


def tanh(x: Number) -> Any:
    """Hyperbolic tangent."""
    raise _compiled("tanh")


def erf(x: Number) -> Any:
    """Error function."""
    raise _compiled("erf")


def sigmoid(x: Number) -> Any:
    """1 / (1 + exp(-x))."""
    raise _compiled("sigmoid")


def relu(x: Number) -> Any:
    """Max(x, 0)."""
    raise _compiled("relu")


def atan2(x: Number, y: Number) -> Any:
    """The angle of the point (second, first)."""
    raise _compiled("atan2")


def fma(x: Number, y: Number, z: Number) -> Any:
    """X * y + z, rounded once."""
    raise _compiled("fma")


def popcount(x: int) -> int:
    """How many bits of an integer are 1."""
    raise _compiled("popcount")


def clz(x: int) -> int:
    """How many bits are 0 before the first 1; of 0 all."""
    raise _compiled("clz")


def ctz(x: int) -> int:
    """How many bits are 0 after the last 1; of 0 all."""
    raise _compiled("ctz")


def as_i32(x: Number) -> Any:
    """The 32 bits of a number, taken for those of an i32."""
    raise _compiled("as_i32")


def as_u32(x: Number) -> Any:
    """The 32 bits of a number, taken for those of a u32."""
    raise _compiled("as_u32")


def as_f32(x: Number) -> Any:
    """The 32 bits of a number, taken for those of an f32."""
    raise _compiled("as_f32")


def as_i64(x: Number) -> Any:
    """The 64 bits of a number, taken for those of an i64."""
    raise _compiled("as_i64")


def as_u64(x: Number) -> Any:
    """The 64 bits of a number, taken for those of a u64."""
    raise _compiled("as_u64")


def as_f64(x: Number) -> Any:
    """The 64 bits of a number, taken for those of an f64."""
    raise _compiled("as_f64")


def isnan(x: Number) -> bool:
    """Whether it is not a number."""
    raise _compiled("isnan")


def isinf(x: Number) -> bool:
    """Whether it is infinite."""
    raise _compiled("isinf")


def atomic_add(array: DeviceArray[Any], index: int, value: Number) -> Any:
    """Adds to the element and gives what it was before; integers wrap."""
    raise _compiled("atomic_add")


def atomic_sub(array: DeviceArray[Any], index: int, value: Number) -> Any:
    """Subtracts from the element and gives what it was before; integers wrap."""
    raise _compiled("atomic_sub")


def atomic_min(array: DeviceArray[Any], index: int, value: Number) -> Any:
    """Makes the element the smaller of itself and value; gives what it was before."""
    raise _compiled("atomic_min")


def atomic_max(array: DeviceArray[Any], index: int, value: Number) -> Any:
    """Makes the element the larger of itself and value; gives what it was before."""
    raise _compiled("atomic_max")


def atomic_exch(array: DeviceArray[Any], index: int, value: Number) -> Any:
    """Replaces the element; gives what it was before."""
    raise _compiled("atomic_exch")


def atomic_cas(array: DeviceArray[Any], index: int, expected: Number, value: Number) -> Any:
    """Replaces the element when its bits are those of expected; gives what it was before."""
    raise _compiled("atomic_cas")


def atomic_add_f32(array: DeviceArray[Any], value: Number) -> Any:
    """Atomic_add(array, 0, value)."""
    raise _compiled("atomic_add_f32")


def atomic_add_u32(array: DeviceArray[Any], value: Number) -> Any:
    """Atomic_add(array, 0, value)."""
    raise _compiled("atomic_add_u32")


def atomic_add_i32(array: DeviceArray[Any], value: Number) -> Any:
    """Atomic_add(array, 0, value)."""
    raise _compiled("atomic_add_i32")


def parallel_map_unary(source: DeviceArray[Any], target: DeviceArray[Any], op: str, n: int) -> None:
    """Target[i] = op(source[i]) for i below n."""
    raise _compiled("parallel_map_unary")


def parallel_map_binary(a: DeviceArray[Any], b: DeviceArray[Any], target: DeviceArray[Any], op: str, n: int) -> None:
    """Target[i] = op(a[i], b[i]) for i below n."""
    raise _compiled("parallel_map_binary")


def parallel_reduce(source: DeviceArray[Any], target: DeviceArray[Any], op: str, n: int) -> None:
    """Target[0] = all of source[:n] joined by op: sum, product, min or max."""
    raise _compiled("parallel_reduce")


def parallel_scan(source: DeviceArray[Any], target: DeviceArray[Any], op: str, n: int) -> None:
    """Target[i] = source[:i + 1] joined by op, from the left, for i below n."""
    raise _compiled("parallel_scan")


def parallel_gather(source: DeviceArray[Any], indices: DeviceArray[Any], target: DeviceArray[Any], n: int) -> None:
    """Target[i] = source[indices[i]] for i below n."""
    raise _compiled("parallel_gather")


def parallel_scatter(source: DeviceArray[Any], indices: DeviceArray[Any], target: DeviceArray[Any], n: int) -> None:
    """Target[indices[i]] = source[i] for i below n."""
    raise _compiled("parallel_scatter")


# Other spellings.
expf = exp
logf = log
sinf = sin
cosf = cos
tanhf = tanh
sqrtf = sqrt
fabs = abs
fabsf = abs
powf = pow
fmin = min
fmax = max
atomic_exchange = atomic_exch
atomic_compare_and_swap = atomic_cas

__all__ = [
    "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "usize", "f16", "bf16", "f32", "f64", "DeviceArray",
    "inline", "device", "shared_array", "get_global_id", "get_local_id", "get_group_id", "get_global_size",
    "get_local_size", "get_num_groups", "barrier", "sqrt", "rsqrt", "reciprocal", "floor", "ceil", "trunc", "exp",
    "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "erf", "sigmoid", "relu", "atan2", "fma", "popcount", "clz", "ctz", "as_i32",
    "as_u32", "as_f32", "as_i64", "as_u64", "as_f64", "isnan", "isinf", "atomic_add", "atomic_sub", "atomic_min",
    "atomic_max", "atomic_exch", "atomic_cas", "atomic_add_f32", "atomic_add_u32", "atomic_add_i32",
    "parallel_map_unary", "parallel_map_binary", "parallel_reduce", "parallel_scan", "parallel_gather",
    "parallel_scatter", "expf", "logf", "sinf", "cosf", "tanhf", "sqrtf", "fabs", "fabsf", "powf", "fmin", "fmax",
    "atomic_exchange", "atomic_compare_and_swap",
]
