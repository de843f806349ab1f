"""The names that scalar kernels import.

`klr schema` parses kernels and knows these names itself: it never imports this file. It is here for editors, type checkers and
Python, which can so import a kernel's module; calling one of these functions in Python raises. `docs/schema.md` is the language.
"""

from typing import Any, Callable, Generic, TypeVar, Union

T = TypeVar("T")
Number = Union[int, float]

# Element types and the types of scalar parameters. In Python they are the plain numbers; T(x) converts.
i8 = i16 = i32 = i64 = u8 = u16 = u32 = u64 = usize = int
f16 = bf16 = f32 = f64 = float


class DeviceArray(Generic[T]):
    """An array of one dimension; its length comes with it at launch. An index is inside or an error: none counts from the end."""

    def __getitem__(self, index: int) -> T:
        raise _compiled("DeviceArray")

    def __setitem__(self, index: int, value: Any) -> None:
        raise _compiled("DeviceArray")


def _compiled(name: str) -> Exception:
    return RuntimeError(f"{name} belongs to scalar kernels, which are compiled and not run by Python: see `klr schema --help`")


def inline(function: Callable) -> Callable:
    """Makes a function a helper: kernels call it, it may return a value, and its parameters need no types."""
    return function


device = inline


def shared_array(dtype: type, count: int) -> DeviceArray:
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


def abs(x: Number) -> Any:
    """Absolute value; the least integer stays what it is."""
    raise _compiled("abs")


def min(*values: Number) -> Any:
    """The least; a NaN when there is one; -0.0 is less than 0.0."""
    raise _compiled("min")


def max(*values: Number) -> Any:
    """The largest; a NaN when there is one; 0.0 is larger than -0.0."""
    raise _compiled("max")


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


def round(x: Number) -> Any:
    """To the nearest whole number, ties to even."""
    raise _compiled("round")


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


def pow(x: Number, y: Number) -> Any:
    """X to the power of y."""
    raise _compiled("pow")


def atan2(x: Number, y: Number) -> Any:
    """The angle of the point (second, first)."""
    raise _compiled("atan2")


def fma(x: Number, y: Number, z: Number) -> Any:
    """X * y + z, rounded once."""
    raise _compiled("fma")


def isnan(x: Number) -> bool:
    """Whether it is not a number."""
    raise _compiled("isnan")


def isinf(x: Number) -> bool:
    """Whether it is infinite."""
    raise _compiled("isinf")


def atomic_add(array: DeviceArray, index: int, value: Number) -> Any:
    """Adds to the element and gives what it was before; integers wrap."""
    raise _compiled("atomic_add")


def atomic_sub(array: DeviceArray, index: int, value: Number) -> Any:
    """Subtracts from the element and gives what it was before; integers wrap."""
    raise _compiled("atomic_sub")


def atomic_min(array: DeviceArray, index: int, value: Number) -> Any:
    """Makes the element the smaller of itself and value; gives what it was before."""
    raise _compiled("atomic_min")


def atomic_max(array: DeviceArray, index: int, value: Number) -> Any:
    """Makes the element the larger of itself and value; gives what it was before."""
    raise _compiled("atomic_max")


def atomic_exch(array: DeviceArray, index: int, value: Number) -> Any:
    """Replaces the element; gives what it was before."""
    raise _compiled("atomic_exch")


def atomic_cas(array: DeviceArray, index: int, expected: Number, value: Number) -> Any:
    """Replaces the element when its bits are those of expected; gives what it was before."""
    raise _compiled("atomic_cas")


def atomic_add_f32(array: DeviceArray, value: Number) -> Any:
    """Atomic_add(array, 0, value)."""
    raise _compiled("atomic_add_f32")


def atomic_add_u32(array: DeviceArray, value: Number) -> Any:
    """Atomic_add(array, 0, value)."""
    raise _compiled("atomic_add_u32")


def atomic_add_i32(array: DeviceArray, value: Number) -> Any:
    """Atomic_add(array, 0, value)."""
    raise _compiled("atomic_add_i32")


def parallel_map_unary(source: DeviceArray, target: DeviceArray, op: str, n: int) -> None:
    """Target[i] = op(source[i]) for i below n."""
    raise _compiled("parallel_map_unary")


def parallel_map_binary(a: DeviceArray, b: DeviceArray, target: DeviceArray, op: str, n: int) -> None:
    """Target[i] = op(a[i], b[i]) for i below n."""
    raise _compiled("parallel_map_binary")


def parallel_reduce(source: DeviceArray, target: DeviceArray, op: str, n: int) -> None:
    """Target[0] = all of source[:n] joined by op: sum, product, min or max."""
    raise _compiled("parallel_reduce")


def parallel_scan(source: DeviceArray, target: DeviceArray, op: str, n: int) -> None:
    """Target[i] = source[:i + 1] joined by op, from the left, for i below n."""
    raise _compiled("parallel_scan")


def parallel_gather(source: DeviceArray, indices: DeviceArray, target: DeviceArray, n: int) -> None:
    """Target[i] = source[indices[i]] for i below n."""
    raise _compiled("parallel_gather")


def parallel_scatter(source: DeviceArray, indices: DeviceArray, target: DeviceArray, n: int) -> None:
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
