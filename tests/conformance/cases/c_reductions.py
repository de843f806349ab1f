"""tensor_reduce, tensor_partition_reduce, scans, and the accumulating instructions of the vector engine."""

import math

import numpy as np
from builder import ALL, SINCE_TRN2, TRN3, A, Instruction
from oracles.alu import IDENTITY, alu, fold
from oracles.elementwise import sides
from oracles.exact import function
from oracles.formats import Data, narrow, widen

NAN, INF, LOWEST = math.nan, math.inf, -3.4028234663852886e38


def result(dtype, f32):
    return Data(dtype, narrow(f32, dtype))


# ---- tensor_reduce

tr = Instruction("tensor_reduce")
for op in ("add", "multiply", "maximum", "minimum"):
    v = tr.vector(op, f"{op} along the last dimension, left to right with one float32 rounding a step",
                  "measured" if op == "add" else A,
                  source="kernel-grader: free-axis tensor_reduce(add) in float32 on trn1 is NumPy's sequential sum" if op == "add"
                  else "docs/numerics.md 5", targets=ALL)
    x = v.random("x", "float32", (4, 67), floats=(-1, 1) if op == "multiply" else (-6, 6))
    v.step(f"nisa.tensor_reduce(dst=out, op=nl.{op}, data=x, axis=1)")
    v.expect("out", result("float32", fold(op, x.f32)[:, None]))
v = tr.vector("add_order", "1 + 2^-24 + ... left to right stays 1; then the large terms cancel", A)
x = v.put("x", Data.of("float32", [[1.0] + [2.0 ** -24] * 8, [2.0 ** -24] * 8 + [1.0], [1e30, 1.0, -1e30, 1.0] + [0.0] * 5]))
v.step("nisa.tensor_reduce(dst=out, op=nl.add, data=x, axis=1)")
v.expect("out", result("float32", fold("add", x.f32)[:, None]))
v = tr.vector("subtract", "subtract: the first element minus the others in turn", A)
x = v.random("x", "float32", (3, 9), floats=(-3, 3))
v.step("nisa.tensor_reduce(dst=out, op=nl.subtract, data=x, axis=1)")
v.expect("out", result("float32", fold("subtract", x.f32)[:, None]))
v = tr.vector("integers_exact", "sums of small whole numbers are exact in any order")
x = v.random("x", "bfloat16", (128, 24), integers=(-8, 8))
v.step("nisa.tensor_reduce(dst=out, op=nl.add, data=x, axis=1)")
v.expect("out", result("float32", fold("add", x.f32)[:, None]))
v = tr.vector("max_exact", "the maximum has no rounding; ties and order do not matter")
x = v.random("x", "float32", (128, 11), floats=(-6, 6))
v.step("nisa.tensor_reduce(dst=out, op=nl.maximum, data=x, axis=1)")
v.expect("out", result("float32", fold("maximum", x.f32)[:, None]))
v = tr.vector("not_rounded_between", "bfloat16 data and dst: the running sum is float32, rounded once at the end")
x = v.random("x", "bfloat16", (3, 50), integers=(1, 255))
v.step("nisa.tensor_reduce(dst=out, op=nl.add, data=x, axis=1)")
v.expect("out", result("bfloat16", fold("add", x.f32)[:, None]))
v = tr.vector("negate", "negate: the result times -1")
x = v.random("x", "float32", (3, 10), floats=(-3, 3))
v.step("nisa.tensor_reduce(dst=out, op=nl.maximum, data=x, axis=1, negate=True)")
v.expect("out", result("float32", -fold("maximum", x.f32)[:, None]))
v = tr.vector("last_of_three", "axis 2 of three dimensions: what is left of a row has one result each")
x = v.random("x", "float32", (3, 5, 7), integers=(-50, 50))
v.step("nisa.tensor_reduce(dst=out, op=nl.add, data=x, axis=2)")
v.expect("out", result("float32", fold("add", x.f32)))
v = tr.vector("last_two", "axes (1, 2) together, in the order of the elements")
x = v.random("x", "float32", (3, 5, 7), floats=(-6, 6))
v.step("nisa.tensor_reduce(dst=out, op=nl.minimum, data=x, axis=(1, 2))")
v.expect("out", result("float32", fold("minimum", x.f32.reshape(3, 35))[:, None]))
v = tr.vector("keepdims", "keepdims leaves the reduced dimension with size 1")
x = v.random("x", "float32", (3, 5, 7), integers=(-50, 50))
v.step("nisa.tensor_reduce(dst=out, op=nl.add, data=x, axis=2, keepdims=True)")
v.expect("out", result("float32", fold("add", x.f32)[:, :, None]))
v = tr.vector("negative_axis", "axis -1 is the last dimension: the axis named is the one reduced", "measured",
              source="NKI release notes: tensor_reduce axis means the real axis")
x = v.random("x", "float32", (2, 3, 6), integers=(-50, 50))
v.step("nisa.tensor_reduce(dst=out, op=nl.add, data=x, axis=-1)")
v.expect("out", result("float32", fold("add", x.f32)))
for op, start in (("bitwise_and", -1), ("bitwise_or", 0), ("bitwise_xor", 0)):
    v = tr.vector(op, f"{op} of uint32 folds bits")
    x = v.random("x", "uint32", (3, 6), bits=True)
    v.step(f"nisa.tensor_reduce(dst=out, op=nl.{op}, data=x, axis=1)")
    f = {"bitwise_and": np.bitwise_and, "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor}[op]
    v.expect("out", Data("uint32", f.reduce(x.words, axis=1)[:, None]))
for op in ("logical_and", "logical_or", "logical_xor"):
    v = tr.vector(op, f"{op} of zeros and ones")
    x = v.put("x", Data.of("float32", [[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 0]]))
    v.step(f"nisa.tensor_reduce(dst=out, op=nl.{op}, data=x, axis=1)")
    v.expect("out", result("float32", fold(op, x.f32)[:, None]))
v = tr.vector("nan_in_maximum", "maximum leaves NaN out unless there is nothing else; a sum with NaN is NaN", A)
x = v.put("x", Data.of("float32", [[NAN, 1.0, 2.0], [1.0, NAN, 0.5], [NAN, NAN, NAN]]))
v.step("nisa.tensor_reduce(dst=out, op=nl.maximum, data=x, axis=1)", "nisa.tensor_reduce(dst=total, op=nl.add, data=x, axis=1)")
v.expect("out", result("float32", fold("maximum", x.f32)[:, None]))
v.expect("total", result("float32", fold("add", x.f32)[:, None]))
v = tr.vector("strided_psum", "a view of every other column of a tile in PSUM")
x = v.random("x", "float32", (4, 16), space="psum", integers=(-9, 9))
v.step("nisa.tensor_reduce(dst=out, op=nl.add, data=x[:, 1:16:2], axis=1)")
v.expect("out", result("float32", fold("add", x.f32[:, 1::2])[:, None]))

# ---- tensor_partition_reduce

pr = Instruction("tensor_partition_reduce")
for op in ("add", "maximum"):
    v = pr.vector(op, f"{op} over the partitions, in ascending order", A)
    x = v.random("x", "float32", (37, 5), floats=(-5, 5))
    v.step(f"nisa.tensor_partition_reduce(dst=out, op=nl.{op}, data=x)")
    v.expect("out", result("float32", fold(op, x.f32.T)[None, :]))
v = pr.vector("add_exact", "sums of small whole numbers over 128 partitions; three dimensions")
x = v.random("x", "bfloat16", (128, 2, 3), integers=(-8, 8))
v.step("nisa.tensor_partition_reduce(dst=out, op=nl.add, data=x)")
v.expect("out", result("float32", x.f32.sum(axis=0, dtype=np.float32)[None]))
v = pr.vector("average", "average: the sum divided by the number of partitions")
x = v.random("x", "float32", (16, 6), integers=(-100, 100))
v.step("nisa.tensor_partition_reduce(dst=out, op=nl.average, data=x)")
v.expect("out", result("float32", alu("divide", fold("add", x.f32.T), np.float32(16))[None, :]))
for op in ("bitwise_and", "bitwise_or"):
    v = pr.vector(op, f"{op} over the partitions")
    x = v.random("x", "uint32", (5, 6), bits=True)
    v.step(f"nisa.tensor_partition_reduce(dst=out, op=nl.{op}, data=x)")
    f = np.bitwise_and if op == "bitwise_and" else np.bitwise_or
    v.expect("out", Data("uint32", f.reduce(x.words, axis=0)[None, :]))

v = pr.vector("integers", "sums of int32 beyond 2^24", A, source="docs/numerics.md 5", unspecified="partition-integers")
x = v.put("x", Data("int32", [[16777217], [1], [1]]))
v.step("nisa.tensor_partition_reduce(dst=out, op=nl.add, data=x)")
v.expect("out", Data("int32", narrow(fold("add", x.f32.T), "int32")[None, :]))

# ---- tensor_tensor_scan

sc = Instruction("tensor_tensor_scan")


def scan(a, b, initial, op0, op1, reverse0=False, reverse1=False):
    state, out = np.broadcast_to(np.asarray(initial, np.float32).reshape(-1), (a.shape[0],)), np.empty_like(a)
    for i in range(a.shape[1]):
        state = sides(op1, sides(op0, a[:, i], state, reverse0), b[:, i], reverse1)
        out[:, i] = state
    return out


for name, op0, op1, flags in (("multiply_add", "multiply", "add", ""), ("add_maximum", "add", "maximum", ""),
                              ("subtract_subtract", "subtract", "subtract", ""), ("reversed", "subtract", "subtract", "01"),
                              ("maximum_multiply", "maximum", "multiply", "")):
    v = sc.vector(name, f"state = (data0 {op0} state) {op1} data1 along each row" + (", both reversed" if flags else ""))
    x, y = v.random("x", "float32", (3, 20), floats=(-3, -1)), v.random("y", "float32", (3, 20), floats=(-3, 0))
    reverse = "".join(f", reverse{f}=True" for f in flags)
    v.step(f"nisa.tensor_tensor_scan(dst=out, data0=x, data1=y, initial=0.5, op0=nl.{op0}, op1=nl.{op1}{reverse})")
    v.expect("out", result("float32", scan(x.f32, y.f32, 0.5, op0, op1, "0" in flags, "1" in flags)))
v = sc.vector("initial_column", "the state starts with one value for each partition")
x, y = v.random("x", "float32", (4, 9), floats=(-3, -1)), v.random("y", "float32", (4, 9), floats=(-3, 0))
a = v.random("a", "float32", (4, 1), floats=(-3, 3))
v.step("nisa.tensor_tensor_scan(dst=out, data0=x, data1=y, initial=a, op0=nl.multiply, op1=nl.add)")
v.expect("out", result("float32", scan(x.f32, y.f32, a.f32, "multiply", "add")))
v = sc.vector("state_is_float32", "a bfloat16 dst: each output is rounded, the state is not", A)
x, y = v.put("x", Data.of("float32", np.ones((2, 16)))), v.random("y", "bfloat16", (2, 16), floats=(-4, -2))
v.step("nisa.tensor_tensor_scan(dst=out, data0=x, data1=y, initial=8.0, op0=nl.multiply, op1=nl.add)")
v.expect("out", result("bfloat16", scan(x.f32, y.f32, 8.0, "multiply", "add")))
v = sc.vector("continued", "a second scan goes on from the last column of the first")
x, y = v.random("x", "float32", (2, 12), floats=(-3, -1)), v.random("y", "float32", (2, 12), floats=(-3, 0))
v.step("nisa.tensor_tensor_scan(dst=out[:, 0:6], data0=x[:, 0:6], data1=y[:, 0:6], initial=0.0, op0=nl.multiply, op1=nl.add)",
       "nisa.tensor_tensor_scan(dst=out[:, 6:12], data0=x[:, 6:12], data1=y[:, 6:12], initial=out[:, 5:6], op0=nl.multiply, op1=nl.add)")
v.expect("out", result("float32", scan(x.f32, y.f32, 0.0, "multiply", "add")))
v = sc.vector("three_dimensions", "more free dimensions are scanned in the order of the elements", A)
x, y = v.random("x", "float32", (2, 3, 4), floats=(-3, -1)), v.random("y", "float32", (2, 3, 4), floats=(-3, 0))
v.step("nisa.tensor_tensor_scan(dst=out, data0=x, data1=y, initial=1.0, op0=nl.multiply, op1=nl.add)")
v.expect("out", result("float32", scan(x.f32.reshape(2, 12), y.f32.reshape(2, 12), 1.0, "multiply", "add").reshape(2, 3, 4)))

# ---- tensor_scalar_cumulative: the accumulator of the vector engine

tc = Instruction("tensor_scalar_cumulative")


def cumulative(x, op0, imm0, op1, start):
    value = alu(op0, x, np.asarray(imm0, np.float32))
    state, out = np.broadcast_to(np.asarray(start, np.float32).reshape(-1), (x.shape[0],)), np.empty_like(x)
    for i in range(x.shape[1]):
        state = alu(op1, value[:, i], state)
        out[:, i] = state
    return out


for op1 in ("add", "multiply", "maximum", "minimum"):
    v = tc.vector(op1, f"acc = (src + imm0) {op1} acc; reset_reduce starts from {IDENTITY[op1]}")
    x = v.random("x", "float32", (3, 13), floats=(-2, 1))
    v.step(f"nisa.tensor_scalar_cumulative(dst=out, src=x, op0=nl.add, op1=nl.{op1}, imm0=0.25)")
    v.expect("out", result("float32", cumulative(x.f32, "add", 0.25, op1, IDENTITY[op1])))
v = tc.vector("subtract", "op1 subtract: the new value minus the accumulator, from 0")
x = v.random("x", "float32", (3, 7), integers=(-30, 30))
v.step("nisa.tensor_scalar_cumulative(dst=out, src=x, op0=nl.multiply, op1=nl.subtract, imm0=2.0)")
v.expect("out", result("float32", cumulative(x.f32, "multiply", 2.0, "subtract", 0.0)))
v = tc.vector("load_reduce", "load_reduce starts from imm1")
x = v.random("x", "float32", (3, 7), integers=(-30, 30))
v.step("nisa.tensor_scalar_cumulative(dst=out, src=x, op0=nl.add, op1=nl.add, imm0=1.0, imm1=100.0, reduce_cmd=nisa.reduce_cmd.load_reduce)")
v.expect("out", result("float32", cumulative(x.f32, "add", 1.0, "add", 100.0)))
v = tc.vector("columns", "imm0 and imm1 may be columns")
x, a, b = v.random("x", "float32", (3, 7), integers=(-9, 9)), v.random("a", "float32", (3, 1), integers=(-9, 9)), v.random(
    "b", "float32", (3, 1), integers=(-9, 9))
v.step("nisa.tensor_scalar_cumulative(dst=out, src=x, op0=nl.multiply, op1=nl.maximum, imm0=a, imm1=b, reduce_cmd=nisa.reduce_cmd.load_reduce)")
v.expect("out", result("float32", cumulative(x.f32, "multiply", a.f32, "maximum", b.f32)))
v = tc.vector("reduce_continues", "reduce goes on with the accumulator that the last instruction left")
x = v.random("x", "float32", (3, 12), floats=(-3, 2))
v.step("nisa.tensor_scalar_cumulative(dst=out[:, 0:5], src=x[:, 0:5], op0=nl.multiply, op1=nl.add, imm0=0.5)",
       "nisa.tensor_scalar_cumulative(dst=out[:, 5:12], src=x[:, 5:12], op0=nl.multiply, op1=nl.add, imm0=0.5, reduce_cmd=nisa.reduce_cmd.reduce)")
v.expect("out", result("float32", cumulative(x.f32, "multiply", 0.5, "add", 0.0)))
v = tc.vector("accumulator_not_rounded", "the accumulator is float32 though dst is bfloat16", A)
x = v.random("x", "bfloat16", (2, 16), floats=(-4, -2))
v.step("nisa.tensor_scalar_cumulative(dst=out, src=x, op0=nl.add, op1=nl.add, imm0=3.0)")
v.expect("out", result("bfloat16", cumulative(x.f32, "add", 3.0, "add", 0.0)))

# ---- tensor_scalar_reduce

sr = Instruction("tensor_scalar_reduce")
for op in ("add", "multiply", "maximum", "minimum"):
    v = sr.vector(op, f"dst = data * 0.75; reduce_res the {op} of the row")
    x = v.random("x", "float32", (3, 21), floats=(-1, 1))
    v.step(f"nisa.tensor_scalar_reduce(dst=out, data=x, op0=nl.multiply, operand0=0.75, reduce_op=nl.{op}, reduce_res=total)")
    value = alu("multiply", x.f32, np.float32(0.75))
    v.expect("out", result("float32", value))
    v.expect("total", result("float32", fold(op, value, IDENTITY[op])[:, None]))
v = sr.vector("before_rounding", "the reduction takes the float32 values, not those rounded to a bfloat16 dst", A)
x = v.random("x", "bfloat16", (3, 21), floats=(-1, 1))
v.step("nisa.tensor_scalar_reduce(dst=out, data=x, op0=nl.multiply, operand0=0.7, reduce_op=nl.add, reduce_res=total)")
value = alu("multiply", x.f32, np.float32(0.7))
v.expect("out", result("bfloat16", value))
v.expect("total", result("float32", fold("add", value, 0.0)[:, None]))
v = sr.vector("column", "operand0 a column; reduce_res in bfloat16 is rounded when it is written")
x, a = v.random("x", "float32", (3, 9), integers=(-99, 99)), v.random("a", "float32", (3, 1), integers=(-9, 9))
v.step("nisa.tensor_scalar_reduce(dst=out, data=x, op0=nl.subtract, operand0=a, reduce_op=nl.add, reduce_res=total)")
value = alu("subtract", x.f32, a.f32)
v.expect("out", result("float32", value))
v.expect("total", result("bfloat16", fold("add", value, 0.0)[:, None]))
v = sr.vector("load_reduce", "load_reduce: the accumulator starts from reduce_init")
x = v.random("x", "float32", (3, 9), integers=(-99, 99))
v.step("nisa.tensor_scalar_reduce(dst=out, data=x, op0=nl.add, operand0=1.0, reduce_op=nl.maximum, reduce_res=total, "
       "reduce_cmd=nisa.reduce_cmd.load_reduce, reduce_init=77.5)")
value = alu("add", x.f32, np.float32(1))
v.expect("out", result("float32", value))
v.expect("total", result("float32", fold("maximum", value, 77.5)[:, None]))
v = sr.vector("negated", "reduce_res_negate changes the sign of what is written, not of the accumulator: the next one goes on with it")
x = v.random("x", "float32", (3, 10), integers=(-99, 99))
v.step("nisa.tensor_scalar_reduce(dst=out[:, 0:5], data=x[:, 0:5], op0=nl.add, operand0=0.0, reduce_op=nl.add, reduce_res=first, "
       "reduce_res_negate=True)",
       "nisa.tensor_scalar_reduce(dst=out[:, 5:10], data=x[:, 5:10], op0=nl.add, operand0=0.0, reduce_op=nl.add, reduce_res=second, "
       "reduce_cmd=nisa.reduce_cmd.reduce)")
v.expect("out", x)
v.expect("first", result("float32", -x.f32[:, :5].sum(axis=1, keepdims=True)))
v.expect("second", result("float32", x.f32.sum(axis=1, keepdims=True)))
v = sr.vector("kept_in_the_engine", "without reduce_res the accumulator is kept; a later instruction reads it")
x = v.random("x", "float32", (3, 10), integers=(-99, 99))
v.step("nisa.tensor_scalar_reduce(dst=out[:, 0:5], data=x[:, 0:5], op0=nl.add, operand0=0.0, reduce_op=nl.add)",
       "nisa.tensor_scalar_reduce(dst=out[:, 5:10], data=x[:, 5:10], op0=nl.add, operand0=0.0, reduce_op=nl.add, reduce_res=total, "
       "reduce_cmd=nisa.reduce_cmd.reduce)")
v.expect("out", x)
v.expect("total", result("float32", x.f32.sum(axis=1, keepdims=True)))

# ---- select_reduce

sl = Instruction("select_reduce")


def selected(p, x, other, reverse=False):
    return np.where((p.ints != 0) != reverse, x.f32, np.broadcast_to(np.asarray(other, np.float32), x.shape))


for dtype in ("uint8", "int8", "uint16", "int16"):
    v = sl.vector(f"predicate_{dtype}", f"on_true where the {dtype} predicate is not zero, else the number")
    p, x = v.random("p", dtype, (3, 14), integers=(0, 2)), v.random("x", "float32", (3, 14), floats=(-3, 3))
    v.step("nisa.select_reduce(dst=out, predicate=p, on_true=x, on_false=-1.5)")
    v.expect("out", result("float32", selected(p, x, -1.5)))
v = sl.vector("reverse_pred", "reverse_pred: on_true where the predicate is zero; on_false a column")
p, x, a = v.random("p", "uint8", (3, 14), integers=(0, 1)), v.random("x", "bfloat16", (3, 14), floats=(-3, 3)), v.random(
    "a", "float32", (3, 1), floats=(-3, 3))
v.step("nisa.select_reduce(dst=out, predicate=p, on_true=x, on_false=a, reverse_pred=True)")
v.expect("out", result("float32", selected(p, x, a.f32, True)))
v = sl.vector("reset_reduce", "reset_reduce: the maximum of what was selected, from -inf")
p, x = v.random("p", "uint8", (3, 14), integers=(0, 1)), v.random("x", "float32", (3, 14), floats=(-3, 3))
v.step("nisa.select_reduce(dst=out, predicate=p, on_true=x, on_false=-100.0, reduce_res=peak, reduce_cmd=nisa.reduce_cmd.reset_reduce)")
value = selected(p, x, -100.0)
v.expect("out", result("float32", value))
v.expect("peak", result("float32", value.max(axis=1, keepdims=True)))
v = sl.vector("reduce", "reduce: on with the accumulator, which select_reduce shares with tensor_scalar_reduce")
p, x = v.random("p", "uint8", (3, 8), integers=(0, 1)), v.random("x", "float32", (3, 8), floats=(-3, 3))
y = v.random("y", "float32", (3, 8), floats=(-3, 3))
v.step("nisa.tensor_scalar_reduce(dst=y, data=y, op0=nl.add, operand0=0.0, reduce_op=nl.maximum)",
       "nisa.select_reduce(dst=out, predicate=p, on_true=x, on_false=-100.0, reduce_res=peak, reduce_cmd=nisa.reduce_cmd.reduce)")
value = selected(p, x, -100.0)
v.expect("out", result("float32", value))
v.expect("peak", result("float32", np.maximum(value.max(axis=1, keepdims=True), y.f32.max(axis=1, keepdims=True))))
v = sl.vector("narrow", "dst float16 is rounded to, the maximum is of the float32 values", A)
p, x = v.random("p", "uint8", (3, 8), integers=(0, 1)), v.random("x", "float32", (3, 8), floats=(-3, 3))
v.step("nisa.select_reduce(dst=out, predicate=p, on_true=x, on_false=-100.0, reduce_res=peak, reduce_cmd=nisa.reduce_cmd.reset_reduce)")
value = selected(p, x, -100.0)
v.expect("out", result("float16", value))
v.expect("peak", result("float32", value.max(axis=1, keepdims=True)))

# ---- range_select

rs = Instruction("range_select", targets=SINCE_TRN2)


def ranged(x, op0, op1, low, high, start=0):
    where = np.arange(start, start + x.shape[1], dtype=np.float32)[None, :]
    keep = (alu(op0, where, low) != 0) & (alu(op1, where, high) != 0)
    return np.where(keep, x.f32, np.float32(LOWEST))


for op0, op1 in (("greater_equal", "less"), ("greater", "less_equal"), ("equal", "greater_equal"), ("less", "less_equal")):
    v = rs.vector(f"{op0}_{op1}", f"keeps where position {op0} bound0 and position {op1} bound1; elsewhere -3.4028235e38")
    x = v.random("x", "float32", (3, 14), floats=(-3, 3))
    a, b = v.put("a", Data.of("float32", [[2.0], [5.0], [0.0]])), v.put("b", Data.of("float32", [[9.0], [5.0], [100.0]]))
    v.step(f"nisa.range_select(dst=out, on_true_tile=x, comp_op0=nl.{op0}, comp_op1=nl.{op1}, bound0=a, bound1=b, reduce_res=peak)")
    value = ranged(x, op0, op1, a.f32, b.f32)
    v.expect("out", result("float32", value))
    v.expect("peak", result("float32", value.max(axis=1, keepdims=True)))
v = rs.vector("range_start", "positions start at range_start; in float32")
x = v.random("x", "float32", (2, 9), floats=(-3, 3))
a, b = v.put("a", Data.of("float32", [[1003.0], [1000.5]])), v.put("b", Data.of("float32", [[1006.0], [2000.0]]))
v.step("nisa.range_select(dst=out, on_true_tile=x, comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=a, bound1=b, range_start=1000)")
v.expect("out", result("float32", ranged(x, "greater_equal", "less", a.f32, b.f32, 1000)))
for dtype in ("bfloat16", "float16", "float8_e5m2", "float8_e4m3"):
    v = rs.vector(f"fill_{dtype}", f"in a {dtype} dst the fill value becomes -inf; the float32 maximum of an empty row is -3.4028235e38")
    x = v.random("x", dtype, (2, 9), floats=(-3, 3))
    a, b = v.put("a", Data.of("float32", [[3.0], [20.0]])), v.put("b", Data.of("float32", [[6.0], [30.0]]))
    v.step("nisa.range_select(dst=out, on_true_tile=x, comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=a, bound1=b, reduce_res=peak)")
    value = ranged(x, "greater_equal", "less", a.f32, b.f32)
    v.expect("out", result(dtype, value))
    v.expect("peak", result("float32", value.max(axis=1, keepdims=True)))
v = rs.vector("masked_row", "a masked row, then exp(row - maximum): -3.4028235e38 minus itself is 0, and exp gives exactly 1")
x = v.random("x", "float32", (2, 5), floats=(-3, 3))
a, b = v.put("a", Data.of("float32", [[9.0], [9.0]])), v.put("b", Data.of("float32", [[9.0], [9.0]]))
v.step("nisa.range_select(dst=y, on_true_tile=x, comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=a, bound1=b, reduce_res=peak)",
       "nisa.tensor_scalar(dst=minus, data=peak, op0=nl.multiply, operand0=-1.0)",
       "nisa.activation(dst=out, op=nl.exp, data=y, bias=minus)")
v.tile("y", "float32", (2, 5)), v.tile("peak", "float32", (2, 1)), v.tile("minus", "float32", (2, 1))
v.expect("out", Data.of("float32", np.ones((2, 5))))
v = rs.vector("masked_row_narrow", "with a bfloat16 row the masked elements are -inf, the maximum float32: exp gives exactly 0")
x = v.random("x", "bfloat16", (2, 5), floats=(-3, 3))
a, b = v.put("a", Data.of("float32", [[9.0], [9.0]])), v.put("b", Data.of("float32", [[9.0], [9.0]]))
v.step("nisa.range_select(dst=y, on_true_tile=x, comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=a, bound1=b, reduce_res=peak)",
       "nisa.tensor_scalar(dst=minus, data=peak, op0=nl.multiply, operand0=-1.0)",
       "nisa.activation(dst=out, op=nl.exp, data=y, bias=minus)")
v.tile("y", "bfloat16", (2, 5)), v.tile("peak", "float32", (2, 1)), v.tile("minus", "float32", (2, 1))
v.expect("out", Data.of("float32", np.zeros((2, 5))))
v = rs.vector("reduce_cmd", "reduce_cmd is honoured: reduce goes on with the maximum of the first half", "measured",
              source="NKI release notes: range_select honours reduce_cmd")
x = v.random("x", "float32", (3, 16), floats=(-3, 3))
a, b = v.put("a", Data.of("float32", [[1.0], [0.0], [4.0]])), v.put("b", Data.of("float32", [[15.0], [8.0], [9.0]]))
call = "nisa.range_select(dst=out[:, {0}:{1}], on_true_tile=x[:, {0}:{1}], comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=a, bound1=b, "
v.step(call.format(0, 8) + "reduce_res=first)",
       call.format(8, 16) + "range_start=8, reduce_cmd=nisa.reduce_cmd.reduce, reduce_res=both)")
value = ranged(x, "greater_equal", "less", a.f32, b.f32)
v.expect("out", result("float32", value))
v.expect("first", result("float32", value[:, :8].max(axis=1, keepdims=True)))
v.expect("both", result("float32", value.max(axis=1, keepdims=True)))

# ---- exponential

ex = Instruction("exponential", targets=TRN3)


def exp_of(values):
    return np.vectorize(lambda n: function("exp", float(n)), otypes=[np.float32])(values)


for dtype in ("float32", "bfloat16", "float16", "int8", "uint16"):
    v = ex.vector(f"from_{dtype}", f"exp(src - max_value) of {dtype}, correctly rounded", A)
    x = v.random("x", dtype, (3, 9), **({"floats": (-4, 2)} if "float" in dtype else {"integers": (0, 20)}))
    v.step("nisa.exponential(dst=out, src=x, max_value=2.5)")
    v.expect("out", result("float32", exp_of(alu("subtract", x.f32, np.float32(2.5)))))
v = ex.vector("one", "exp of 0 is exactly 1: the element that is the maximum")
x, a = v.random("x", "float32", (3, 1), floats=(-4, 4)), None
v.step("nisa.exponential(dst=out, src=x, max_value=x)")
v.expect("out", Data.of("float32", [[1.0]] * 3))
v = ex.vector("sum", "reset_reduce: reduce_res is the sum of the float32 values, a column of maxima is subtracted", A)
x, a = v.random("x", "bfloat16", (3, 17), floats=(-4, 1)), v.put("a", Data.of("float32", [[3.0], [2.0], [-1.0]]))
v.step("nisa.exponential(dst=out, src=x, max_value=a, reduce_res=total, reduce_cmd=nisa.reduce_cmd.reset_reduce)")
value = exp_of(alu("subtract", x.f32, a.f32))
v.expect("out", result("bfloat16", value))
v.expect("total", result("float32", fold("add", value, 0.0)[:, None]))
v = ex.vector("load_and_reduce", "load_reduce starts from reduce_init, reduce goes on", A)
x = v.random("x", "float32", (2, 12), floats=(-4, 1))
v.step("nisa.exponential(dst=out[:, 0:6], src=x[:, 0:6], reduce_cmd=nisa.reduce_cmd.load_reduce, reduce_init=10.0)",
       "nisa.exponential(dst=out[:, 6:12], src=x[:, 6:12], reduce_res=total, reduce_cmd=nisa.reduce_cmd.reduce)")
value = exp_of(x.f32)
v.expect("out", result("float32", value))
v.expect("total", result("float32", fold("add", value, 10.0)[:, None]))
v = ex.vector("special", "exp of -inf is 0, of inf is inf, of NaN is NaN; overflow and underflow", A)
x = v.put("x", Data.of("float32", [[-INF, INF, NAN, 88.72, 88.73, -87.4, -103.9, -104.1, LOWEST]]))
v.step("nisa.exponential(dst=out, src=x)")
v.expect("out", result("float32", exp_of(x.f32)))

# ---- what the documents leave open

CUMULATIVE = "nisa.tensor_scalar_cumulative(dst=out, src=x, op0=nl.add, op1=nl.add, imm0=0.0, reduce_cmd=nisa.reduce_cmd.reduce)"
v = tc.vector("accumulator_unset", "reduce before anything set the accumulator", A, source="docs/numerics.md 7", unspecified="accumulator-unset")
x = v.random("x", "float32", (2, 5), integers=(-9, 9))
v.step(CUMULATIVE)
v.expect("out", result("float32", cumulative(x.f32, "add", 0.0, "add", 0.0)))
v = sl.vector("accumulator_idle", "reduce after an instruction of the vector engine that ran with idle", A, source="docs/numerics.md 7",
              unspecified="accumulator-idle")
p, x = v.random("p", "uint8", (2, 5), integers=(0, 1)), v.random("x", "float32", (2, 5), integers=(-9, 9))
v.step("nisa.tensor_scalar_reduce(dst=y, data=x, op0=nl.add, operand0=0.0, reduce_op=nl.maximum)",
       "nisa.select_reduce(dst=y, predicate=p, on_true=x, on_false=50.0)",
       "nisa.select_reduce(dst=out, predicate=p, on_true=x, on_false=-50.0, reduce_res=peak, reduce_cmd=nisa.reduce_cmd.reduce)")
v.tile("y", "float32", (2, 5))
v.expect("out", result("float32", selected(p, x, -50.0)))
v.expect("peak", result("float32", x.f32.max(axis=1, keepdims=True)))
v = sl.vector("nan", "the maximum of values with a NaN among them", A, source="docs/numerics.md 8", unspecified="select-reduce-nan")
p, x = v.put("p", Data("uint8", [[1, 1, 0]])), v.put("x", Data.of("float32", [[1.0, NAN, 9.0]]))
v.step("nisa.select_reduce(dst=out, predicate=p, on_true=x, on_false=-50.0, reduce_res=peak, reduce_cmd=nisa.reduce_cmd.reset_reduce)")
v.expect("out", result("float32", selected(p, x, -50.0)))
v.expect("peak", Data.of("float32", [[1.0]]))
v = rs.vector("fill_float8_e4m3fn", "the fill value in a dtype that has no infinity", A, source="docs/numerics.md 9", targets=TRN3,
              unspecified="range-select-e4m3fn")
x = v.random("x", "float8_e4m3fn", (1, 5), floats=(-3, 3))
a, b = v.put("a", Data.of("float32", [[1.0]])), v.put("b", Data.of("float32", [[3.0]]))
v.step("nisa.range_select(dst=out, on_true_tile=x, comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=a, bound1=b, reduce_res=peak)")
value = ranged(x, "greater_equal", "less", a.f32, b.f32)
v.expect("out", result("float8_e4m3fn", value))
v.expect("peak", result("float32", value.max(axis=1, keepdims=True)))
v = sr.vector("accumulator_lane", "reduce on rows at other partitions than those that set the accumulator", A, source="docs/numerics.md 7",
              unspecified="accumulator-lane")
x = v.random("x", "float32", (64, 5), integers=(-9, 9))
v.step("nisa.tensor_scalar_reduce(dst=y, data=x[0:32, :], op0=nl.add, operand0=0.0, reduce_op=nl.add)",
       "nisa.tensor_scalar_reduce(dst=y, data=x[32:64, :], op0=nl.add, operand0=0.0, reduce_op=nl.add, reduce_res=total[32:64, :], "
       "reduce_cmd=nisa.reduce_cmd.reduce)")
v.tile("y", "float32", (32, 5))
v.put("total", Data.of("float32", np.zeros((64, 1))))
v.expect("total", result("float32", np.concatenate([np.zeros((32, 1)), x.f32[:32].sum(axis=1, keepdims=True) + x.f32[32:].sum(axis=1, keepdims=True)])))
