"""tensor_scalar, scalar_tensor_tensor, reciprocal: a tile with numbers or columns."""

import math

import numpy as np
from builder import ALL, SINCE_TRN2, TRN3, A, Instruction
from oracles.alu import alu, bitwise
from oracles.elementwise import sides, tensor_scalar
from oracles.formats import Data, narrow

NAN, INF = math.nan, math.inf

ts = Instruction("tensor_scalar")


def numbers(v, name="x", dtype="float32", shape=(3, 14), **rule):
    return v.random(name, dtype, shape, **(rule or {"floats": (-4, 4)}))


for op, operand in (("add", 1.5), ("subtract", 0.75), ("multiply", -2.5), ("maximum", 0.25), ("minimum", -0.125), ("equal", 2.0),
                    ("not_equal", 2.0), ("greater", 1.0), ("greater_equal", 1.0), ("less", -1.0), ("less_equal", -1.0)):
    v = ts.vector(op, f"{op} of each element and one number, in float32")
    x = numbers(v, integers=(-4, 4)) if "equal" in op or op in ("greater", "less") else numbers(v)
    v.step(f"nisa.tensor_scalar(dst=out, data=x, op0=nl.{op}, operand0={operand})")
    v.expect("out", tensor_scalar(x, "float32", op, operand))
for op in ("logical_and", "logical_or", "logical_xor"):
    v = ts.vector(op, f"{op} of zeros and ones with the number 1")
    x = numbers(v, integers=(0, 1))
    v.step(f"nisa.tensor_scalar(dst=out, data=x, op0=nl.{op}, operand0=1.0)")
    v.expect("out", tensor_scalar(x, "float32", op, 1.0))
v = ts.vector("divide", "divide by a number is the IEEE division, not a multiplication by the reciprocal", A)
x = numbers(v)
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.divide, operand0=3.0)")
v.expect("out", tensor_scalar(x, "float32", "divide", 3.0))
v = ts.vector("abs_max", "abs_max keeps the sign of the larger in size; a tie gives the second operand", targets=TRN3)
x = v.put("x", Data.of("float32", [[2.0, -2.0, 1.5, -3.0, 0.0]]))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.abs_max, operand0=2.0)")
v.expect("out", tensor_scalar(x, "float32", "abs_max", 2.0))
v = ts.vector("power_gpsimd", "power on gpsimd, an exact result and rounded ones", A)
x = v.put("x", Data.of("float32", [[2.0, 9.0, 0.1, 123.456, 0.0, 1e-20]]))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.power, operand0=0.5, engine=nisa.engine.gpsimd)")
v.expect("out", tensor_scalar(x, "float32", "power", 0.5))

for op in ("abs", "square", "relu"):
    v = ts.vector(op, f"{op}, a unary operator; the operand is None")
    x = numbers(v)
    v.step(f"nisa.tensor_scalar(dst=out, data=x, op0=nl.{op}, operand0=None)")
    v.expect("out", Data("float32", narrow(alu(op, x.f32), "float32")))
for op in ("rsqrt", "reciprocal"):
    v = ts.vector(op, f"{op} is correctly rounded", A)
    x = v.put("x", Data.of("float32", [[1.0, 4.0, 3.0, 0.1, 1e30, 1e-30, 7.25, 65537.0, INF, 0.0]]))
    v.step(f"nisa.tensor_scalar(dst=out, data=x, op0=nl.{op}, operand0=0.0"
           + (", engine=nisa.engine.gpsimd)" if op == "rsqrt" else ", engine=nisa.engine.vector)"))
    v.expect("out", Data("float32", narrow(alu(op, x.f32), "float32")))

v = ts.vector("two_steps", "(data op0 operand0) op1 operand1: each step is one float32 operation, dst is rounded to once")
x = numbers(v, dtype="bfloat16")
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=1.7, op1=nl.add, operand1=-0.3)")
v.expect("out", tensor_scalar(x, "bfloat16", "multiply", 1.7, "add", -0.3))
v = ts.vector("not_fused", "multiply, then add: the product is rounded to float32 before the addition")
x = v.put("x", Data.of("float32", [[1.0 + 2.0 ** -12, 1.0 - 2.0 ** -12, 1.0 + 2.0 ** -23, 3.0]]))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=1.000244140625, op1=nl.subtract, operand1=1.0)")
v.expect("out", tensor_scalar(x, "float32", "multiply", 1.000244140625, "subtract", 1.0))
v = ts.vector("reversed", "reverse0: operand0 op0 data; reverse1: operand1 op1 the first result")
x = numbers(v)
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.subtract, operand0=2.0, reverse0=True, op1=nl.subtract, operand1=10.0, reverse1=True)")
v.expect("out", tensor_scalar(x, "float32", "subtract", 2.0, "subtract", 10.0, reverse0=True, reverse1=True))
v = ts.vector("reversed_second_only", "reverse1 without reverse0")
x = numbers(v)
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.subtract, operand0=2.0, op1=nl.subtract, operand1=1.0, reverse1=True)")
v.expect("out", tensor_scalar(x, "float32", "subtract", 2.0, "subtract", 1.0, reverse1=True))
v = ts.vector("columns", "operands of shape (P, 1): one value for each partition")
x, a, b = numbers(v), numbers(v, "a", shape=(3, 1)), numbers(v, "b", shape=(3, 1))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=a, op1=nl.add, operand1=b)")
v.expect("out", tensor_scalar(x, "float32", "multiply", a.f32, "add", b.f32))
v = ts.vector("column_and_number", "a column in PSUM and a number")
x, a = numbers(v), v.random("a", "float32", (3, 1), space="psum", floats=(-2, 2))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.subtract, operand0=a, op1=nl.maximum, operand1=0.0)")
v.expect("out", tensor_scalar(x, "float32", "subtract", a.f32, "maximum", 0.0), space="psum")
v = ts.vector("number_rounds_to_float32", "an immediate number is a float32: 0.1 is 3dcccccd")
x = v.put("x", Data.of("float32", [[0.0, 1.0, -0.1]]))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.add, operand0=0.1)")
v.expect("out", tensor_scalar(x, "float32", "add", 0.1))
v = ts.vector("scalar_engine", "multiply and add on the scalar engine, the same bits", targets=SINCE_TRN2)
x, a, b = numbers(v), numbers(v, "a", shape=(3, 1)), numbers(v, "b", shape=(3, 1))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=a, op1=nl.add, operand1=b, engine=nisa.engine.scalar)")
v.expect("out", tensor_scalar(x, "float32", "multiply", a.f32, "add", b.f32))
v = ts.vector("int32_loses_bits", "int32 data goes through float32: 16777217 + 0 is 16777216")
x = v.put("x", Data("int32", [[16777217, 16777219, 0x7FFFFFFF, 0xFFFFFFFF, 5]]))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.add, operand0=0.0)")
v.expect("out", tensor_scalar(x, "int32", "add", 0.0))
for op, dtype, operand in (("bitwise_and", "uint8", 0x3C), ("bitwise_or", "uint16", 0x0F0F), ("bitwise_xor", "int32", 0x55AA),
                           ("left_shift", "uint32", 7), ("right_shift", "uint32", 7), ("right_shift", "int32", 4)):
    v = ts.vector(f"{op}_{dtype}", f"{op} of {dtype} with a number, on the bits")
    x = v.random("x", dtype, (2, 12), bits=True)
    v.step(f"nisa.tensor_scalar(dst=out, data=x, op0=nl.{op}, operand0={operand})")
    v.expect("out", Data(dtype, bitwise(op, x, Data(dtype, [[operand]]), dtype)))
v = ts.vector("shift_and_mask", "two bit operators in one instruction: take out bits 8 to 11")
x = v.random("x", "uint32", (2, 12), bits=True)
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.right_shift, operand0=8, op1=nl.bitwise_and, operand1=15)")
v.expect("out", Data("uint32", x.words >> 8 & 15))
v = ts.vector("invert", "invert, the unary bit operator")
x = v.random("x", "int32", (2, 12), bits=True)
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.invert, operand0=None)")
v.expect("out", Data("int32", ~x.words))

# conversions, shown by adding zero: each pair of source and destination
ROUNDED = [[0.5, 1.5, 2.5, -0.5, -1.5, 2.5000002, 126.5, 127.5, 128.5, 254.5, 255.5, 1e6, -1e6, 3e9, 5e9, -3e9, INF, -INF, NAN, -0.0]]
for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32"):
    v = ts.vector(f"to_{dtype}", f"float32 to {dtype}: to nearest, ties to even, then saturated to the range", "measured",
                  source="NKI release notes: casts of float32 to integers round to nearest even and saturate")
    x = v.put("x", Data.of("float32", [[n for n in ROUNDED[0] if not math.isnan(n)]]))
    v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=1.0)")
    v.expect("out", tensor_scalar(x, dtype, "multiply", 1.0))
    v = ts.vector(f"nan_to_{dtype}", f"NaN becomes 0 in {dtype}", A)
    x = v.put("x", Data.of("float32", [[NAN, 1.0]]))
    v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=1.0)")
    v.expect("out", tensor_scalar(x, dtype, "multiply", 1.0))
EDGES = {"bfloat16": (8, 127), "float16": (11, 15), "float8_e5m2": (3, 15), "float8_e4m3": (4, 7), "float8_e4m3fn": (4, 8)}
for dtype, (digits, top) in EDGES.items():
    unit = 2.0 ** (1 - digits)
    ties = [1 + unit / 2, 1 + 3 * unit / 2, 1 + unit / 2 + 2.0 ** -20, -1 - unit / 2, 1 + unit / 2 - 2.0 ** -20]
    largest = {"float8_e4m3fn": 448.0, "float8_e4m3": 240.0}.get(dtype, (2 - unit) * 2.0 ** top)
    step = unit * 2.0 ** math.floor(math.log2(largest))
    targets = TRN3 if dtype == "float8_e4m3fn" else ALL
    v = ts.vector(f"to_{dtype}", f"float32 to {dtype}: to nearest, ties to even", A, targets=targets)
    x = v.put("x", Data.of("float32", [[*ties, largest, -largest, 0.3, -7.7, 0.0, -0.0]]))
    v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=1.0)")
    v.expect("out", tensor_scalar(x, dtype, "multiply", 1.0))
    v = ts.vector(f"to_{dtype}_subnormal", f"subnormal numbers of {dtype} are kept and rounded like others", A, targets=targets)
    bottom = {"bfloat16": 2.0 ** -133, "float16": 2.0 ** -24, "float8_e5m2": 2.0 ** -16, "float8_e4m3": 2.0 ** -9,
              "float8_e4m3fn": 2.0 ** -9}[dtype]
    x = v.put("x", Data.of("float32", [[bottom, 3 * bottom, bottom / 2, 0.75 * bottom, 1.5 * bottom, 2.5 * bottom, -bottom / 4]]))
    v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=1.0)")
    v.expect("out", tensor_scalar(x, dtype, "multiply", 1.0))
    what = "NaN, for it has no infinity" if dtype == "float8_e4m3fn" else "the infinity"
    v = ts.vector(f"to_{dtype}_overflow", f"beyond the largest {dtype}: {what}; half a step beyond it is where that starts", A,
                  targets=targets)
    above = np.nextafter(np.float32(largest + step / 2), np.float32(0))
    x = v.put("x", Data.of("float32", [[largest + step / 4, float(above), largest + step / 2, -1e38, INF, -INF, NAN]]))
    if dtype == "bfloat16":
        x = v.put("x", Data("float32", [[0x7F7F0000, 0x7F7F4000, 0x7F7F7FFF, 0x7F7F8000, 0xFF7F8000, 0x7F800000, 0xFF800000, 0x7FA00001]]))
    v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=1.0)")
    v.expect("out", tensor_scalar(x, dtype, "multiply", 1.0))
v = ts.vector("to_tfloat32", "a tfloat32 dst keeps 10 fraction bits, rounded to nearest even; the low 13 bits are zero", A)
x = v.put("x", Data("float32", [[0x3F800FFF, 0x3F801000, 0x3F801001, 0x3F803000, 0x3F802FFF, 0xBF801001, 0x7F7FFFFF, 0x7FC00001]]))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=1.0)")
v.expect("out", tensor_scalar(x, "tfloat32", "multiply", 1.0))
v = ts.vector("from_tfloat32", "the low 13 bits of a tfloat32 operand are not read", A)
x = v.put("x", Data("float32", [[0x3F801FFF, 0x3F803FFF, 0xC0490FDB]]))
v.step("nisa.tensor_scalar(dst=out, data=x.view(nl.tfloat32), op0=nl.multiply, operand0=1.0)")
v.expect("out", tensor_scalar(Data("tfloat32", x.words), "float32", "multiply", 1.0))
for dtype in ("bfloat16", "float16", "float8_e5m2", "float8_e4m3", "float8_e4m3fn"):
    v = ts.vector(f"from_{dtype}", f"every number of {dtype} widens exactly; NaN becomes 7fc00000",
                  targets=TRN3 if dtype == "float8_e4m3fn" else ALL)
    if "8" in dtype and dtype.startswith("float8"):
        x = v.put("x", Data(dtype, np.arange(256).reshape(4, 64)))
    else:
        inf = {"bfloat16": 0x7F80, "float16": 0x7C00}[dtype]
        x = v.put("x", Data(dtype, [[0, 0x8000, 1, 0x8001, inf, inf | 0x8000, inf + 1, 0x3C55, 0xBC55, inf - 1, 0x7F if dtype == "bfloat16"
                                     else 0x3FF, 0xFFFF]]))
    v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=1.0)")
    v.expect("out", tensor_scalar(x, "float32", "multiply", 1.0))
for dtype, words in (("int8", [0, 127, 128, 255]), ("uint8", [0, 127, 128, 255]), ("int16", [0x7FFF, 0x8000, 0xFFFF, 0]),
                     ("uint16", [0x7FFF, 0x8000, 0xFFFF, 0]), ("int32", [0x1000000, 0x1000001, 0x1000003, 0x80000000, 0x7FFFFFFF, 0xFEFFFFFF]),
                     ("uint32", [0x1000001, 0x1000003, 0x80000000, 0xFFFFFFFF, 0xFFFFFF7F, 0xFFFFFF80])):
    v = ts.vector(f"from_{dtype}", f"{dtype} to float32: exact up to 2^24, beyond to nearest even")
    x = v.put("x", Data(dtype, [words]))
    v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.multiply, operand0=1.0)")
    v.expect("out", tensor_scalar(x, "float32", "multiply", 1.0))
v = ts.vector("128_partitions", "all 128 partitions, three dimensions in dst and data")
x = v.random("x", "bfloat16", (128, 2, 3), floats=(-3, 3))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.add, operand0=0.5)")
v.expect("out", tensor_scalar(x, "bfloat16", "add", 0.5))

# ---- scalar_tensor_tensor

stt = Instruction("scalar_tensor_tensor")
for name, op0, op1, flags in (("multiply_add", "multiply", "add", ""), ("subtract_multiply", "subtract", "multiply", ""),
                              ("maximum_subtract", "maximum", "subtract", ""), ("reversed", "subtract", "subtract", "01"),
                              ("reversed_first", "subtract", "add", "0"), ("add_greater", "add", "greater", "")):
    v = stt.vector(name, f"(data {op0} operand0) {op1} operand1" + (f", operators {' and '.join(flags)} reversed" if flags else ""))
    x, y, a = numbers(v, dtype="float16"), numbers(v, "y"), numbers(v, "a", shape=(3, 1))
    reverse = "".join(f", reverse{f}=True" for f in flags)
    v.step(f"nisa.scalar_tensor_tensor(dst=out, data=x, op0=nl.{op0}, operand0=a, op1=nl.{op1}, operand1=y{reverse})")
    first = sides(op0, x.f32, a.f32, "0" in flags)
    v.expect("out", Data("bfloat16", narrow(sides(op1, first, y.f32, "1" in flags), "bfloat16")))
v = stt.vector("number", "operand0 may be a number; the first result is not rounded to a narrow dtype")
x, y = numbers(v, dtype="bfloat16"), numbers(v, "y", dtype="bfloat16")
v.step("nisa.scalar_tensor_tensor(dst=out, data=x, op0=nl.multiply, operand0=0.7, op1=nl.add, operand1=y)")
v.expect("out", Data("float32", narrow(alu("add", alu("multiply", x.f32, np.float32(0.7)), y.f32), "float32")))

# ---- reciprocal

rc = Instruction("reciprocal")
v = rc.vector("numbers", "1 / data rounded once to float32", A)
x = v.put("x", Data.of("float32", [[1.0, 2.0, 3.0, -7.0, 0.1, 1e20, 1e-20, 2.0 ** -126, 2.0 ** 127, 3.3e38]]))
v.step("nisa.reciprocal(dst=out, data=x)")
v.expect("out", Data("float32", narrow(alu("reciprocal", x.f32), "float32")))
v = rc.vector("exact", "the reciprocal of a power of two is exact")
x = v.put("x", Data.of("float32", [[1.0, -2.0, 0.25, 1024.0, 2.0 ** 100]]))
v.step("nisa.reciprocal(dst=out, data=x)")
v.expect("out", Data("float32", narrow(alu("reciprocal", x.f32), "float32")))
v = rc.vector("special", "1 / 0 is the infinity of its sign, 1 / inf is 0, of NaN it is NaN; subnormals are not flushed", A)
x = v.put("x", Data.of("float32", [[0.0, -0.0, INF, -INF, NAN, 2.0 ** -127, 2.0 ** -149]]))
v.step("nisa.reciprocal(dst=out, data=x)")
v.expect("out", Data("float32", narrow(alu("reciprocal", x.f32), "float32")))
v = rc.vector("narrow", "bfloat16 data in PSUM, computed in float32, float16 dst", A)
x = v.random("x", "bfloat16", (5, 13), space="psum", floats=(-5, 5))
v.step("nisa.reciprocal(dst=out, data=x)")
v.expect("out", Data("float16", narrow(alu("reciprocal", x.f32), "float16")))
v = ts.vector("bits_column", "the operand of a bit operator may be a column of integers", A, source="nki.isa.tensor_scalar: its dtype is not stated")
x, a = v.random("x", "int32", (3, 8), bits=True), v.random("a", "int32", (3, 1), bits=True)
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.bitwise_and, operand0=a)")
v.expect("out", Data("int32", x.words & a.words))
