"""tensor_tensor, tensor_scalar, scalar_tensor_tensor, reciprocal: the operators and the conversions around them."""

import math

import numpy as np
from builder import ALL, SINCE_TRN2, TRN3, A, D, Instruction, M
from oracles.alu import alu
from oracles.elementwise import tensor_scalar, tensor_tensor
from oracles.formats import Data, narrow

NAN, INF = math.nan, math.inf
BIG, TINY, SMALL = 3.4028234663852886e38, 1.401298464324817e-45, 1.1754943508222875e-38

# ---- tensor_tensor

tt = Instruction("tensor_tensor")
FIRST = [[1.5, -2.0, 0.0, -0.0, 3.0, 7.5, 1e30, -1e-30, 0.1, 2.0 ** -126], [-4.0, 5.0, 1.0, 1e10, -0.3, 6.0, 100.0, 2.5, -7.0, BIG]]
SECOND = [[0.5, -2.0, -0.0, 0.0, -1.0, 2.0, 1e30, 1e-30, 0.2, 0.5], [4.0, -3.0, 3.0, 1e-10, 0.7, 6.0, -8.0, 2.5, 2.0, BIG]]
SPECIAL_A = [[NAN, 1.0, INF, -INF, INF, 0.0, -0.0, NAN, TINY, -BIG, INF, 0.0]]
SPECIAL_B = [[1.0, NAN, INF, INF, 0.0, 0.0, 0.0, NAN, 0.5, BIG, 1.0, -0.0]]


def arithmetic(op, name=None, provenance=D, targets=ALL, shows=None, engine=None, values=(FIRST, SECOND), **more):
    v = tt.vector(name or op, shows or f"{op} of float32 tiles: one float32 operation an element", provenance, targets=targets, **more)
    x, y = v.put("x", Data.of("float32", values[0])), v.put("y", Data.of("float32", values[1]))
    v.step(f"nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.{op}" + (f", engine=nisa.engine.{engine})" if engine else ")"))
    v.expect("out", tensor_tensor(op, x, y, "float32"))


for op in ("add", "subtract", "multiply"):
    arithmetic(op)
for op in ("maximum", "minimum"):
    arithmetic(op)
for op in ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal"):
    arithmetic(op, shows=f"{op} gives 1.0 where it holds and 0.0 elsewhere")
for op in ("abs_max", "abs_min"):
    arithmetic(op, targets=TRN3, shows=f"{op} gives the operand itself with its sign, ties the second operand")
arithmetic("divide", provenance=A, shows="divide is the IEEE division")
for op in ("logical_and", "logical_or", "logical_xor"):
    arithmetic(op, shows=f"{op} of zeros and ones gives zeros and ones",
               values=([[0, 0, 1, 1, 1]], [[0, 1, 0, 1, 1]]))
    arithmetic(op, f"{op}_numbers", A, shows=f"{op} takes a float for true if its value is not zero: -0.0 is false, NaN true",
               values=([[2.5, -0.0, NAN, TINY, -1.0, 0.0]], [[0.0, 0.5, 0.0, 1.0, -0.0, -0.0]]))
arithmetic("power", provenance=D, engine="gpsimd", shows="power on gpsimd where the result is exact",
           values=([[2, 3, 4, 1.5, -2, 0.25, 1, 9]], [[10, 4, 0.5, 2, 3, -2, 77, 0.5]]))
arithmetic("power", "power_rounding", A, engine="gpsimd", shows="power is correctly rounded",
           values=([[2.1, 0.3, 1e-5, 77.7, 1.0001, 2.0]], [[0.5, 3.3, -2.2, 7.1, 1234.5, -149.0]]))
arithmetic("power", "power_special", A, engine="gpsimd", shows="power at its special values is C's powf",
           values=([[0.0, -0.0, NAN, 1.0, INF, 0.5, -INF, 0.0, -8.0]], [[-1.0, -3.0, 0.0, NAN, -1.0, INF, 3.0, 0.0, 3.0]]))
arithmetic("power", "power_domain", A, engine="gpsimd", shows="a negative number to a power that is not whole", values=([[-2.0, 4.0]], [[0.5, 0.5]]),
           source="docs/numerics.md 3", unspecified="power-domain")
for op in ("add", "subtract", "multiply", "divide"):
    arithmetic(op, f"{op}_special", A, shows=f"{op} with NaN, infinities and zeros follows IEEE; a new NaN is 7fc00000",
               values=(SPECIAL_A, SPECIAL_B))
for op in ("maximum", "minimum"):
    arithmetic(op, f"{op}_nan", A, shows=f"{op}: the other operand where one is NaN; equal operands give the second",
               values=(SPECIAL_A, SPECIAL_B))
for op in ("equal", "not_equal", "less", "greater_equal"):
    arithmetic(op, f"{op}_nan", A, shows=f"{op}: NaN is equal to nothing and in no order; -0.0 equals 0.0", values=(SPECIAL_A, SPECIAL_B))
arithmetic("multiply", "subnormals", A, shows="subnormal numbers are neither read nor written as zeros",
           values=([[TINY, SMALL, SMALL, -TINY, 2.0 ** -80]], [[1.0, 0.5, 2.0 ** -23, 0.5, 2.0 ** -65]]))

v = tt.vector("mixed_dtypes", "operands of any dtype are widened to float32, the result is rounded once to that of dst")
x = v.random("x", "bfloat16", (3, 20), floats=(-6, 6))
y = v.random("y", "float32", (3, 20), floats=(-6, 6))
v.step("nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.multiply)")
v.expect("out", tensor_tensor("multiply", x, y, "float16"))

v = tt.vector("int8_times_float16", "an integer operand takes part by its value; the sum is rounded to nearest even for bfloat16")
x, y = v.random("x", "int8", (2, 33), bits=True), v.random("y", "float16", (2, 33), floats=(-3, 3))
v.step("nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.add)")
v.expect("out", tensor_tensor("add", x, y, "bfloat16"))

v = tt.vector("comparison_to_uint8", "the 1.0 and 0.0 of a comparison become 1 and 0 of an integer dst")
x, y = v.random("x", "float32", (2, 16), integers=(-2, 2)), v.random("y", "float32", (2, 16), integers=(-2, 2))
v.step("nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.greater)")
v.expect("out", tensor_tensor("greater", x, y, "uint8"))

for dtype in ("int32", "uint32"):
    v = tt.vector(f"{dtype}_exact", f"three {dtype} tiles in SBUF and no engine named: exact integers on gpsimd")
    x, y = v.random("x", dtype, (4, 12), integers=(10 ** 6, 10 ** 9)), v.random("y", dtype, (4, 12), integers=(1, 10 ** 6))
    v.step("nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.add)")
    v.expect("out", tensor_tensor("add", x, y, dtype, exact=True))
    for op in ("add", "subtract", "multiply", "maximum", "minimum", "equal", "greater", "less"):
        v = tt.vector(f"{dtype}_{op}_gpsimd", f"{op} of {dtype} on gpsimd: exact modulo 2^32", A)
        x, y = v.random("x", dtype, (2, 12), bits=True), v.random("y", dtype, (2, 12), bits=True)
        x.words[0, :4] = y.words[0, :4] = [0, 1, 0x80000000, 0xFFFFFFFF]
        v.put("x", x), v.put("y", y)
        v.step(f"nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.{op}, engine=nisa.engine.gpsimd)")
        v.expect("out", tensor_tensor(op, x, y, dtype, exact=True))
    v = tt.vector(f"{dtype}_vector", f"{dtype} tiles with the vector engine named: float32, so that bits beyond 2^24 are lost")
    x, y = v.random("x", dtype, (2, 12), integers=(2 ** 24, 2 ** 30)), v.random("y", dtype, (2, 12), integers=(1, 99))
    v.step("nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.add, engine=nisa.engine.vector)")
    v.expect("out", tensor_tensor("add", x, y, dtype))

v = tt.vector("int32_psum", "an int32 operand in PSUM: float32 on the vector engine, though no engine is named")
x = v.random("x", "int32", (2, 9), integers=(2 ** 24, 2 ** 30), space="psum")
y = v.random("y", "int32", (2, 9), integers=(1, 99))
v.step("nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.add)")
v.expect("out", tensor_tensor("add", x, y, "int32"))

for op, symbol in (("bitwise_and", "&"), ("bitwise_or", "|"), ("bitwise_xor", "^")):
    for dtype in ("uint8", "int16", "int32", "uint32"):
        v = tt.vector(f"{op}_{dtype}", f"{op} works on the bits of {dtype}, nothing is converted")
        x, y = v.random("x", dtype, (2, 10), bits=True), v.random("y", dtype, (2, 10), bits=True)
        v.step(f"nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.{op})")
        v.expect("out", tensor_tensor(op, x, y, dtype))
for op in ("left_shift", "right_shift"):
    for dtype in ("uint16", "uint32", "int32"):
        v = tt.vector(f"{op}_{dtype}", f"{op} of {dtype}" + (" fills with zeros, also for a negative number" if op == "right_shift" else ""))
        x, y = v.random("x", dtype, (2, 12), bits=True), v.random("y", dtype, (2, 12), integers=(0, 15))
        v.step(f"nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.{op})")
        v.expect("out", tensor_tensor(op, x, y, dtype))
    v = tt.vector(f"{op}_beyond", f"{op} by the width of the dtype or more", A, source="docs/numerics.md 3", unspecified="shift-count")
    x, y = v.random("x", "uint32", (1, 8), bits=True), v.put("y", Data("uint32", [[31, 32, 33, 64, 255, 1 << 31, 0, 0xFFFFFFFF]]))
    v.step(f"nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.{op})")
    v.expect("out", tensor_tensor(op, x, y, "uint32"))

v = tt.vector("different_quadrants", "operands and dst of 32 partitions may stand in different quadrants: lane i meets lane i")
x, y = v.random("x", "float32", (64, 5), floats=(-2, 2)), v.random("y", "float32", (96, 5), floats=(-2, 2))
v.step("nisa.tensor_tensor(dst=out, data1=x[32:64, 0:5], data2=y[64:96, 0:5], op=nl.subtract)")
v.expect("out", Data("float32", narrow(alu("subtract", x.f32[32:], y.f32[64:]), "float32")))

v = tt.vector("strided", "operands are strided views: every second column of one, two dimensions turned of another")
x, y = v.random("x", "float32", (4, 24), floats=(-2, 2)), v.random("y", "bfloat16", (4, 3, 4), floats=(-2, 2))
v.step("nisa.tensor_tensor(dst=out, data1=x[:, 0:24:2], data2=y.ap(pattern=[[12, 4], [1, 4], [4, 3]]), op=nl.add)")
turned = Data("bfloat16", np.swapaxes(y.words, 1, 2).reshape(4, 12))
v.expect("out", tensor_tensor("add", Data("float32", x.words[:, ::2]), turned, "float32"))

v = tt.vector("in_place", "dst may be an operand: all reads come before the writes")
x, y = v.random("x", "float32", (3, 8), floats=(-2, 2)), v.random("y", "float32", (3, 8), floats=(-2, 2))
v.step("nisa.tensor_tensor(dst=x, data1=x, data2=y, op=nl.multiply)")
v.expect("x", tensor_tensor("multiply", x, y, "float32"))

v = tt.vector("psum_and_sbuf", "one operand and dst may be in PSUM")
x, y = v.random("x", "float32", (3, 8), floats=(-2, 2), space="psum"), v.random("y", "bfloat16", (3, 8), floats=(-2, 2))
v.step("nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.add)")
v.expect("out", tensor_tensor("add", x, y, "float32"), space="psum")
