"""Copies, constants, patterns, transposes, shuffles and gathers on chip."""

import math

import numpy as np
from builder import ALL, SINCE_TRN2, TRN3, A, D, Instruction
from oracles.alu import alu
from oracles.formats import Data, convert, narrow, wrapped

NAN, INF = math.nan, math.inf
PAYLOADS = {"float32": [0x7FA00001, 0xFFC12345, 0x7F800000, 0x80000000, 0x00000001, 0xFF800001],
            "bfloat16": [0x7F81, 0xFFC5, 0x7F80, 0x8000, 0x0001, 0xFF81], "float16": [0x7C01, 0xFE05, 0x7C00, 0x8000, 0x0001, 0xFC01],
            "float8_e5m2": [0x7D, 0xFE, 0x7C, 0x80, 0x01, 0xFF], "float8_e4m3": [0x79, 0xFF, 0x78, 0x80, 0x01, 0xF9],
            "int32": [0x7FFFFFFF, 0x80000000, 0x01000001, 0xFFFFFFFF, 0, 0xFEFFFFFF], "uint16": [0xFFFF, 0x8000, 0, 1, 0x7C01, 0x1234]}

# ---- tensor_copy

tc = Instruction("tensor_copy")
for dtype, words in PAYLOADS.items():
    v = tc.vector(f"bits_{dtype}", f"equal dtypes: the bits of {dtype} are copied, also those of NaNs and subnormals")
    x = v.put("x", Data(dtype, [words, words[::-1]]))
    v.step("nisa.tensor_copy(dst=out, src=x, engine=nisa.engine.vector)")
    v.expect("out", x)
for engine, targets in (("gpsimd", ALL), ("scalar", SINCE_TRN2), ("unknown", ALL)):
    v = tc.vector(f"bits_{engine}", f"int32 bits are copied by {engine if engine != 'unknown' else 'whatever engine is chosen'}", targets=targets)
    x = v.put("x", Data("int32", [PAYLOADS["int32"]]))
    v.step(f"nisa.tensor_copy(dst=out, src=x, engine=nisa.engine.{engine})")
    v.expect("out", x)
for source, to in (("float32", "bfloat16"), ("bfloat16", "float32"), ("int32", "float32"), ("float32", "int8"), ("int16", "uint8"),
                   ("uint32", "int32"), ("float16", "bfloat16"), ("uint8", "float8_e5m2")):
    v = tc.vector(f"{source}_to_{to}", f"different dtypes: {source} through float32 to {to}")
    if source.startswith("float") or source.startswith("bfloat"):
        x = v.random("x", source, (2, 12), floats=(-2, 4))
    else:
        x = v.random("x", source, (2, 12), bits=True)
    v.step("nisa.tensor_copy(dst=out, src=x)")
    v.expect("out", Data(to, convert(x.words, source, to)))
v = tc.vector("psum", "from PSUM to PSUM, a strided view of each")
x = v.random("x", "float32", (5, 16), space="psum", bits=True)
y = v.put("out", Data("float32", np.zeros((5, 8))), space="psum")
v.step("nisa.tensor_copy(dst=out[:, 0:8:2], src=x[:, 3:16:4], engine=nisa.engine.vector)")
expected = np.zeros((5, 8), np.uint32)
expected[:, ::2] = x.words[:, 3::4]
v.expect("out", Data("float32", expected), space="psum")
v = tc.vector("quadrants", "32 partitions move from one quadrant to another; the rest of dst stays")
x, y = v.random("x", "float16", (64, 3), bits=True), v.random("out", "float16", (96, 3), bits=True)
v.step("nisa.tensor_copy(dst=out[64:96, :], src=x[32:64, :])")
expected = y.words.copy()
expected[64:96] = x.words[32:64]
v.expect("out", Data("float16", expected))
v = tc.vector("dynamic_column", "a column chosen at run time by a register: select on a free dimension")
x = v.random("x", "int32", (3, 4, 5), bits=True)
v.put("index", Data("int32", [[2]]))
v.step("nisa.tensor_copy(dst=out, src=x.select(1, index))")
v.expect("out", Data("int32", x.words[:, 2]))

# ---- memset

ms = Instruction("memset")
for dtype, value in (("float32", "0.1"), ("bfloat16", "0.1"), ("float16", "-3.14159"), ("float8_e5m2", "0.3"), ("float8_e4m3", "1.1"),
                     ("int8", "-5"), ("uint8", "200"), ("int16", "-30000"), ("uint16", "60000"), ("int32", "-123456789"),
                     ("uint32", "4000000000")):
    v = ms.vector(dtype, f"every element is {value}, as {dtype}")
    v.tile("out", dtype, (3, 5))
    v.step(f"nisa.memset(dst=out, value={value})")
    integer = "int" in dtype
    v.expect("out", Data(dtype, wrapped(np.full((3, 5), int(value)), dtype) if integer
                         else narrow(np.full((3, 5), float(value), np.float32), dtype)))
for dtype in ("float8_e5m2_x4", "float8_e4m3fn_x4", "float4_e2m1fn_x4"):
    v = ms.vector(f"zero_{dtype}", f"the packed dtype {dtype} can be set to zero", targets=TRN3)
    v.step("nisa.memset(dst=out, value=0)")
    v.expect("out", np.zeros((32, 4), np.uint16 if dtype.startswith("float4") else np.uint32), dtype=dtype)
v = ms.vector("part", "only the elements of the view are set; gpsimd")
x = v.random("out", "float32", (64, 6), bits=True)
v.step("nisa.memset(dst=out[32:64, 1:6:2], value=2.5, engine=nisa.engine.gpsimd)")
expected = x.words.copy()
expected[32:64, 1::2] = 0x40200000
v.expect("out", Data("float32", expected))
v = ms.vector("psum", "memset of PSUM by the vector engine", A, source="docs/numerics.md; nki.isa.memset does not name its memories")
v.step("nisa.memset(dst=out, value=1.5, engine=nisa.engine.vector)")
v.expect("out", Data.of("float32", np.full((4, 5), 1.5)), space="psum")

# ---- tensor_copy_predicated

cp = Instruction("tensor_copy_predicated")
for dtype in ("uint8", "uint16", "uint32"):
    v = cp.vector(f"predicate_{dtype}", f"dst becomes src where the {dtype} predicate is not zero, and stays elsewhere")
    p, x, y = v.random("p", dtype, (3, 12), integers=(0, 2)), v.random("x", "float32", (3, 12), bits=True), v.random(
        "out", "float32", (3, 12), bits=True)
    v.step("nisa.tensor_copy_predicated(dst=out, src=x, predicate=p)")
    v.expect("out", Data("float32", np.where(p.words != 0, x.words, y.words)))
v = cp.vector("reverse_pred", "reverse_pred: where the predicate is zero; the bits of int16 are copied")
p, x, y = v.random("p", "uint8", (3, 12), integers=(0, 1)), v.random("x", "int16", (3, 12), bits=True), v.random(
    "out", "int16", (3, 12), bits=True)
v.step("nisa.tensor_copy_predicated(dst=out, src=x, predicate=p, reverse_pred=True)")
v.expect("out", Data("int16", np.where(p.words == 0, x.words, y.words)))
v = cp.vector("high_bit", "a predicate is judged by all its bits: 0x8000 and 0x00010000 are true")
p, x, y = v.put("p", Data("uint32", [[0x80000000, 0x10000, 0, 1]])), v.put("x", Data("float32", [[1, 2, 3, 4]])), v.put(
    "out", Data("float32", [[5, 6, 7, 8]]))
v.step("nisa.tensor_copy_predicated(dst=out, src=x, predicate=p)")
v.expect("out", Data("float32", [[1, 2, 7, 4]]))
v = cp.vector("number", "src may be a number")
p, y = v.random("p", "uint8", (3, 12), integers=(0, 1)), v.random("out", "float32", (3, 12), bits=True)
v.step("nisa.tensor_copy_predicated(dst=out, src=-7.25, predicate=p)")
v.expect("out", Data("float32", np.where(p.words != 0, np.uint32(0xC0E80000), y.words)))
v = cp.vector("number_bfloat16", "a number is rounded to the dtype of dst", A, source="docs/numerics.md 2: how a number becomes dst's is not stated")
p, y = v.random("p", "uint8", (3, 12), integers=(0, 1)), v.random("out", "bfloat16", (3, 12), bits=True)
v.step("nisa.tensor_copy_predicated(dst=out, src=0.1, predicate=p)")
v.expect("out", Data("bfloat16", np.where(p.words != 0, np.uint16(0x3DCD), y.words)))
v = cp.vector("psum", "src in PSUM, predicate in SBUF")
p, x, y = v.random("p", "uint8", (3, 12), integers=(0, 1)), v.random("x", "float32", (3, 12), space="psum", bits=True), v.random(
    "out", "float32", (3, 12), bits=True)
v.step("nisa.tensor_copy_predicated(dst=out, src=x, predicate=p)")
v.expect("out", Data("float32", np.where(p.words != 0, x.words, y.words)))

# ---- iota, affine_select


def pattern_values(partitions, pattern, offset, multiplier):
    values = np.full((1,), offset, object)
    for step, count in pattern:
        values = (values[:, None] + np.arange(count, dtype=object) * step).reshape(-1)
    return np.arange(partitions, dtype=object)[:, None] * multiplier + values[None, :]


io = Instruction("iota")
for name, dtype, partitions, pattern, offset, multiplier in (
        ("one_dimension", "int32", 4, [[1, 10]], 0, 0), ("channels", "int32", 128, [[0, 1]], 5, 3),
        ("two_dimensions", "int32", 3, [[10, 4], [1, 3]], 100, 1000), ("four_dimensions", "int32", 2, [[1000, 2], [100, 3], [10, 2], [1, 4]], -7, 5000),
        ("negative", "int32", 5, [[-2, 6]], 1, -10), ("uint16", "uint16", 3, [[7, 8]], 1, 100), ("uint32", "uint32", 3, [[2, 8]], 0, 1 << 24)):
    v = io.vector(name, f"offset {offset}, {multiplier} a partition, pattern {pattern}, as {dtype}")
    v.step(f"nisa.iota(dst=out, pattern={pattern}, offset={offset}, channel_multiplier={multiplier})")
    v.expect("out", Data(dtype, wrapped(pattern_values(partitions, pattern, offset, multiplier), dtype)))
for dtype in ("float32", "bfloat16", "float16", "uint8"):
    v = io.vector(f"to_{dtype}", f"the whole numbers are converted to {dtype}")
    v.step("nisa.iota(dst=out, pattern=[[3, 12]], offset=4, channel_multiplier=70)")
    values = pattern_values(3, [[3, 12]], 4, 70)
    v.expect("out", Data(dtype, narrow(values.astype(np.float32), dtype)))
v = io.vector("exact_int32", "int32 values beyond 2^24 are exact", A, source="docs/numerics.md 9")
v.step("nisa.iota(dst=out, pattern=[[1, 4]], offset=16777215, channel_multiplier=16777213)")
v.expect("out", Data("int32", wrapped(pattern_values(3, [[1, 4]], 16777215, 16777213), "int32")))
v = io.vector("wraps", "the sums wrap at 32 bits", A, source="docs/numerics.md 9", unspecified="pattern-overflow")
v.step("nisa.iota(dst=out, pattern=[[1, 4]], offset=2147483646, channel_multiplier=1073741824)")
v.expect("out", Data("int32", wrapped(pattern_values(4, [[1, 4]], 2147483646, 1073741824), "int32")))
v = io.vector("to_float32_large", "beyond 2^24 a float32 dst gets the nearest number", A, source="docs/numerics.md 9")
v.step("nisa.iota(dst=out, pattern=[[1, 8]], offset=16777213, channel_multiplier=33554431)")
values = pattern_values(2, [[1, 8]], 16777213, 33554431)
v.expect("out", Data("float32", narrow(values.astype(np.int64).astype(np.float32), "float32")))
v = io.vector("inside_a_tile", "the partition counts from the start of dst, not of its tile", A, source="docs/numerics.md 9")
x = v.random("out", "int32", (64, 6), bits=True)
v.step("nisa.iota(dst=out[32:40, 2:5], pattern=[[1, 3]], offset=0, channel_multiplier=10)")
expected = x.words.copy()
expected[32:40, 2:5] = wrapped(pattern_values(8, [[1, 3]], 0, 10), "int32")
v.expect("out", Data("int32", expected))

af = Instruction("affine_select")
HOLDS = {"equal": lambda n: n == 0, "not_equal": lambda n: n != 0, "greater": lambda n: n > 0, "greater_equal": lambda n: n >= 0,
         "less": lambda n: n < 0, "less_equal": lambda n: n <= 0}
for op, holds in HOLDS.items():
    v = af.vector(op, f"on_true_tile where the value {op} 0, here p - i", D if op in ("equal", "greater_equal", "greater", "not_equal") else A,
                  source="nki.isa.affine_select" if op in ("equal", "greater_equal", "greater", "not_equal")
                  else "nki.isa.affine_select does not list the comparisons")
    x = v.random("x", "float32", (6, 9), floats=(-3, 3))
    v.step(f"nisa.affine_select(dst=out, pattern=[[-1, 9]], channel_multiplier=1, on_true_tile=x, on_false_value=-9984.0, cmp_op=nl.{op})")
    values = pattern_values(6, [[-1, 9]], 0, 1)
    v.expect("out", Data("float32", narrow(np.where(holds(values), x.f32, np.float32(-9984)), "float32")))
v = af.vector("default_is_equal", "without cmp_op the value must be 0; offset and two dimensions")
x = v.random("x", "float32", (4, 2, 3), floats=(-3, 3))
v.step("nisa.affine_select(dst=out, pattern=[[2, 2], [1, 3]], channel_multiplier=-1, on_true_tile=x, on_false_value=0.0, offset=-1)")
values = pattern_values(4, [[2, 2], [1, 3]], -1, -1).reshape(4, 2, 3)
v.expect("out", Data("float32", narrow(np.where(values == 0, x.f32, np.float32(0)), "float32")))
v = af.vector("narrow", "on_true_tile bfloat16, dst float16: through float32; the constant is rounded, too")
x = v.random("x", "bfloat16", (4, 8), floats=(-3, 3))
v.step("nisa.affine_select(dst=out, pattern=[[-1, 8]], channel_multiplier=2, on_true_tile=x, on_false_value=0.1, cmp_op=nl.greater)")
values = pattern_values(4, [[-1, 8]], 0, 2)
v.expect("out", Data("float16", narrow(np.where(values > 0, x.f32, np.float32(0.1)), "float16")))
v = af.vector("causal_mask", "the mask of a causal attention: 128 rows, -inf above the diagonal")
x = v.random("x", "bfloat16", (128, 16), floats=(-3, 3))
v.step("nisa.affine_select(dst=out, pattern=[[-1, 16]], channel_multiplier=1, on_true_tile=x, on_false_value=-3.4028235e38, "
       "cmp_op=nl.greater_equal)")
values = pattern_values(128, [[-1, 16]], 0, 1)
v.expect("out", Data("bfloat16", narrow(np.where(values >= 0, x.f32, np.float32(-3.4028235e38)), "bfloat16")))

# ---- nc_transpose

nt = Instruction("nc_transpose")
for dtype in ("float32", "bfloat16", "float16"):
    v = nt.vector(f"tensor_{dtype}", f"the tensor engine: dst[j, i] = data[i, j], {dtype}")
    x = v.random("x", dtype, (37, 90), floats=(-3, 3))
    v.step("nisa.nc_transpose(dst=out, data=x, engine=nisa.engine.tensor)")
    v.expect("out", Data(dtype, x.words.T), space="psum")
    v = nt.vector(f"tensor_bits_{dtype}", f"since NeuronCore-v3 the tensor engine keeps the bits of {dtype}: NaNs, infinities, subnormals",
                  targets=SINCE_TRN2)
    x = v.put("x", Data(dtype, [PAYLOADS[dtype], PAYLOADS[dtype][::-1]]))
    v.step("nisa.nc_transpose(dst=out, data=x, engine=nisa.engine.tensor)")
    v.expect("out", Data(dtype, x.words.T), space="psum")
for dtype in ("float32", "bfloat16"):
    v = nt.vector(f"vector_{dtype}", f"the vector engine: 32 x 32, {dtype}, SBUF to SBUF; bits are kept")
    x = v.random("x", dtype, (32, 32), bits=True)
    v.step("nisa.nc_transpose(dst=out, data=x, engine=nisa.engine.vector)")
    v.expect("out", Data(dtype, x.words.T))
v = nt.vector("vector_psum", "the vector engine reads and writes PSUM, too; a smaller tile")
x = v.random("x", "float32", (20, 7), space="psum", bits=True)
v.step("nisa.nc_transpose(dst=out, data=x, engine=nisa.engine.vector)")
v.expect("out", Data("float32", x.words.T), space="psum")
v = nt.vector("flattened", "several free dimensions are flattened first")
x = v.random("x", "bfloat16", (8, 3, 4), floats=(-3, 3))
v.step("nisa.nc_transpose(dst=out, data=x, engine=nisa.engine.tensor)")
v.expect("out", Data("bfloat16", x.words.reshape(8, 12).T), space="psum")

# ---- nc_stream_shuffle

sh = Instruction("nc_stream_shuffle")


def shuffled(source, old, mask):
    result = old.copy()
    for q in range(0, len(old), 32):
        for i in range(min(32, len(old) - q)):
            if mask[i] != 255:
                result[q + i] = source[q + mask[i]]
    return result


REVERSE = list(range(31, -1, -1))
v = sh.vector("reverse", "each quadrant for itself: partition i from 31 - i")
x = v.random("x", "float32", (128, 3), bits=True)
v.step(f"nisa.nc_stream_shuffle(dst=out, src=x, shuffle_mask={REVERSE})")
v.expect("out", Data("float32", shuffled(x.words, x.words * 0, REVERSE)))
v = sh.vector("broadcast", "one partition to all of its quadrant")
x = v.random("x", "uint8", (64, 5), bits=True)
v.step(f"nisa.nc_stream_shuffle(dst=out, src=x, shuffle_mask={[3] * 32})")
v.expect("out", Data("uint8", shuffled(x.words, x.words * 0, [3] * 32)))
v = sh.vector("keep", "mask 255 keeps the partition of dst")
x, y = v.random("x", "bfloat16", (64, 5), bits=True), v.random("out", "bfloat16", (64, 5), bits=True)
mask = [255 if i % 3 == 1 else (i * 7 + 2) % 32 for i in range(32)]
v.step(f"nisa.nc_stream_shuffle(dst=out, src=x, shuffle_mask={mask})")
v.expect("out", Data("bfloat16", shuffled(x.words, y.words, mask)))
v = sh.vector("in_place", "dst may be src: all reads come before the writes")
x = v.random("x", "float32", (32, 4), bits=True)
mask = [(i * 5 + 1) % 32 for i in range(32)]
v.step(f"nisa.nc_stream_shuffle(dst=x, src=x, shuffle_mask={mask})")
v.expect("x", Data("float32", shuffled(x.words, x.words, mask)))
v = sh.vector("other_quadrant", "src and dst may start at different quadrants; src in PSUM")
x, y = v.random("x", "float32", (128, 2), space="psum", bits=True), v.random("out", "float32", (64, 2), bits=True)
v.step(f"nisa.nc_stream_shuffle(dst=out[32:64, :], src=x[96:128, :], shuffle_mask={REVERSE})")
expected = y.words.copy()
expected[32:64] = x.words[96:128][::-1]
v.expect("out", Data("float32", expected))

# ---- local_gather

lg = Instruction("local_gather")


def local_gather(source, index, each, valid):
    flat = source.reshape(source.shape[0], -1)
    out = []
    for p in range(flat.shape[0]):
        core = p // 16 * 16
        list_of = index[core:core + 16].T.reshape(-1)[:valid]
        out.append([flat[p, i + e] for i in list_of for e in range(each)])
    return np.array(out, source.dtype)


v = lg.vector("one_core", "16 partitions share their indices, flattened partition first")
x, index = v.random("x", "float32", (16, 40), bits=True), v.random("index", "uint16", (16, 3), integers=(0, 39))
v.step("nisa.local_gather(dst=out, src_buffer=x, index=index)")
v.expect("out", Data("float32", local_gather(x.words, index.words, 1, 48)))
v = lg.vector("two_cores", "each group of 16 partitions has indices of its own")
x, index = v.random("x", "bfloat16", (32, 20), bits=True), v.random("index", "uint16", (32, 1), integers=(0, 19))
v.step("nisa.local_gather(dst=out, src_buffer=x, index=index)")
v.expect("out", Data("bfloat16", local_gather(x.words, index.words, 1, 16)))
for each in (2, 8):
    v = lg.vector(f"elements_{each}", f"num_elem_per_idx {each}: neighbours from each index on, which counts elements")
    x, index = v.random("x", "int16", (16, 64), bits=True), v.random("index", "uint16", (16, 1), integers=(0, 64 // each - 1))
    index = v.put("index", Data("uint16", index.words * each))
    v.step(f"nisa.local_gather(dst=out, src_buffer=x, index=index, num_elem_per_idx={each})")
    v.expect("out", Data("int16", local_gather(x.words, index.words, each, 16).reshape(16, 16 * each)))
v = lg.vector("valid_indices", "num_valid_indices: the first 20 of the list only")
x, index = v.random("x", "float32", (16, 30), bits=True), v.random("index", "uint16", (16, 2), integers=(0, 29))
v.step("nisa.local_gather(dst=out, src_buffer=x, index=index, num_valid_indices=20)")
v.expect("out", Data("float32", local_gather(x.words, index.words, 1, 20)))

# ---- nc_n_gather

ng = Instruction("nc_n_gather")
for dtype in ("float32", "bfloat16", "uint8"):
    v = ng.vector(dtype, f"dst[p, i] = data[p, indices[p, i]], bits of {dtype}, more indices than data")
    x, index = v.random("x", dtype, (5, 7), bits=True), v.random("index", "uint32", (5, 20), integers=(0, 6))
    v.step("nisa.nc_n_gather(dst=out, data=x, indices=index)")
    v.expect("out", Data(dtype, np.take_along_axis(x.words, index.words.astype(int), 1)))
v = ng.vector("flattened", "the free dimensions of data are flattened; dst has the shape of indices")
x, index = v.random("x", "int32", (3, 2, 600), bits=True), v.random("index", "uint32", (3, 2, 4), integers=(0, 1199))
v.step("nisa.nc_n_gather(dst=out, data=x, indices=index)")
v.expect("out", Data("int32", np.take_along_axis(x.words.reshape(3, 1200), index.words.reshape(3, 8).astype(int), 1).reshape(3, 2, 4)))
v = ng.vector("outside", "an index outside of its row", A, source="docs/numerics.md; nki.isa.nc_n_gather does not say", unspecified="n-gather-range")
x, index = v.random("x", "float32", (1, 4), bits=True), v.put("index", Data("uint32", [[3, 4, 0]]))
v.step("nisa.nc_n_gather(dst=out, data=x, indices=index)")
v.expect("out", Data("float32", [[x.words[0, 3], 0, x.words[0, 0]]]))

# ---- what the documents leave open

v = ms.vector("beyond_the_dtype", "a value that the dtype cannot hold", A, source="docs/numerics.md; nki.isa.memset does not say", unspecified="memset-range")
v.step("nisa.memset(dst=out, value=300)")
v.expect("out", Data("uint8", [[255, 255]]))
v = sh.vector("missing_source", "a mask that names a partition beyond those of src", A, source="docs/numerics.md", unspecified="shuffle-source")
x, y = v.random("x", "float32", (8, 2), bits=True), v.random("out", "float32", (8, 2), bits=True)
mask = [20, 1, 2, 3, 4, 5, 6, 0] + [255] * 24
v.step(f"nisa.nc_stream_shuffle(dst=out, src=x, shuffle_mask={mask})")
expected = x.words[[0, 1, 2, 3, 4, 5, 6, 0]]
expected[0] = y.words[0]
v.expect("out", Data("float32", expected))
v = lg.vector("outside", "an index outside of its row", A, source="nki.isa.local_gather: undefined", unspecified="local-gather-range")
x, index = v.random("x", "float32", (16, 5), bits=True), Data("uint16", [[i % 5] if i != 3 else [5] for i in range(16)])
v.put("index", index)
v.step("nisa.local_gather(dst=out, src_buffer=x, index=index)")
flat = index.words[:, 0]
v.expect("out", Data("float32", np.where(flat == 5, 0, x.words[:, flat % 5])))
v = lg.vector("tail", "dst has room beyond the valid indices", A, source="docs/numerics.md", unspecified="local-gather-tail")
x, index, y = v.random("x", "float32", (16, 5), bits=True), v.random("index", "uint16", (16, 1), integers=(0, 4)), v.random(
    "out", "float32", (16, 16), bits=True)
v.step("nisa.local_gather(dst=out, src_buffer=x, index=index, num_valid_indices=10)")
expected = y.words.copy()
expected[:, :10] = x.words[:, index.words[:10, 0]]
v.expect("out", Data("float32", expected))

# ---- dtypes that nothing else writes

v = tc.vector("float32_to_bool_", "float32 to bool_: 1 unless equal to 0; NaN is 1", A, source="docs/numerics.md 2")
x = v.put("x", Data.of("float32", [[0.0, -0.0, 1.0, 0.3, -7.0, 1e-45, INF, NAN]]))
v.step("nisa.tensor_copy(dst=out, src=x)")
v.expect("out", Data("bool_", [[0, 0, 1, 1, 1, 1, 1, 1]]))
v = tc.vector("bool__to_float32", "bool_ to float32: 0 and 1")
x = v.put("x", Data("bool_", [[0, 1, 1, 0]]))
v.step("nisa.tensor_copy(dst=out, src=x)")
v.expect("out", Data.of("float32", [[0, 1, 1, 0]]))
v = tc.vector("float8_e8m0fnu_to_float32", "float8_e8m0fnu is 2^(b - 127): 0 is 2^-127, 255 is NaN", targets=TRN3, source="NKI data types")
x = v.put("x", Data("float8_e8m0fnu", [[0, 1, 126, 127, 128, 254, 255]]))
v.step("nisa.tensor_copy(dst=out, src=x)")
v.expect("out", Data("float32", convert(x.words, "float8_e8m0fnu", "float32")))
v = tc.vector("float32_to_float8_e8m0fnu", "float32 to float8_e8m0fnu: the nearest power of two, halves up; zero and negative numbers give NaN", A,
              targets=TRN3, source="docs/numerics.md 2")
x = v.put("x", Data.of("float32", [[1.0, 1.49, 1.5, 3.0, 2.9, 0.7, 2.0 ** -130, 3e38, 0.0, -1.0, INF, NAN]]))
v.step("nisa.tensor_copy(dst=out, src=x)")
v.expect("out", Data("float8_e8m0fnu", convert(x.words, "float32", "float8_e8m0fnu")))
