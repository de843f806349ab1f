"""Tensor indirection of NeuronCore-v4: columns chosen by offsets, as sources and as destinations of every engine."""

import numpy as np
import vectors as form
from builder import TRN3, A, D, Instruction
from oracles.activation import activation
from oracles.alu import alu, fold
from oracles.formats import Data, narrow
from oracles.tensor_engine import matmul_mx, spread, whole_product

SOURCE = "nki.language.NkiTensor.indirect"


def result(dtype, f32):
    return Data(dtype, narrow(f32, dtype))


def offsets(v, name, partitions, columns, count, groups=16, unique=False):
    """An index tile (partitions, K) that holds `count` offsets below `columns` in each group of partitions; offset i is
    index[i % groups, i // groups]. Returns the list."""
    step = next(s for s in (7, 11, 13, 5, 3) if columns % s)
    chosen = [(3 + step * i) % columns if unique else (3 + i * i) % columns for i in range(count)]
    words = np.zeros((partitions, -(-count // groups)), np.uint32)
    for p in range(partitions):
        for k in range(words.shape[1]):
            i = k * groups + p % groups
            words[p, k] = chosen[i] if i < count else 0
    v.put(name, Data("uint32", words))
    return chosen


def of(name):
    return Instruction.every[name]


v = of("tensor_copy").vector("indirect_gather", "src.indirect(index): offset i is index[i % 16, i // 16]; bits are copied", targets=TRN3, source=SOURCE)
x = v.random("x", "float32", (32, 20), bits=True)
chosen = offsets(v, "index", 32, 20, 24)
v.step("nisa.tensor_copy(dst=out, src=x.indirect(index, num_elem=24), engine=nisa.engine.vector)")
v.expect("out", Data("float32", x.words[:, chosen]))
v = of("tensor_copy").vector("indirect_scatter", "dst.indirect(index): element i goes to column offset i; the others stay; scalar engine", targets=TRN3,
                             source=SOURCE)
x, y = v.random("x", "bfloat16", (16, 12), bits=True), v.random("out", "bfloat16", (16, 20), bits=True)
chosen = offsets(v, "index", 16, 20, 12, unique=True)
v.step("nisa.tensor_copy(dst=out.indirect(index, num_elem=12), src=x, engine=nisa.engine.scalar)")
expected = y.words.copy()
expected[:, chosen] = x.words
v.expect("out", Data("bfloat16", expected))
v = of("tensor_copy").vector("indirect_all", "without num_elem all offsets of the index are used", targets=TRN3, source=SOURCE)
x = v.random("x", "float32", (16, 40), bits=True)
chosen = offsets(v, "index", 16, 40, 32)
v.step("nisa.tensor_copy(dst=out, src=x.indirect(index), engine=nisa.engine.vector)")
v.expect("out", Data("float32", x.words[:, chosen]))
v = of("tensor_tensor").vector("indirect", "data1 by indirection, data2 plain", targets=TRN3, source=SOURCE)
x, y = v.random("x", "float32", (16, 20), floats=(-3, 3)), v.random("y", "float32", (16, 10), floats=(-3, 3))
chosen = offsets(v, "index", 16, 20, 10)
v.step("nisa.tensor_tensor(dst=out, data1=x.indirect(index, num_elem=10), data2=y, op=nl.add, engine=nisa.engine.vector)")
v.expect("out", result("float32", alu("add", x.f32[:, chosen], y.f32)))
v = of("tensor_scalar").vector("indirect_both", "data and dst by indirection, each with its own offsets", targets=TRN3, source=SOURCE)
x, y = v.random("x", "float32", (16, 20), floats=(-3, 3)), v.random("out", "float32", (16, 16), floats=(-3, 3))
gather, scatter = offsets(v, "index", 16, 20, 10), offsets(v, "index2", 16, 16, 10, unique=True)
v.step("nisa.tensor_scalar(dst=out.indirect(index2, num_elem=10), data=x.indirect(index, num_elem=10), op0=nl.multiply, operand0=2.0)")
expected = y.f32.copy()
expected[:, scatter] = x.f32[:, gather] * 2
v.expect("out", result("float32", expected))
v = of("activation").vector("indirect", "data by indirection on the scalar engine", targets=TRN3, source=SOURCE)
x = v.random("x", "bfloat16", (16, 20), floats=(-3, 3))
chosen = offsets(v, "index", 16, 20, 10)
v.step("nisa.activation(dst=out, op=nl.square, data=x.indirect(index, num_elem=10))")
v.expect("out", result("float32", activation("square", x.f32[:, chosen])))
v = of("tensor_reduce").vector("indirect", "the sum of the chosen columns", targets=TRN3, source=SOURCE)
x = v.random("x", "float32", (16, 20), integers=(-99, 99))
chosen = offsets(v, "index", 16, 20, 10)
v.step("nisa.tensor_reduce(dst=out, op=nl.add, data=x.indirect(index, num_elem=10), axis=1)")
v.expect("out", result("float32", fold("add", x.f32[:, chosen])[:, None]))
v = of("tensor_copy_predicated").vector("indirect", "predicate and dst by indirection, src plain", targets=TRN3, source=SOURCE)
p, x, y = v.random("p", "uint8", (16, 20), integers=(0, 1)), v.random("x", "float32", (16, 10), bits=True), v.random("out", "float32", (16, 16), bits=True)
gather, scatter = offsets(v, "index", 16, 20, 10), offsets(v, "index2", 16, 16, 10, unique=True)
v.step("nisa.tensor_copy_predicated(dst=out.indirect(index2, num_elem=10), src=x, predicate=p.indirect(index, num_elem=10))")
expected = y.words.copy()
expected[:, scatter] = np.where(p.words[:, gather] != 0, x.words, y.words[:, scatter])
v.expect("out", Data("float32", expected))
for name, call in (("tensor_scalar_cumulative", "op0=nl.add, op1=nl.add, imm0=0.0"), ("exponential", "max_value=0.0")):
    v = of(name).vector("indirect", "src by indirection", targets=TRN3, source=SOURCE)
    x = v.random("x", "float32", (16, 20), integers=(-99, 99)) if name != "exponential" else v.put("x", Data.of("float32", np.zeros((16, 20))))
    chosen = offsets(v, "index", 16, 20, 10)
    v.step(f"nisa.{name}(dst=out, src=x.indirect(index, num_elem=10), {call})")
    v.expect("out", result("float32", np.cumsum(x.f32[:, chosen], axis=1) if name != "exponential" else np.ones((16, 10), np.float32)))
v = of("tensor_scalar_reduce").vector("indirect", "data by indirection", targets=TRN3, source=SOURCE)
x = v.random("x", "float32", (16, 20), integers=(-99, 99))
chosen = offsets(v, "index", 16, 20, 10)
v.step("nisa.tensor_scalar_reduce(dst=out, data=x.indirect(index, num_elem=10), op0=nl.add, operand0=1.0, reduce_op=nl.add, reduce_res=total)")
v.expect("out", result("float32", x.f32[:, chosen] + 1))
v.expect("total", result("float32", (x.f32[:, chosen] + 1).sum(axis=1, keepdims=True)))
v = of("activation_reduce").vector("indirect", "data by indirection", targets=TRN3, source=SOURCE)
x = v.random("x", "float32", (16, 20), integers=(-99, 99))
chosen = offsets(v, "index", 16, 20, 10)
v.step("nisa.activation_reduce(dst=out, op=nl.abs, data=x.indirect(index, num_elem=10), reduce_op=nl.add, reduce_res=total)")
v.expect("out", result("float32", abs(x.f32[:, chosen])))
v.expect("total", result("float32", abs(x.f32[:, chosen]).sum(axis=1, keepdims=True)))
v = of("activate2").vector("indirect", "data by indirection", targets=TRN3, source=SOURCE)
x = v.random("x", "float32", (16, 20), integers=(-99, 99))
chosen = offsets(v, "index", 16, 20, 10)
v.step("nisa.activate2(dst=out, op=nl.relu, data=x.indirect(index, num_elem=10), imm0=2.0, imm1=1.0, op0=nl.multiply, op1=nl.add)")
v.expect("out", result("float32", activation("relu", x.f32[:, chosen] * 2 + 1)))
v = of("nc_matmul").vector("indirect_moving", "moving by indirection: groups of 32 partitions", targets=TRN3, source=SOURCE)
x, y = v.random("x", "bfloat16", (64, 6), integers=(-8, 8)), v.random("y", "bfloat16", (64, 50), integers=(-8, 8))
chosen = offsets(v, "index", 64, 50, 40, groups=32)
v.step("nisa.nc_matmul(dst=out, stationary=x, moving=y.indirect(index, num_elem=40))")
v.expect("out", result("float32", whole_product(x.f32, y.f32[:, chosen])), space="psum")
v = of("nc_matmul").vector("indirect_stationary", "stationary by indirection", targets=TRN3, source=SOURCE)
x, y = v.random("x", "bfloat16", (32, 20), integers=(-8, 8)), v.random("y", "bfloat16", (32, 7), integers=(-8, 8))
chosen = offsets(v, "index", 32, 20, 12, groups=32)
v.step("nisa.nc_matmul(dst=out, stationary=x.indirect(index, num_elem=12), moving=y)")
v.expect("out", result("float32", whole_product(x.f32[:, chosen], y.f32)), space="psum")

# what the documents leave open
v = of("tensor_copy").vector("indirect_outside", "an offset outside of its row", A, targets=TRN3, source=SOURCE, unspecified="indirect-range")
x = v.random("x", "float32", (16, 4), bits=True)
v.put("index", Data("uint32", [[i % 4 if i != 2 else 4] for i in range(16)]))
v.step("nisa.tensor_copy(dst=out, src=x.indirect(index), engine=nisa.engine.vector)")
expected = x.words[:, [i % 4 for i in range(16)]]
expected[:, 2] = 0
v.expect("out", Data("float32", expected))
v = of("tensor_copy").vector("indirect_groups", "groups of 16 partitions with different offsets", A, targets=TRN3, source=SOURCE, unspecified="indirect-groups")
x = v.random("x", "float32", (32, 20), bits=True)
v.put("index", Data("uint32", [[i] if i < 16 else [i - 15] for i in range(32)]))
v.step("nisa.tensor_copy(dst=out, src=x.indirect(index, num_elem=16), engine=nisa.engine.vector)")
v.expect("out", Data("float32", x.words[:, :16]))
v = of("tensor_copy").vector("indirect_twice", "a scatter with one offset twice", A, targets=TRN3, source=SOURCE, unspecified="indirect-order")
x, y = v.random("x", "float32", (16, 3), bits=True), v.random("out", "float32", (16, 4), bits=True)
v.put("index", Data("uint32", [[1], [3], [1], *[[0]] * 13]))
v.step("nisa.tensor_copy(dst=out.indirect(index, num_elem=3), src=x, engine=nisa.engine.vector)")
expected = y.words.copy()
expected[:, 1], expected[:, 3] = x.words[:, 2], x.words[:, 1]
v.expect("out", Data("float32", expected))
v = of("tensor_copy").vector("indirect_count", "more offsets than the index holds for a group of partitions", A, targets=TRN3, source=SOURCE,
                             unspecified="indirect-count")
x = v.random("x", "float32", (16, 20), bits=True)
v.put("index", Data("uint32", [[i] for i in range(16)]))
v.step("nisa.tensor_copy(dst=out, src=x.indirect(index, num_elem=18), engine=nisa.engine.vector)")
v.expect("out", Data("float32", x.words[:, [*range(16), 0, 1]]))
v = of("nc_matmul_mx").vector("indirect_moving", "moving and its scales by indirection, with one index", A, source=SOURCE)
words = np.where(np.arange(32)[:, None] % 8 == 3, np.uint32(0x38), np.uint32(0)) * np.ones((32, 6), np.uint32)
moving = np.zeros((32, 40), np.uint32)
moving[3], moving[11] = 0x38 + np.arange(40) % 8, 0x40
scales = (120 + np.arange(40) % 12).astype(np.uint8) * np.ones((4, 1), np.uint8)
for name, data in (("x", words), ("y", moving)):
    v.tile(name, "float8_e4m3fn_x4", data.shape)["data"] = form.rows(data, "float8_e4m3fn_x4")
v.put("xs", Data("uint8", np.full((4, 6), 127)))
v.put("ys", Data("uint8", spread(scales, 32)))
chosen = offsets(v, "index", 32, 40, 32, groups=32)
v.step("nisa.nc_matmul_mx(dst=out, stationary=x, moving=y.indirect(index, num_elem=32), stationary_scale=xs, "
       "moving_scale=ys.indirect(index, num_elem=32))")
v.expect("out", result("float32", matmul_mx(words, "float8_e4m3fn_x4", np.full((4, 6), 127), moving[:, chosen], "float8_e4m3fn_x4",
                                            scales[:, chosen])), space="psum")
