"""dma_copy, dma_transpose, dma_compute: what the DMA engines move, convert, gather, scatter, and add."""

import numpy as np
from builder import ALL, SINCE_TRN2, TRN3, A, D, Instruction, M
from oracles.alu import alu
from oracles.formats import Data, convert, narrow

# ---- dma_copy

dc = Instruction("dma_copy")
for dtype, words in (("float32", [0x7FA00001, 0xFFC12345, 0x00000001]), ("bfloat16", [0x7F81, 0xFFC5, 1]), ("float16", [0x7C01, 0xFE05, 1]),
                     ("float8_e5m2", [0x7D, 0xFE, 1]), ("float8_e4m3", [0x79, 0xFF, 1]), ("float8_e4m3fn", [0x7F, 0xFF, 1]),
                     ("int32", [0x7FFFFFFF, 0x80000001, 0x01000001]), ("uint8", [255, 128, 1])):
    v = dc.vector(f"bits_{dtype}", f"equal dtypes: raw bits of {dtype}, HBM to SBUF to HBM", targets=TRN3 if dtype == "float8_e4m3fn" else ALL)
    x = v.put("x", Data(dtype, [words]), space="hbm")
    v.tile("t", dtype, (1, 3))
    v.step("nisa.dma_copy(dst=t, src=x)", "nisa.dma_copy(dst=out, src=t)")
    v.expect("out", x, space="hbm")
for source, to in (("float32", "bfloat16"), ("bfloat16", "float32"), ("int32", "float32"), ("float32", "int16"), ("float16", "float8_e4m3"),
                   ("int32", "uint8"), ("uint32", "int32")):
    v = dc.vector(f"{source}_to_{to}", f"different dtypes: {source} to float32 to {to}")
    x = v.random("x", source, (2, 12), space="hbm", **({"floats": (-2, 4)} if "float" in source else {"bits": True}))
    v.step("nisa.dma_copy(dst=out, src=x)")
    v.expect("out", Data(to, convert(x.words, source, to)))
v = dc.vector("hbm_to_hbm", "both sides in HBM, bytes of one row stepped over")
x, y = v.random("x", "uint8", (5, 8), space="hbm", bits=True), v.random("out", "uint8", (5, 4), space="hbm", bits=True)
v.step("nisa.dma_copy(dst=out[1:5, :], src=x[0:4, 0:8:2])")
expected = y.words.copy()
expected[1:5] = x.words[0:4, ::2]
v.expect("out", Data("uint8", expected), space="hbm")
v = dc.vector("sbuf_to_sbuf", "between partitions of SBUF")
x, y = v.random("x", "float32", (40, 3), bits=True), v.random("out", "float32", (40, 3), bits=True)
v.step("nisa.dma_copy(dst=out[3:13, :], src=x[30:40, :])")
expected = y.words.copy()
expected[3:13] = x.words[30:40]
v.expect("out", Data("float32", expected))
v = dc.vector("other_shape", "shapes may differ: both views are walked row-major", A, source="docs/numerics.md; nki.isa.dma_copy: only counts must agree")
x = v.random("x", "int16", (6, 4), space="hbm", bits=True)
v.step("nisa.dma_copy(dst=out, src=x)")
v.expect("out", Data("int16", x.words.reshape(3, 8)))
v = dc.vector("transposed_view", "an access pattern that turns rows and columns of a tensor in HBM")
x = v.random("x", "float32", (6, 4), space="hbm", bits=True)
v.step("nisa.dma_copy(dst=out, src=x.ap(pattern=[[1, 4], [4, 6]]))")
v.expect("out", Data("float32", x.words.T))
v = dc.vector("repeated_row", "an access pattern of step 0 brings one row to all partitions")
x = v.random("x", "bfloat16", (3, 5), space="hbm", bits=True)
v.step("nisa.dma_copy(dst=out, src=x.ap(pattern=[[0, 7], [1, 5]], offset=5))")
v.expect("out", Data("bfloat16", np.repeat(x.words[1:2], 7, axis=0)))
v = dc.vector("reinterpreted", "an access pattern may name another dtype: int32 read as pairs of bfloat16")
x = v.random("x", "int32", (3, 4), space="hbm", bits=True)
v.step("nisa.dma_copy(dst=out, src=x.ap(pattern=[[8, 3], [1, 8]], dtype=nl.bfloat16))")
v.expect("out", Data("bfloat16", x.words.view(np.uint16)))

for dtype in ("uint32", "int32"):
    v = dc.vector(f"gather_{dtype}", f"vector_offset: partition w gets the row that the {dtype} index[w] names")
    x = v.random("x", "float32", (20, 6), space="hbm", bits=True)
    index = v.put("index", Data(dtype, [[7], [0], [19], [7], [3]]))
    v.step("nisa.dma_copy(dst=out, src=x.ap(pattern=[[6, 5], [1, 6]], vector_offset=index, indirect_dim=0))")
    v.expect("out", Data("float32", x.words[index.words[:, 0]]))
v = dc.vector("vector_select", "vector_select says the same without a pattern")
x = v.random("x", "bfloat16", (20, 6), space="hbm", bits=True)
index = v.put("index", Data("int32", [[7], [0], [19]]))
v.step("nisa.dma_copy(dst=out, src=x.vector_select(0, index))")
v.expect("out", Data("bfloat16", x.words[index.words[:, 0]]))
v = dc.vector("gather_columns", "a gathered row may begin at an offset and be shorter than the tensor's")
x = v.random("x", "float32", (9, 8), space="hbm", bits=True)
index = v.put("index", Data("uint32", [[8], [2], [5]]))
v.step("nisa.dma_copy(dst=out, src=x.ap(pattern=[[8, 3], [1, 4]], offset=2, vector_offset=index, indirect_dim=0))")
v.expect("out", Data("float32", x.words[index.words[:, 0], 2:6]))
v = dc.vector("scatter", "vector_offset on dst: row w goes to the row that index[w] names")
x, y = v.random("x", "float32", (4, 6), bits=True), v.random("out", "float32", (9, 6), space="hbm", bits=True)
index = v.put("index", Data("uint32", [[7], [0], [8], [3]]))
v.step("nisa.dma_copy(dst=out.ap(pattern=[[6, 4], [1, 6]], vector_offset=index, indirect_dim=0), src=x)")
expected = y.words.copy()
expected[index.words[:, 0]] = x.words
v.expect("out", Data("float32", expected), space="hbm")
v = dc.vector("scatter_twice", "a scatter that names one row twice", A, source="docs/numerics.md; nki.isa.dma_copy does not order its writes",
              unspecified="scatter-order")
x, y = v.random("x", "float32", (3, 2), bits=True), v.random("out", "float32", (5, 2), space="hbm", bits=True)
v.put("index", Data("uint32", [[1], [4], [1]]))
v.step("nisa.dma_copy(dst=out.ap(pattern=[[2, 3], [1, 2]], vector_offset=index, indirect_dim=0), src=x)")
expected = y.words.copy()
expected[1], expected[4] = x.words[2], x.words[1]
v.expect("out", Data("float32", expected), space="hbm")
v = dc.vector("gather_skip", "oob_mode.skip: rows whose index is out of bounds are not moved, others are; integer bits stay as they are", M,
              source="nki.isa.dma_copy; NKI release notes: dma_copy that skips keeps integer bits")
x, y = v.random("x", "int32", (5, 4), space="hbm", bits=True), v.random("out", "int32", (4, 4), bits=True)
v.put("index", Data("uint32", [[4], [5], [0], [4000000000]]))
v.step("nisa.dma_copy(dst=out, src=x.ap(pattern=[[4, 4], [1, 4]], vector_offset=index, indirect_dim=0), oob_mode=nisa.oob_mode.skip)")
v.expect("out", Data("int32", np.stack([x.words[4], y.words[1], x.words[0], y.words[3]])))
v = dc.vector("scatter_skip", "oob_mode.skip of a scatter: those rows are not written")
x, y = v.random("x", "float32", (3, 4), bits=True), v.random("out", "float32", (5, 4), space="hbm", bits=True)
v.put("index", Data("uint32", [[9], [2], [5]]))
v.step("nisa.dma_copy(dst=out.ap(pattern=[[4, 3], [1, 4]], vector_offset=index, indirect_dim=0), src=x, oob_mode=nisa.oob_mode.skip)")
expected = y.words.copy()
expected[2] = x.words[1]
v.expect("out", Data("float32", expected), space="hbm")
v = dc.vector("negative_index", "a negative int32 index is out of bounds", A, source="docs/numerics.md; nki.isa.dma_copy: whether indices have a sign is not stated")
x, y = v.random("x", "float32", (5, 4), space="hbm", bits=True), v.random("out", "float32", (2, 4), bits=True)
v.put("index", Data("int32", [[0xFFFFFFFF], [1]]))
v.step("nisa.dma_copy(dst=out, src=x.ap(pattern=[[4, 2], [1, 4]], vector_offset=index, indirect_dim=0), oob_mode=nisa.oob_mode.skip)")
v.expect("out", Data("float32", np.stack([y.words[0], x.words[1]])))
for side in ("gather", "scatter"):
    v = dc.vector(f"{side}_error", f"oob_mode.error, the default: a {side} index out of bounds is a run-time error")
    x, y = v.random("x", "float32", (5, 4), space="hbm", bits=True), v.random("y", "float32", (2, 4), bits=True)
    v.put("index", Data("uint32", [[1], [5]]))
    view = "x.ap(pattern=[[4, 2], [1, 4]], vector_offset=index, indirect_dim=0)"
    v.step(f"nisa.dma_copy(dst=y, src={view})" if side == "gather" else f"nisa.dma_copy(dst={view}, src=y)")
    v.refused("E0605", "index 5 of a tensor of 5 rows")
v = dc.vector("scalar_offset", "scalar_offset: the start moves by index * (elements behind indirect_dim of the tensor)")
x = v.random("x", "float32", (12, 6), space="hbm", bits=True)
v.put("index", Data("int32", [[7]]))
v.step("nisa.dma_copy(dst=out, src=x.ap(pattern=[[6, 4], [1, 5]], offset=1, scalar_offset=index, indirect_dim=0))")
v.expect("out", Data("float32", x.words[7:11, 1:6]))
v = dc.vector("scalar_offset_register", "the offset in a register, on dst and on the second dimension")
x, y = v.random("x", "float32", (3, 2), bits=True), v.random("out", "float32", (3, 8), space="hbm", bits=True)
v.step("r = nisa.register_alloc(5)", "nisa.dma_copy(dst=out.ap(pattern=[[8, 3], [1, 2]], scalar_offset=r, indirect_dim=1), src=x)")
expected = y.words.copy()
expected[:, 5:7] = x.words
v.expect("out", Data("float32", expected), space="hbm")
v = dc.vector("select", "select(dim, index) says the same without a pattern")
x = v.random("x", "float32", (4, 3, 5), space="hbm", bits=True)
v.put("index", Data("int32", [[2]]))
v.step("nisa.dma_copy(dst=out, src=x.select(0, index))")
v.expect("out", Data("float32", x.words[2]))
v = dc.vector("scalar_offset_skip", "oob_mode.skip: the whole transfer is left out")
x, y = v.random("x", "float32", (4, 6), space="hbm", bits=True), v.random("out", "float32", (2, 6), bits=True)
v.put("index", Data("int32", [[9]]))
v.step("nisa.dma_copy(dst=out, src=x.ap(pattern=[[6, 2], [1, 6]], scalar_offset=index, indirect_dim=0), oob_mode=nisa.oob_mode.skip)")
v.expect("out", y)
v = dc.vector("priority", "priority and the descriptor modes change no bit", targets=TRN3)
x = v.random("x", "float32", (3, 4), space="hbm", bits=True)
v.tile("t", "float32", (3, 4))
v.step("nisa.dma_copy(dst=t, src=x, priority=2, dge_mode=nisa.dge_mode.hwdge, engine=nisa.engine.sync)",
       "nisa.dma_copy(dst=out, src=t, dge_mode=nisa.dge_mode.swdge)")
v.expect("out", x)

# ---- dma_transpose

dt = Instruction("dma_transpose")
for dtype in ("bfloat16", "float16", "float32", "uint16"):
    v = dt.vector(f"two_{dtype}", f"2 dimensions: dst[j, i] = src[i, j], bits of {dtype}")
    x = v.random("x", dtype, (32, 24), space="hbm", bits=True)
    v.step("nisa.dma_transpose(dst=out, src=x)")
    v.expect("out", Data(dtype, x.words.T))
v = dt.vector("three", "3 dimensions: dst[k, j, i] = src[i, j, k]; from SBUF")
x = v.random("x", "bfloat16", (4, 8, 6), bits=True)
v.step("nisa.dma_transpose(dst=out, src=x, axes=(2, 1, 0))")
v.expect("out", Data("bfloat16", x.words.transpose(2, 1, 0)))
v = dt.vector("four", "4 dimensions: dst[l, j, k, i] = src[i, j, k, l]")
x = v.random("x", "bfloat16", (4, 2, 3, 5), space="hbm", bits=True)
v.step("nisa.dma_transpose(dst=out, src=x, axes=(3, 1, 2, 0))")
v.expect("out", Data("bfloat16", x.words.transpose(3, 1, 2, 0)))
v = dt.vector("hwdge", "by the descriptor engine: 16 rows of a 2-byte dtype", targets=SINCE_TRN2)
x = v.random("x", "bfloat16", (16, 20), space="hbm", bits=True)
v.step("nisa.dma_transpose(dst=out, src=x, dge_mode=nisa.dge_mode.hwdge)")
v.expect("out", Data("bfloat16", x.words.T))
v = dt.vector("indirect", "gathered rows, transposed: 16 indices of one column", targets=SINCE_TRN2)
x = v.random("x", "bfloat16", (40, 12), space="hbm", bits=True)
index = v.random("index", "uint32", (16, 1), integers=(0, 39))
v.step("nisa.dma_transpose(dst=out, src=x.ap(pattern=[[12, 16], [1, 12]], vector_offset=index, indirect_dim=0), axes=(1, 0))")
v.expect("out", Data("bfloat16", x.words[index.words[:, 0]].T))
v = dt.vector("indirect_columns", "indices in several columns count column by column: flat = indices.T.flatten()", targets=SINCE_TRN2)
x = v.random("x", "bfloat16", (50, 6), space="hbm", bits=True)
index = v.random("index", "uint32", (128, 2), integers=(0, 49))
v.step("nisa.dma_transpose(dst=out, src=x.ap(pattern=[[6, 256], [1, 6]], vector_offset=index, indirect_dim=0), axes=(1, 0))")
v.expect("out", Data("bfloat16", x.words[index.words.T.reshape(-1)].T))
v = dt.vector("indirect_four", "4 dimensions, gathered over the first", targets=SINCE_TRN2)
x = v.random("x", "bfloat16", (20, 1, 2, 6), space="hbm", bits=True)
index = v.random("index", "uint32", (16, 1), integers=(0, 19))
v.step("nisa.dma_transpose(dst=out, src=x.ap(pattern=[[12, 16], [12, 1], [6, 2], [1, 6]], vector_offset=index, indirect_dim=0), axes=(3, 1, 2, 0))")
v.expect("out", Data("bfloat16", x.words[index.words[:, 0]].transpose(3, 1, 2, 0)))
v = dt.vector("indirect_skip", "oob_mode.skip: what an index out of bounds would bring is left as it was", targets=SINCE_TRN2)
x, y = v.random("x", "bfloat16", (20, 6), space="hbm", bits=True), v.random("out", "bfloat16", (6, 16), bits=True)
index = Data("uint32", [[(i * 3) % 20] if i != 5 else [20] for i in range(16)])
v.put("index", index)
v.step("nisa.dma_transpose(dst=out, src=x.ap(pattern=[[6, 16], [1, 6]], vector_offset=index, indirect_dim=0), axes=(1, 0), "
       "oob_mode=nisa.oob_mode.skip)")
expected = y.words.copy()
for i, row in enumerate(index.words[:, 0]):
    if row < 20:
        expected[:, i] = x.words[row]
v.expect("out", Data("bfloat16", expected))

# ---- dma_compute

dm = Instruction("dma_compute")


def summed(sources, dtype):
    total = sources[0].f32
    for s in sources[1:]:
        total = alu("add", total, s.f32)
    return Data(dtype, narrow(total, dtype))


v = dm.vector("two", "the sum of two tensors in float32, converted to dst")
x, y = v.random("x", "bfloat16", (3, 8), space="hbm", floats=(-3, 3)), v.random("y", "float32", (3, 8), floats=(-3, 3))
v.step("nisa.dma_compute(dst=out, srcs=[x, y], reduce_op=nl.add)")
v.expect("out", summed([x, y], "float16"))
v = dm.vector("scales", "scales of 1.0 change nothing")
x, y = v.random("x", "float32", (3, 8), floats=(-3, 3)), v.random("y", "float32", (3, 8), floats=(-3, 3))
v.step("nisa.dma_compute(dst=out, srcs=[x, y], reduce_op=nl.add, scales=[1.0, 1.0])")
v.expect("out", summed([x, y], "float32"), space="hbm")
v = dm.vector("sixteen", "16 sources: small whole numbers, exact in any order")
sources = [v.random(f"x{i}", "bfloat16", (2, 6), integers=(-40, 40)) for i in range(16)]
v.step("nisa.dma_compute(dst=out, srcs=[" + ", ".join(f"x{i}" for i in range(16)) + "], reduce_op=nl.add)")
v.expect("out", summed(sources, "float32"))
v = dm.vector("order", "sources are added in the order of their list, one rounding each", A,
              source="docs/numerics.md 5; nki.isa.dma_compute does not order them")
sources = [v.random(f"x{i}", "float32", (2, 12), floats=(-8, 8)) for i in range(4)]
v.step("nisa.dma_compute(dst=out, srcs=[x0, x1, x2, x3], reduce_op=nl.add)")
v.expect("out", summed(sources, "float32"))
v = dm.vector("single", "one source", A, source="docs/numerics.md; the reference and the migration guide differ", unspecified="dma-compute-single")
x = v.random("x", "float32", (2, 4), floats=(-8, 8))
v.step("nisa.dma_compute(dst=out, srcs=[x], reduce_op=nl.add)")
v.expect("out", x)
v = dm.vector("scatter_add", "dst[index] = dst[index] + src, dst in HBM")
x, y = v.random("x", "float32", (4, 6), floats=(-3, 3)), v.random("out", "float32", (9, 6), space="hbm", floats=(-3, 3))
index = v.put("index", Data("uint32", [[7], [0], [8], [3]]))
view = "out.ap(pattern=[[6, 4], [1, 6]], vector_offset=index, indirect_dim=0)"
v.step(f"nisa.dma_compute(dst={view}, srcs=[x, {view}], reduce_op=nl.add)")
expected = y.f32.copy()
expected[index.words[:, 0]] = alu("add", x.f32, expected[index.words[:, 0]])
v.expect("out", Data("float32", narrow(expected, "float32")), space="hbm")
v = dm.vector("gather_add", "dst = dst + src[index], src in HBM")
x, y = v.random("x", "float32", (9, 6), space="hbm", floats=(-3, 3)), v.random("out", "float32", (4, 6), floats=(-3, 3))
index = v.put("index", Data("uint32", [[7], [0], [7], [3]]))
v.step("nisa.dma_compute(dst=out, srcs=[x.ap(pattern=[[6, 4], [1, 6]], vector_offset=index, indirect_dim=0), out], reduce_op=nl.add)")
v.expect("out", Data("float32", narrow(alu("add", x.f32[index.words[:, 0]], y.f32), "float32")))
v = dm.vector("gather_add_skip", "oob_mode.skip: rows whose index is out of bounds keep dst")
x, y = v.random("x", "float32", (5, 4), space="hbm", floats=(-3, 3)), v.random("out", "float32", (3, 4), floats=(-3, 3))
v.put("index", Data("uint32", [[4], [5], [0]]))
v.step("nisa.dma_compute(dst=out, srcs=[x.ap(pattern=[[4, 3], [1, 4]], vector_offset=index, indirect_dim=0), out], reduce_op=nl.add, "
       "oob_mode=nisa.oob_mode.skip)")
expected = alu("add", x.f32[[4, 0, 0]], y.f32)
expected[1] = y.f32[1]
v.expect("out", Data("float32", narrow(expected, "float32")))
v = dm.vector("repeated_index", "a scatter that adds to one row twice", A, source="nki.isa.dma_compute: indices that repeat are not supported",
              unspecified="scatter-unique")
x, y = v.random("x", "float32", (2, 3), floats=(-3, 3)), v.random("out", "float32", (4, 3), space="hbm", floats=(-3, 3))
v.put("index", Data("uint32", [[2], [2]]))
view = "out.ap(pattern=[[3, 2], [1, 3]], vector_offset=index, indirect_dim=0)"
v.step(f"nisa.dma_compute(dst={view}, srcs=[x, {view}], reduce_op=nl.add)")
expected = y.f32.copy()
expected[2] = alu("add", x.f32[1], y.f32[2])
v.expect("out", Data("float32", narrow(expected, "float32")), space="hbm")
v = dt.vector("two_uint8", "elements of one byte, without hardware descriptors", A, source="docs/numerics.md: stated for hardware descriptors only")
x = v.random("x", "uint8", (20, 9), space="hbm", bits=True)
v.step("nisa.dma_transpose(dst=out, src=x)")
v.expect("out", Data("uint8", x.words.T))
v = dt.vector("to_hbm", "a dst in HBM", A, source="nki.isa.dma_transpose against the migration guide", unspecified="dma-transpose-dst")
x = v.random("x", "bfloat16", (20, 9), space="hbm", bits=True)
v.step("nisa.dma_transpose(dst=out, src=x)")
v.expect("out", Data("bfloat16", x.words.T), space="hbm")
