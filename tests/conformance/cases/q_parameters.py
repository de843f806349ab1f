"""Parameters that the other cases leave at their defaults, attributes of tensors, tiles placed by hand."""

import ast
import copy
import math

import numpy as np
import vectors as form
from builder import TRN3, A, Instruction
from oracles import ranks
from oracles.formats import Data, convert, narrow

math_, rd, tn, vw = (Instruction.every[name] for name in ("nl_math", "nl_reductions", "nl_tensors", "nl_views"))


def result(dtype, f32):
    return Data(dtype, narrow(f32, dtype))


def source(name):
    return f"nki.language.{name}"


# ---- dtype: the result in another type

OTHERS = {"add", "mean", "less", "dropout"}  # have such a vector, or are below
INTEGERS = {"bitwise_and": "uint32", "bitwise_or": "uint32", "bitwise_xor": "uint32", "left_shift": "uint32", "right_shift": "uint32", "invert": "int16"}
TO_UINT8 = {"equal", "not_equal", "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_xor", "logical_not"}


def in_other_dtypes(instruction):
    """For each vector `out = nl.F(...)` one whose call also says dtype=."""
    for document in list(instruction.document["vectors"]):
        call = ast.parse(document["steps"][-1]).body[0] if len(document["steps"]) == 1 else None
        if not (isinstance(call, ast.Assign) and isinstance(call.value, ast.Call) and isinstance(call.value.func, ast.Attribute)):
            continue
        name, found = call.value.func.attr, document["tiles"]["out"]
        if document["id"] != f"{instruction.name}.{name}" or name in OTHERS or "dtype=" in document["steps"][0]:
            continue
        to = INTEGERS.get(name) or ("uint8" if name in TO_UINT8 else "bfloat16")
        words = form.expand(found, "expect")
        v = instruction.vector(f"{name}_in_{to}", f"nl.{name} with dtype {to}: " + ("the same bits" if name in INTEGERS else "the float32 result, rounded to it"),
                               document["provenance"], source=document["source"], targets=document["targets"])
        for tile, content in document["tiles"].items():
            if tile != "out":
                v.tiles[tile] = copy.deepcopy(content)
        v.step(document["steps"][0][:-1] + f", dtype=nl.{to})")
        v.expect("out", Data(to, words if name in INTEGERS else convert(words, found["dtype"], to)))


in_other_dtypes(math_)
in_other_dtypes(rd)
for op, call in (("sin", math.sin), ("cos", math.cos), ("tan", math.tan)):
    v = math_.vector(f"{op}_in_bfloat16", f"nl.{op} with dtype bfloat16, to one part in 128", source=source(op))
    exact = [[call(n) for n in (0.5, 1.0, -0.75, 4.0)]]
    v.put("x", Data.of("float32", [[0.5, 1.0, -0.75, 4.0]]))
    v.put("y", Data.of("float32", exact))
    v.step(f"t = nl.{op}(x, dtype=nl.bfloat16)", "assert t.dtype == nl.bfloat16", "d = nl.abs(nl.subtract(nl.copy(t, dtype=nl.float32), y))",
           "out = nl.less_equal(d, 0.01)")
    v.expect("out", Data.of("float32", np.ones((1, 4))))
v = math_.vector("dropout_in_bfloat16", "nl.dropout with rate 0 and a dtype", source=source("dropout"))
x = v.random("x", "float32", (3, 9), floats=(-3, 3))
v.step("out = nl.dropout(x, 0.0, dtype=nl.bfloat16)")
v.expect("out", result("bfloat16", x.f32))
v = rd.vector("var_options", "nl.var with keepdims and dtype", source=source("var"))
x = v.put("x", Data.of("float32", [[2, 4, 4, 4, 5, 5, 7, 9], [1, 1, 1, 1, 3, 3, 3, 3]]))
v.step("out = nl.var(x, axis=1, dtype=nl.bfloat16, keepdims=True)")
v.expect("out", Data.of("bfloat16", [[4], [1]]))
v = rd.vector("all_in_uint8", "nl.all with dtype uint8", source=source("all"))
x = v.put("x", Data.of("float32", [[1, 1, 1, 1], [1, 0, 1, 1]]))
v.step("t = nl.all(x, axis=1, dtype=nl.uint8)", "nisa.tensor_copy(dst=out, src=t.reshape((2, 1)))")
v.expect("out", Data("uint8", [[1], [0]]))
v = rd.vector("rms_norm_options", "nl.rms_norm with dtype and compute_dtype; every step is exact", source=source("rms_norm"))
x, w = v.put("x", Data.of("float32", [[3, -3, 3, 3], [1, 1, -1, 1]])), v.put("w", Data.of("float32", [[1, 2, 4, 8], [2, 2, 2, 2]]))
v.step("out = nl.rms_norm(x, w, 1, 4, epsilon=0.0, dtype=nl.float16, compute_dtype=nl.float32)")
v.expect("out", Data.of("float16", [[1, -2, 4, 8], [2, 2, -2, 2]]))

# ---- memories and dtypes of new tensors

for name, call, value in (("zeros", "nl.zeros((3, 5), nl.bfloat16", 0.0), ("ones", "nl.ones((3, 5), nl.bfloat16", 1.0),
                          ("full", "nl.full((3, 5), 2.5, nl.bfloat16", 2.5)):
    for space, buffer in (("hbm", "shared_hbm"), ("psum", "psum")):
        v = tn.vector(f"{name}_{space}", f"nl.{name} in {space.upper()}", source=source(name))
        v.step(f"t = {call}, buffer=nl.{buffer})", f"assert t.buffer == nl.{buffer}",
               f"nisa.{'dma_copy' if space == 'hbm' else 'tensor_copy'}(dst=out, src=t)")
        v.expect("out", Data.of("bfloat16", np.full((3, 5), value)))
v = tn.vector("zeros_like_options", "nl.zeros_like with another dtype and memory", source=source("zeros_like"))
v.random("x", "bfloat16", (3, 5), floats=(-3, 3))
v.step("t = nl.zeros_like(x, dtype=nl.int16, buffer=nl.psum)", "assert t.buffer == nl.psum", "nisa.tensor_copy(dst=out, src=t)")
v.expect("out", Data("int16", np.zeros((3, 5), int)))
v = tn.vector("empty_like_options", "nl.empty_like with another dtype and memory", source=source("empty_like"))
x = v.put("x", Data.of("float32", [[1, -2, 3]]))
v.step("t = nl.empty_like(x, dtype=nl.int16, buffer=nl.psum)", "nisa.tensor_copy(dst=t, src=x)", "assert t.buffer == nl.psum", "nisa.tensor_copy(dst=out, src=t)")
v.expect("out", Data("int16", np.array([[1, 0xFFFE, 3]])))
v = tn.vector("rand_psum", "nl.rand in PSUM: numbers from 0 to below 1", source=source("rand"))
v.step("r = nl.rand((16, 8), nl.float32, buffer=nl.psum)", "assert r.buffer == nl.psum", "low = nl.greater_equal(r, 0.0)", "high = nl.less(r, 1.0)",
       "out = nl.logical_and(low, high)")
v.expect("out", Data.of("float32", np.ones((16, 8))))
v = tn.vector("identity_into", "nl.shared_identity_matrix into a tensor that is given", source=source("shared_identity_matrix"))
v.tile("out", "float32", (5, 5))
v.step("nl.shared_identity_matrix(5, dtype=nl.float32, dst=out)")
v.expect("out", Data.of("float32", np.eye(5)))
v = tn.vector("broadcast_to_dtype", "nl.broadcast_to with a dtype", source=source("broadcast_to"))
x = v.random("x", "float32", (4, 1), floats=(-3, 3))
v.step("out = nl.broadcast_to(x, (4, 5), dtype=nl.bfloat16)")
v.expect("out", result("bfloat16", np.broadcast_to(x.f32, (4, 5))))
v = tn.vector("transpose_dtype", "nl.transpose with a dtype", source=source("transpose"))
x = v.random("x", "float32", (6, 4), integers=(-99, 99))
v.step("out = nl.transpose(x, dtype=nl.bfloat16)")
v.expect("out", result("bfloat16", x.f32.T), space="psum")
v = tn.vector("load_transpose2d_dtype", "nl.load_transpose2d with a dtype", source=source("load_transpose2d"))
x = v.random("x", "float32", (6, 4), space="hbm", floats=(-3, 3))
v.step("out = nl.load_transpose2d(x, dtype=nl.bfloat16)")
v.expect("out", result("bfloat16", x.f32.T))
v = tn.vector("gather_flattened_options", "nl.gather_flattened with its axis written out and a dtype", source=source("gather_flattened"))
x, index = v.random("x", "float32", (4, 9), floats=(-3, 3)), v.random("index", "uint32", (4, 6), integers=(0, 8))
v.step("out = nl.gather_flattened(x, index, axis=0, dtype=nl.bfloat16)")
v.expect("out", result("bfloat16", np.take_along_axis(x.f32, index.words.astype(int), 1)))

# ---- tensors

v = vw.vector("attributes", "shape, dtype, ndim, size, strides, offset, buffer and name of a tensor and of a view")
x = v.random("x", "float32", (4, 6, 5), space="hbm", bits=True)
v.step("y = x[1:3, 2:6:2, :]", "assert y.shape == (2, 2, 5)", "assert y.ndim == 3", "assert y.size == 20", "assert y.dtype == nl.float32",
       "assert tuple(y.strides) == (30, 10, 1)", "assert y.offset == 40", "assert nl.is_hbm(y.buffer)", "assert len(y.name) > 0", "nisa.dma_copy(dst=out, src=y)")
v.expect("out", Data("float32", x.words[1:3, 2:6:2, :]))
v = vw.vector("questions", "is_contiguous, get_pattern and is_indirect")
x = v.random("x", "float32", (4, 6), space="hbm", bits=True)
v.put("i", Data("uint32", [[2]]))
v.step("assert x.is_contiguous()", "assert not x[:, 0:6:2].is_contiguous()", "assert [list(pair) for pair in x[:, 0:6:2].get_pattern()] == [[6, 4], [2, 3]]",
       "assert not x.is_indirect()", "row = x.ap(pattern=[[6, 1], [1, 6]], offset=0, scalar_offset=i, indirect_dim=0)", "assert row.is_indirect()",
       "nisa.dma_copy(dst=out, src=row)")
v.expect("out", Data("float32", x.words[2:3]))
v = tn.vector("sizes_of_generations", "tile_size: bytes of SBUF on each generation, and what they make in a partition", source="nki.language.tile_size")
v.document["targets"] = ["trn1"]
for target, size in (("trn1", 25165824), ("trn2", 29360128), ("trn3", 33554432)):
    v = v if target == "trn1" else tn.vector(f"sizes_of_{target}", f"tile_size on {target}", source="nki.language.tile_size", targets=[target])
    v.step(f"assert nl.tile_size.sbuf_size_bytes == {size}", "assert nl.tile_size.sbuf_fmax * 4 == nl.tile_size.sbuf_fmax_bytes",
           "assert nl.tile_size.sbuf_fmax_bytes == nl.tile_size.total_available_sbuf_size", f"assert 0 < nl.tile_size.sbuf_fmax_bytes * 128 < {size}",
           "assert nl.tile_size.psum_fmax == 512", "assert nl.tile_size.psum_min_align > 0 and nl.tile_size.sbuf_min_align > 0", "nisa.memset(dst=out, value=1)")
    v.expect("out", Data("uint8", [[1]]))

v = vw.vector("index_store", "an assignment to indices writes those elements", A, source="nki.language.NkiTensor.__setitem__: says nothing")
x, y = v.random("x", "float32", (4, 2), bits=True), v.random("out", "float32", (4, 6), bits=True)
v.step("out[:, 1:5:3] = x")
words = y.words.copy()
words[:, 1:5:3] = x.words
v.expect("out", Data("float32", words))

# ---- places in memory

PLACE = "{} = nl.ndarray({}, dtype=nl.{}, buffer=nl.{}, address=({}, {}))"
v = tn.vector("address_overlap", "two tiles at one address are the same bytes", source=source("ndarray"))
x = v.random("x", "uint32", (4, 6), bits=True)
v.step(PLACE.format("first", (4, 6), "uint32", "sbuf", 0, 4096), PLACE.format("bytes", (4, 24), "uint8", "sbuf", 0, 4096),
       "nisa.tensor_copy(dst=first, src=x)", "nisa.tensor_copy(dst=out, src=bytes)")
v.expect("out", Data("uint8", x.words.view(np.uint8)))
v = tn.vector("address_part", "a tile placed within another: a write to it changes those bytes and no others", source=source("ndarray"))
x, y = v.random("x", "float32", (64, 8), bits=True), v.random("y", "float32", (32, 2), bits=True)
v.step(PLACE.format("whole", (64, 8), "float32", "sbuf", 0, 4096), PLACE.format("part", (32, 2), "float32", "sbuf", 32, 4096 + 12),
       "nisa.tensor_copy(dst=whole, src=x)", "nisa.tensor_copy(dst=part, src=y)", "nisa.tensor_copy(dst=out, src=whole)")
words = x.words.copy()
words[32:, 3:5] = y.words
v.expect("out", Data("float32", words))
v = tn.vector("address_psum", "in PSUM: the second bank begins at byte 2048", source=source("ndarray"))
x = v.random("x", "float32", (4, 6), integers=(-9, 9))
v.step(PLACE.format("bank", (4, 6), "float32", "psum", 0, 2048), PLACE.format("again", (4, 3), "float32", "psum", 0, 2048),
       "nisa.tensor_copy(dst=bank, src=x)", "nisa.tensor_copy(dst=out, src=again)")
v.expect("out", Data("float32", x.words[:, :3]))
v = tn.vector("address_apart", "tiles at other addresses do not touch each other", source=source("ndarray"))
x, y = v.random("x", "float32", (4, 6), bits=True), v.random("y", "float32", (4, 6), bits=True)
v.step(PLACE.format("first", (4, 6), "float32", "sbuf", 0, 4096), PLACE.format("second", (4, 6), "float32", "sbuf", 0, 4096 + 24),
       "nisa.tensor_copy(dst=first, src=x)", "nisa.tensor_copy(dst=second, src=y)", "nisa.tensor_copy(dst=out, src=first)", "nisa.tensor_copy(dst=other, src=second)")
v.expect("out", x)
v.expect("other", y)

# ---- instructions

I = Instruction.every
v = I["dma_transpose"].vector("priority", "a priority changes no value", targets=TRN3)
x = v.random("x", "bfloat16", (32, 16), space="hbm", bits=True)
v.step("nisa.dma_transpose(dst=out, src=x, priority=1)")
v.expect("out", Data("bfloat16", x.words.T))
v = I["dma_compute"].vector("unique_indices", "unique_indices written out")
x, y = v.random("x", "float32", (4, 6), integers=(-9, 9)), v.random("y", "float32", (4, 6), integers=(-9, 9))
v.step("nisa.dma_compute(dst=out, srcs=[x, y], reduce_op=nl.add, scales=[1.0, 1.0], unique_indices=True)")
v.expect("out", result("float32", x.f32 + y.f32))
v = I["dma_copy"].vector("modes", "descriptor modes unknown and none, and errors out of bounds written out: no other value")
x = v.random("x", "float32", (4, 6), space="hbm", bits=True)
v.step("nisa.dma_copy(dst=out, src=x, dge_mode=nisa.dge_mode.none, oob_mode=nisa.oob_mode.error)",
       "nisa.dma_copy(dst=other, src=x, dge_mode=nisa.dge_mode.unknown, engine=nisa.engine.unknown)")
v.expect("out", x)
v.expect("other", x)
v = I["nc_matmul"].vector("perf_mode_none", "the normal mode, written out")
x, y = v.random("x", "bfloat16", (16, 6), integers=(-8, 8)), v.random("y", "bfloat16", (16, 5), integers=(-8, 8))
v.step("nisa.nc_matmul(dst=out, stationary=x, moving=y, perf_mode=nisa.matmul_perf_mode.none)")
v.expect("out", result("float32", x.f32.T @ y.f32), space="psum")
v = I["nc_matmul_mx"].vector("row_tile", "two products in row tiles of 64 rows, of tile positions (0, 0) and (64, 0)")
v.tile("x", "float8_e4m3fn_x4", (128, 2))["data"] = form.rows(np.full((128, 2), 0x38383838, np.uint32), "float8_e4m3fn_x4")
v.tile("y", "float8_e4m3fn_x4", (128, 3))["data"] = form.rows(np.full((128, 3), 0x40404040, np.uint32), "float8_e4m3fn_x4")
v.put("xs", Data("uint8", np.full((128, 2), 127)))
v.put("ys", Data("uint8", np.concatenate([np.full((64, 3), 127), np.full((64, 3), 128)])))
for out, low, high in (("out", 0, 64), ("other", 64, 128)):
    v.step(f"nisa.nc_matmul_mx(dst={out}, stationary=x[{low}:{high}, :], moving=y[{low}:{high}, :], stationary_scale=xs[{low}:{high}, :], "
           f"moving_scale=ys[{low}:{high}, :], tile_position=({low}, 0), tile_size=(64, 128))")
    v.expect(out, Data.of("float32", np.full((2, 3), 64 * 4 * 2.0 * (2 if low else 1))), space="psum")
v = I["select_reduce"].vector("reduce_op", "the reduction written out: the maximum")
x, p = v.random("x", "float32", (4, 6), integers=(-9, 9)), v.put("p", Data("uint8", np.ones((4, 6), int)))
v.step("nisa.select_reduce(dst=out, predicate=p, on_true=x, on_false=-5.0, reduce_res=res, reduce_cmd=nisa.reduce_cmd.reset_reduce, reduce_op=nl.maximum)")
v.expect("out", x)
v.expect("res", result("float32", x.f32.max(axis=1, keepdims=True)))
v = I["range_select"].vector("written_out", "reduce_op and on_false_value written out: the maximum, the least float32")
x = v.random("x", "float32", (4, 6), integers=(-9, 9))
low, high = v.put("low", Data.of("float32", [[1]] * 4)), v.put("high", Data.of("float32", [[4]] * 4))
v.step("nisa.range_select(dst=out, on_true_tile=x, comp_op0=nl.greater_equal, comp_op1=nl.less, bound0=low, bound1=high, range_start=0, on_false_value=-3.4028235e38, "
       "reduce_cmd=nisa.reduce_cmd.reset_reduce, reduce_res=res, reduce_op=nl.maximum)")
kept = x.f32.copy()
kept[:, [0, 4, 5]] = -3.4028235e38
v.expect("out", result("float32", kept))
v.expect("res", result("float32", kept.max(axis=1, keepdims=True)))
v = I["activation"].vector("idle", "reduce_cmd idle written out: the default")
x = v.put("x", Data.of("float32", [[1, -2, 3]]))
v.step("nisa.activation(dst=out, op=nl.relu, data=x, reduce_cmd=nisa.reduce_cmd.idle)")
v.expect("out", Data.of("float32", [[1, 0, 3]]))
v = I["core_barrier"].vector("engine", "the engine that waits may be named", cores=2)
x = v.random("x", "float32", (2, 16, 4), space="hbm", bits=True)
v.step("core = nl.program_id(0)", "buffer = nl.ndarray((2, 16, 4), dtype=nl.float32, buffer=nl.shared_hbm)", "mine = nl.ndarray((16, 4), dtype=nl.float32, buffer=nl.sbuf)",
       "nisa.dma_copy(dst=mine, src=x[core, :, :])", "nisa.dma_copy(dst=buffer[core, :, :], src=mine)",
       "nisa.core_barrier(data=buffer, cores=(0, 1), engine=nisa.engine.vector)", "nisa.dma_copy(dst=mine, src=buffer[1 - core, :, :])",
       "nisa.dma_copy(dst=out[core, :, :], src=mine)")
v.expect("out", Data("float32", x.words[::-1]), space="hbm")

# ---- priorities of collectives

for name, steps, expected in (
        ("all_gather", "ncc.all_gather([x], [out], group, 0, priority=0)", ranks.all_gather),
        ("reduce_scatter", "ncc.reduce_scatter([x], [out], group, 0, nl.add, priority=3)", lambda groups, xs: ranks.reduce_scatter(groups, xs, "add")),
        ("all_to_all", "ncc.all_to_all([x], [out], group, 0, priority=1)", ranks.all_to_all),
        ("collective_permute", "ncc.collective_permute([x], [out], [(0, 1), (1, 0)], priority=1)", ranks.ring_step),
        ("collective_permute_implicit", "ncc.collective_permute_implicit([[x]], [[out]], group, priority=2)", ranks.ring_step),
        ("collective_permute_implicit_reduce", "ncc.collective_permute_implicit_reduce([[x]], [[x]], [[out]], group, nl.maximum, priority=2)", ranks.ring_step)):
    v = I[name].vector("priority", "a priority changes no value", targets=TRN3, ranks=2)
    xs = v.random_ranks("x", "float32", (4, 6), integers=(-99, 99))
    v.step("group = ncc.ReplicaGroup([[0, 1]])", steps)
    v.expect("out", expected([[0, 1]], xs), space="hbm")
for name, four in (("all_gather_v", True), ("all_to_all_v", False)):
    n = 4 if four else 8
    v = I[name].vector("priority", "a priority changes no value", targets=TRN3, ranks=n, cores=2)
    xs = v.random_ranks("x", "float32", (1, 6), integers=(-99, 99))
    sent = [[r % 3] * n for r in range(n)]
    v.put("m", Data("uint32", np.zeros((3, n), int)), space="hbm")
    v.tiles["m"]["data"] = {"ranks": [form.rows(np.array([sent[r], [1] * n, [0] * n], np.uint32), "uint32") for r in range(n)]}
    v.step("zeros = nl.zeros((1, 16), nl.float32)", "out = nl.ndarray((1, 16), dtype=nl.float32, buffer=nl.shared_hbm)", "nisa.dma_copy(dst=out, src=zeros)",
           f"group = ncc.ReplicaGroup([{list(range(n))}])", f"ncc.{name}([x], [out], group, m, recv_counts_known=True, priority=1)")
    v.expect("out", ranks.pieces(sent, [[1] * n] * n, xs, 16), space="hbm")

# ---- choices that no other case shows

OWN = "docs/numerics.md gap "
v = I["tensor_reduce"].vector("abs_max", "the element of the largest magnitude, with its sign; of equal ones the later", A, source=OWN + "magnitude-reduction", targets=TRN3)
x = v.put("x", Data.of("float32", [[1, -3, 2, 3], [-5, 4, -1, 0]]))
v.step("nisa.tensor_reduce(dst=out, op=nl.abs_max, data=x, axis=1)")
v.expect("out", Data.of("float32", [[3], [-5]]))
v = I["tensor_reduce"].vector("abs_min", "the element of the smallest magnitude, with its sign; of equal ones the later", A, source=OWN + "magnitude-reduction", targets=TRN3)
x = v.put("x", Data.of("float32", [[1, -3, -1, 3], [-5, 4, -2, 7]]))
v.step("nisa.tensor_reduce(dst=out, op=nl.abs_min, data=x, axis=1)")
v.expect("out", Data.of("float32", [[-1], [-2]]))
v = I["tensor_tensor"].vector("mod", "mod as an operator: Python's %", A, source=OWN + "unlisted-operators")
x, y = v.put("x", Data.of("float32", [[7, -7, 7, -7, 5.5]])), v.put("y", Data.of("float32", [[3, 3, -3, -3, 2]]))
v.step("nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.mod)")
v.expect("out", Data.of("float32", [[1, 2, -2, -1, 1.5]]))
v = I["tensor_tensor"].vector("bypass", "bypass as an operator: the left operand", A, source=OWN + "unlisted-operators")
x, y = v.random("x", "float32", (2, 5), integers=(-9, 9)), v.random("y", "float32", (2, 5), integers=(-9, 9))
v.step("nisa.tensor_tensor(dst=out, data1=x, data2=y, op=nl.bypass)")
v.expect("out", x)
v = I["tensor_scalar"].vector("logical_not", "logical_not as an operator: 1 where an element is 0", A, source=OWN + "unlisted-operators")
x = v.put("x", Data.of("float32", [[0, 1, -2, 0.5, -0.0]]))
v.step("nisa.tensor_scalar(dst=out, data=x, op0=nl.logical_not, operand0=0.0)")
v.expect("out", Data.of("float32", [[1, 0, 0, 0, 1]]))
v = I["nc_matmul_mx"].vector("many_columns", "1024 columns of moving into float32", A, source=OWN + "mx-columns")
v.tile("x", "float8_e4m3fn_x4", (32, 2))["data"] = form.rows(np.full((32, 2), 0x38383838, np.uint32), "float8_e4m3fn_x4")
columns = np.where(np.arange(1024) < 700, 0x38383838, 0x40404040).astype(np.uint32)[None].repeat(32, axis=0)
v.tile("y", "float8_e4m3fn_x4", (32, 1024))["data"] = form.rows(columns, "float8_e4m3fn_x4")
v.put("xs", Data("uint8", np.full((32, 2), 127)))
v.put("ys", Data("uint8", np.full((32, 1024), 127)))
v.step("nisa.nc_matmul_mx(dst=out, stationary=x, moving=y, stationary_scale=xs, moving_scale=ys)")
v.expect("out", Data.of("float32", np.where(np.arange(1024) < 700, 128.0, 256.0)[None].repeat(2, axis=0)), space="psum")
for first, second, to in (("bfloat16", "float16", "float32"), ("int8", "float16", "float16"), ("int16", "int8", "int16"), ("bfloat16", "float32", "float32")):
    v = math_.vector(f"dtype_of_{first}_and_{second}", f"a result of {first} and {second} is {to}", A, source=OWN + "language-dtype")
    x, y = v.random("x", first, (2, 5), integers=(-20, 20)), v.random("y", second, (2, 5), integers=(-20, 20))
    v.step("out = nl.add(x, y)", f"assert out.dtype == nl.{to}")
    v.expect("out", result(to, x.f32 + y.f32))
v = tn.vector("rand_bits", "nl.rand is the top 24 bits of the next random word times 2^-24", A, source=OWN + "language-rand")
v.put("seed", Data("int32", [[77]]))
v.tile("words", "uint32", (8, 9))
v.step("nl.random_seed(seed)", "a = nl.rand((8, 9), nl.float32)", "nl.random_seed(seed)", "nisa.rng(dst=words, engine=nisa.engine.vector)",
       "b = nl.multiply(nl.copy(nl.right_shift(words, nl.full((8, 9), 8, nl.uint32)), dtype=nl.float32), 2.0**-24)", "out = nl.equal(a, b)")
v.expect("out", Data.of("float32", np.ones((8, 9))))
