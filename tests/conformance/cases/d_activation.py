"""activation, activation_reduce, activate2: the functions, scale and bias, and the scalar engine's accumulator."""

import math

import numpy as np
from builder import SINCE_TRN2, TRN3, A, D, Instruction
from oracles.activation import ALL_FUNCTIONS, activation
from oracles.alu import IDENTITY, alu, fold
from oracles.elementwise import sides
from oracles.formats import Data, narrow

NAN, INF = math.nan, math.inf
PI = 3.1415927410125732


def result(dtype, f32):
    return Data(dtype, narrow(f32, dtype))


# ---- activation

ac = Instruction("activation")
EXACT = {"copy", "abs", "sign", "relu", "square"}
ANY = [-87.0, -20.5, -9.0, -4.25, -2.0, -1.278, -1.0, -0.75, -0.5, -0.1, -1e-3, -1e-10, -0.0, 0.0, 1e-20, 1e-5, 0.01, 0.3, 0.5, 1.0,
       1.5, 2.718, 3.0, 5.5, 8.75, 13.0, 40.0, 88.0]
POSITIVE = [2.0 ** -40, 1e-9, 0.003, 0.1, 0.5, 0.999, 1.0, 1.001, 2.0, 2.718281828, 3.0, 10.0, 1024.0, 1e6, 1e12, 2.0 ** 41]
RANGES = {"log": POSITIVE, "sqrt": [0.0, *POSITIVE, 2.0 ** -116, 2.0 ** 118], "rsqrt": [*POSITIVE, 2.0 ** -87, 2.0 ** 97],
          "reciprocal": [*POSITIVE, *(-x for x in POSITIVE)], "arctan": [0.0, -0.0, 1e-8, 0.1, -0.3, 0.5, -0.77, 1.0, -1.2, 1.5, 1.5707],
          "sin": [0.0, -0.0, 1e-8, 0.1, -0.3, 0.5, -0.77, 1.0, -1.2, 1.5707, 2.0, -2.5, 3.0, 3.1415925, -3.1415925]}
for name in ALL_FUNCTIONS:
    v = ac.vector(name, f"{name} of float32 values" + ("" if name in EXACT else ": the correctly rounded value of its formula"),
                  D if name in EXACT else A, source=None if name in EXACT else "docs/numerics.md 4")
    x = v.put("x", Data.of("float32", [RANGES.get(name, ANY)]))
    v.step(f"nisa.activation(dst=out, op=nl.{name}, data=x)")
    v.expect("out", result("float32", activation(name, x.f32)))
    if name not in RANGES:
        v = ac.vector(f"{name}_limits", f"{name} at the infinities and at NaN", A, source="docs/numerics.md 4")
        x = v.put("x", Data.of("float32", [[-INF, INF, NAN, -3.4e38, 3.4e38, 2.0 ** -149, -(2.0 ** -149), 2.0 ** -126]]))
        v.step(f"nisa.activation(dst=out, op=nl.{name}, data=x)")
        v.expect("out", result("float32", activation(name, x.f32)))
v = ac.vector("sin_beyond", "beyond [-pi, pi] sin is not reduced: the cubic goes on, so that sin(9.0) is 27.65", "measured",
              source="nki.api.shared: sin(9.0) returns ~27.65; the cubic about pi is docs/numerics.md 4")
x = v.put("x", Data.of("float32", [[9.0, -9.0, 3.2, -3.2, 6.2831855, 100.0]]))
v.step("nisa.activation(dst=out, op=nl.sin, data=x)")
v.expect("out", result("float32", activation("sin", x.f32)))
v = ac.vector("prelu_not_negative", "prelu of numbers that are not negative is the number; activation has no slope")
x = v.put("x", Data.of("float32", [[0.0, 1.5, 3e30]]))
v.step("nisa.activation(dst=out, op=nl.prelu, data=x)")
v.expect("out", x)

v = ac.vector("scale", "data * scale is rounded to float32 before the function")
x = v.random("x", "float32", (3, 10), floats=(-4, 4))
v.step("nisa.activation(dst=out, op=nl.copy, data=x, scale=0.7)")
v.expect("out", result("float32", alu("multiply", x.f32, np.float32(0.7))))
v = ac.vector("scale_and_bias", "data * scale + bias with columns, product and sum each rounded to float32 (never fused)", A,
              source="docs/numerics.md 4")
x, a, b = v.random("x", "float32", (3, 10), floats=(-4, 4)), v.random("a", "float32", (3, 1), floats=(-2, 2)), v.random(
    "b", "float32", (3, 1), floats=(-2, 2))
v.step("nisa.activation(dst=out, op=nl.copy, data=x, scale=a, bias=b)")
v.expect("out", result("float32", alu("add", alu("multiply", x.f32, a.f32), b.f32)))
v = ac.vector("bias_dtype", "a bias may have any dtype but tfloat32: here bfloat16, in PSUM")
x, b = v.random("x", "bfloat16", (3, 10), integers=(-40, 40)), v.random("b", "bfloat16", (3, 1), space="psum", integers=(-40, 40))
v.step("nisa.activation(dst=out, op=nl.square, data=x, scale=0.5, bias=b)")
v.expect("out", result("float32", alu("square", alu("add", alu("multiply", x.f32, np.float32(0.5)), b.f32))))
v = ac.vector("bias_number", "since NeuronCore-v3 a bias may be a number", targets=SINCE_TRN2)
x = v.random("x", "float32", (2, 6), integers=(-40, 40))
v.step("nisa.activation(dst=out, op=nl.relu, data=x, bias=-3.5)")
v.expect("out", result("float32", activation("relu", alu("add", x.f32, np.float32(-3.5)))))
v = ac.vector("narrow", "bfloat16 data is widened, the float16 dst rounded to once", A, source="docs/numerics.md 2, 4")
x = v.random("x", "bfloat16", (5, 12), floats=(-4, 2))
v.step("nisa.activation(dst=out, op=nl.tanh, data=x)")
v.expect("out", result("float16", activation("tanh", x.f32)))
v = ac.vector("int32_through_float32", "int32 data goes through float32 on the scalar engine: 16777217 becomes 16777216")
x = v.put("x", Data("int32", [[16777217, 16777219, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000001]]))
v.step("nisa.activation(dst=out, op=nl.copy, data=x)")
v.expect("out", Data("int32", narrow(x.f32, "int32")))
v = ac.vector("masked", "-inf minus -3.4028235e38 is -inf and exp of it exactly 0; -3.4028235e38 minus itself gives exactly 1",
              source="nki.isa.range_select")
x = v.put("x", Data("float32", [[0xFF800000, 0xFF7FFFFF]]))
b = v.put("b", Data("float32", [[0x7F7FFFFF]]))
v.step("nisa.activation(dst=out, op=nl.exp, data=x, bias=b)")
v.expect("out", Data.of("float32", [[0.0, 1.0]]))

v = ac.vector("reset_reduce", "reset_reduce: reduce_res is the sum of the row, from 0, left to right", A, source="docs/numerics.md 7")
x = v.random("x", "float32", (4, 23), floats=(-3, 3))
v.step("nisa.activation(dst=out, op=nl.square, data=x, reduce_op=nl.add, reduce_res=total, reduce_cmd=nisa.reduce_cmd.reset_reduce)")
value = activation("square", x.f32)
v.expect("out", result("float32", value))
v.expect("total", result("float32", fold("add", value, 0.0)[:, None]))
v = ac.vector("reduce", "reset, then reduce twice: the register keeps its value between instructions; the old value counts once")
x = v.random("x", "float32", (4, 12), integers=(-30, 30))
for i, command in enumerate(("reset_reduce", "reduce", "reduce")):
    v.step(f"nisa.activation(dst=out[:, {4 * i}:{4 * i + 4}], op=nl.abs, data=x[:, {4 * i}:{4 * i + 4}], reduce_op=nl.add, "
           f"reduce_cmd=nisa.reduce_cmd.{command}" + (", reduce_res=total)" if i == 2 else ")"))
v.expect("out", result("float32", abs(x.f32)))
v.expect("total", result("float32", abs(x.f32).sum(axis=1, keepdims=True)))
v = ac.vector("reset_only", "reset sets the register to 0 and adds nothing; reduce then adds")
x = v.random("x", "float32", (4, 12), integers=(-30, 30))
v.step("nisa.activation(dst=out[:, 0:6], op=nl.copy, data=x[:, 0:6], reduce_op=nl.add, reduce_cmd=nisa.reduce_cmd.reset_reduce)",
       "nisa.activation(dst=y, op=nl.copy, data=x[:, 0:6], reduce_op=nl.add, reduce_res=nothing, reduce_cmd=nisa.reduce_cmd.reset)",
       "nisa.activation(dst=out[:, 6:12], op=nl.copy, data=x[:, 6:12], reduce_op=nl.add, reduce_res=total, "
       "reduce_cmd=nisa.reduce_cmd.reduce)")
v.tile("y", "float32", (4, 6))
v.expect("out", x)
v.expect("nothing", Data.of("float32", np.zeros((4, 1))))
v.expect("total", result("float32", x.f32[:, 6:].sum(axis=1, keepdims=True)))
v = ac.vector("idle_keeps", "idle, the default, does not touch the register")
x = v.random("x", "float32", (4, 12), integers=(-30, 30))
v.step("nisa.activation(dst=out, op=nl.copy, data=x, reduce_op=nl.add, reduce_cmd=nisa.reduce_cmd.reset_reduce)",
       "nisa.activation(dst=y, op=nl.square, data=x)",
       "nisa.activation(dst=y, op=nl.copy, data=x, reduce_op=nl.add, reduce_res=total, reduce_cmd=nisa.reduce_cmd.reduce)")
v.tile("y", "float32", (4, 12))
v.expect("out", x)
v.expect("total", result("float32", 2 * x.f32.sum(axis=1, keepdims=True)))
v = ac.vector("sum_before_rounding", "the sum is of the float32 values, not of those rounded to bfloat16", A, source="docs/numerics.md 7")
x = v.random("x", "float32", (4, 12), floats=(-3, 3))
v.step("nisa.activation(dst=out, op=nl.copy, data=x, reduce_op=nl.add, reduce_res=total, reduce_cmd=nisa.reduce_cmd.reset_reduce)")
v.expect("out", result("bfloat16", x.f32))
v.expect("total", result("float32", fold("add", x.f32, 0.0)[:, None]))
v = ac.vector("reduce_res_is_dst", "reduce_res may be dst itself: the sum stays", "measured",
              source="NKI release notes: activation with reduce_res aliasing dst keeps the reduction")
x = v.random("x", "float32", (4, 1), integers=(-30, 30))
v.step("nisa.activation(dst=x, op=nl.abs, data=x, reduce_op=nl.add, reduce_res=x, reduce_cmd=nisa.reduce_cmd.reset_reduce)")
v.expect("x", result("float32", abs(x.f32)))
v = ac.vector("reduce_res_in_dst", "reduce_res may be a column of dst: the sum stays there", "measured",
              source="NKI release notes: activation with reduce_res aliasing dst keeps the reduction")
x = v.random("x", "float32", (4, 5), integers=(-30, 30))
v.step("nisa.activation(dst=out, op=nl.abs, data=x, reduce_op=nl.add, reduce_res=out[:, 4:5], reduce_cmd=nisa.reduce_cmd.reset_reduce)")
value = abs(x.f32)
value[:, 4:5] = abs(x.f32).sum(axis=1, keepdims=True)
v.expect("out", result("float32", value))

# ---- activation_reduce

ar = Instruction("activation_reduce")
v = ar.vector("exp", "exp(data * scale + bias) and the sum of each row: the step of a softmax", A, source="docs/numerics.md 4, 7")
x, b = v.random("x", "bfloat16", (4, 19), floats=(-3, 1)), v.random("b", "float32", (4, 1), floats=(-2, 0))
v.step("nisa.activation_reduce(dst=out, op=nl.exp, data=x, reduce_op=nl.add, reduce_res=total, bias=b, scale=0.5)")
value = activation("exp", alu("add", alu("multiply", x.f32, np.float32(0.5)), b.f32))
v.expect("out", result("bfloat16", value))
v.expect("total", result("float32", fold("add", value, 0.0)[:, None]))
v = ar.vector("resets", "each call starts anew: as activation with reset_reduce")
x = v.random("x", "float32", (4, 8), integers=(-30, 30))
v.step("nisa.activation_reduce(dst=y, op=nl.copy, data=x, reduce_op=nl.add, reduce_res=first)",
       "nisa.activation_reduce(dst=y, op=nl.abs, data=x, reduce_op=nl.add, reduce_res=second)")
v.tile("y", "float32", (4, 8))
v.expect("first", result("float32", x.f32.sum(axis=1, keepdims=True)))
v.expect("second", result("float32", abs(x.f32).sum(axis=1, keepdims=True)))
v = ar.vector("shared_register", "the register is that of activation: reduce goes on with it")
x = v.random("x", "float32", (4, 8), integers=(-30, 30))
v.step("nisa.activation_reduce(dst=y, op=nl.copy, data=x, reduce_op=nl.add, reduce_res=first)",
       "nisa.activation(dst=y, op=nl.abs, data=x, reduce_op=nl.add, reduce_res=both, reduce_cmd=nisa.reduce_cmd.reduce)")
v.tile("y", "float32", (4, 8))
v.expect("first", result("float32", x.f32.sum(axis=1, keepdims=True)))
v.expect("both", result("float32", (x.f32 + abs(x.f32)).sum(axis=1, keepdims=True)))

# ---- activate2

a2 = Instruction("activate2", targets=TRN3)
PAIRS = [("multiply", "add"), ("multiply", "subtract"), ("multiply", "bypass"), ("add", "bypass"), ("subtract", "bypass"),
         ("bypass", "bypass")]


def two(x, op0, imm0, op1, imm1, reverse0=False, reverse1=False):
    value = x if op0 == "bypass" else sides(op0, x, np.asarray(imm0, np.float32), reverse0)
    return value if op1 == "bypass" else sides(op1, value, np.asarray(imm1, np.float32), reverse1)


for op0, op1 in PAIRS:
    v = a2.vector(f"{op0}_{op1}", f"the pair ({op0}, {op1}) before the function")
    x = v.random("x", "float32", (3, 11), floats=(-3, 3))
    v.step(f"nisa.activate2(dst=out, op=nl.relu, data=x, imm0=1.25, imm1=0.5, op0=nl.{op0}, op1=nl.{op1})")
    v.expect("out", result("float32", activation("relu", two(x.f32, op0, 1.25, op1, 0.5))))
v = a2.vector("reversed", "reverse0: imm0 op0 data; reverse1: imm1 op1 result")
x = v.random("x", "float32", (3, 11), floats=(-3, 3))
v.step("nisa.activate2(dst=out, op=nl.copy, data=x, imm0=1.25, imm1=7.0, op0=nl.multiply, op1=nl.subtract, reverse1=True)",
       "nisa.activate2(dst=other, op=nl.copy, data=x, imm0=1.25, imm1=0.0, op0=nl.subtract, op1=nl.bypass, reverse0=True)")
v.expect("out", result("float32", two(x.f32, "multiply", 1.25, "subtract", 7.0, reverse1=True)))
v.expect("other", result("float32", two(x.f32, "subtract", 1.25, "bypass", 0, reverse0=True)))
v = a2.vector("columns", "imm0 and imm1 may be columns of one dtype; gelu", A, source="docs/numerics.md 4")
x, a, b = v.random("x", "bfloat16", (3, 11), floats=(-3, 1)), v.random("a", "float32", (3, 1), floats=(-1, 1)), v.random(
    "b", "float32", (3, 1), floats=(-1, 1))
v.step("nisa.activate2(dst=out, op=nl.gelu, data=x, imm0=a, imm1=b, op0=nl.multiply, op1=nl.add)")
v.expect("out", result("bfloat16", activation("gelu", two(x.f32, "multiply", a.f32, "add", b.f32))))
v = a2.vector("prelu", "prelu multiplies what is below 0 with relu_param")
x = v.random("x", "float32", (3, 11), floats=(-3, 3))
v.step("nisa.activate2(dst=out, op=nl.prelu, data=x, imm0=1.0, imm1=0.0, op0=nl.multiply, op1=nl.add, relu_param=0.2)")
v.expect("out", result("float32", activation("prelu", two(x.f32, "multiply", 1.0, "add", 0.0), np.float32(0.2))))
v = a2.vector("prelu_column", "relu_param may be a column")
x, a = v.random("x", "float32", (3, 11), floats=(-3, 3)), v.random("a", "float32", (3, 1), floats=(-2, 2))
v.step("nisa.activate2(dst=out, op=nl.prelu, data=x, imm0=0.0, imm1=0.0, op0=nl.bypass, op1=nl.bypass, relu_param=a)")
v.expect("out", result("float32", activation("prelu", x.f32, a.f32)))
for op in ("add", "maximum", "minimum", "abs_max", "abs_min"):
    v = a2.vector(f"reduce_{op}", f"reset_reduce with {op}: from its identity" + (", " + str(IDENTITY[op]) if "abs" in op else ""),
                  A if "abs" in op else D, source="docs/numerics.md 7" if "abs" in op else None)
    x = v.random("x", "float32", (3, 11), integers=(-99, 99))
    v.step(f"nisa.activate2(dst=out, op=nl.copy, data=x, imm0=0.5, imm1=0.0, op0=nl.multiply, op1=nl.bypass, reduce_op=nl.{op}, "
           "reduce_res=total, reduce_cmd=nisa.reduce_cmd.reset_reduce)")
    value = two(x.f32, "multiply", 0.5, "bypass", 0)
    v.expect("out", result("float32", value))
    v.expect("total", result("float32", fold(op, value, IDENTITY[op])[:, None]))
v = a2.vector("shared_register", "the register is that of activation: reset by one, reduced on by the other")
x = v.random("x", "float32", (4, 8), integers=(-30, 30))
v.step("nisa.activation(dst=y, op=nl.copy, data=x, reduce_op=nl.add, reduce_cmd=nisa.reduce_cmd.reset_reduce)",
       "nisa.activate2(dst=y, op=nl.abs, data=x, imm0=0.0, imm1=0.0, op0=nl.bypass, op1=nl.bypass, reduce_op=nl.add, reduce_res=both, "
       "reduce_cmd=nisa.reduce_cmd.reduce)")
v.tile("y", "float32", (4, 8))
v.expect("both", result("float32", (x.f32 + abs(x.f32)).sum(axis=1, keepdims=True)))

# ---- what the documents leave open

for name, value in (("log", 2.0 ** 70), ("sqrt", 2.0 ** -120), ("rsqrt", 2.0 ** 100), ("reciprocal", 2.0 ** 50), ("arctan", 3.0)):
    v = ac.vector(f"{name}_beyond", f"{name} outside of its documented range: the formula", A, source="docs/numerics.md 4", unspecified="activation-range")
    x = v.put("x", Data.of("float32", [[1.0, value]]))
    v.step(f"nisa.activation(dst=out, op=nl.{name}, data=x)")
    v.expect("out", result("float32", activation(name, x.f32)))
v = ac.vector("prelu_negative", "prelu of a negative number, for which activation has no slope", A, source="docs/numerics.md 4", unspecified="prelu-slope")
x = v.put("x", Data.of("float32", [[1.0, -2.0]]))
v.step("nisa.activation(dst=out, op=nl.prelu, data=x)")
v.expect("out", result("float32", activation("prelu", x.f32, np.float32(0))))
