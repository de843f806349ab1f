"""Instructions that move data, and those of the tensor engine, against NumPy and ml_dtypes on every generation."""
import ml_dtypes
import numpy as np
import pytest
from isa_kernels import (DTYPES, FLOATS, INTEGERS, TARGETS, Kernels, canonical, convert, random_bits, random_values,
                         same_bits)


@pytest.fixture
def kernels(tmp_path):
    return Kernels(tmp_path)


@pytest.fixture
def random(request):
    return np.random.default_rng(sum(map(ord, request.node.name)))


targets = pytest.mark.parametrize("target", [pytest.param(name, marks=[pytest.mark.slow] * (name != "trn2")) for name in TARGETS])


# ---- dma_copy

@targets
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
def test_dma_copy_of_equal_dtypes_keeps_bits(kernels, random, dtype, target):
    x = random_bits(random, dtype, 37, 45)
    same_bits(kernels.run("return store(load(x))", target, x=x), x)


@pytest.mark.parametrize("to", FLOATS + INTEGERS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float8_e4m3", "int32", "uint8"])
def test_dma_copy_converts_through_float32(kernels, random, dtype, to):
    x = random_values(random, dtype, 13, 29)
    if dtype == to:
        return
    body = f"t = sbuf(x.shape, nl.{to})\nnisa.dma_copy(dst=t, src=x)\nreturn store(t)"
    same_bits(canonical(kernels.run(body, x=x)), canonical(convert(x, to)))


def test_dma_copy_pairs_elements_row_major(kernels, random):
    x = random_values(random, "float32", 12, 10)
    body = """
t = sbuf((30, 4), x.dtype)
nisa.dma_copy(dst=t, src=x)
out = nl.ndarray((5, 24), dtype=x.dtype, buffer=nl.shared_hbm)
nisa.dma_copy(dst=out, src=t)
return out"""
    same_bits(kernels.run(body, x=x), x.reshape(5, 24))


GATHER = """
i = load(index)
t = sbuf((index.shape[0], {columns}), x.dtype)
nisa.memset(dst=t, value={fill})
nisa.dma_copy(dst=t, src=x.ap([[x.shape[1], index.shape[0]], [1, {columns}]], offset={start}, vector_offset=i,
                              indirect_dim=0), oob_mode=nisa.oob_mode.{mode})
return store(t)"""


@targets
@pytest.mark.parametrize("signed", [np.int32, np.uint32])
def test_dma_copy_gathers_rows(kernels, random, signed, target):
    x, index = random_bits(random, "bfloat16", 19, 24), random.integers(0, 19, (33, 1)).astype(signed)
    body = GATHER.format(columns=17, fill=0.0, start=5, mode="error")
    same_bits(kernels.run(body, target, x=x, index=index), x[index[:, 0], 5:22])


@pytest.mark.parametrize("dtype, outside", [(np.int32, [19, -1, 2**31 - 1]), (np.uint32, [19, 2**32 - 1, 2**31])])
def test_dma_copy_skips_rows_outside(kernels, random, dtype, outside):
    """Negative indices and those of all ones are outside too."""
    x, index = random_values(random, "float16", 19, 8), random.integers(0, 19, (20, 1)).astype(dtype)
    index[[2, 7, 19], 0] = outside
    expected = x[np.where(index[:, 0] < 19, index[:, 0], 0).clip(0)]
    expected[[2, 7, 19]] = 3
    body = GATHER.format(columns=8, fill=3.0, start=0, mode="skip")
    same_bits(kernels.run(body, x=x, index=index), expected)
    message = kernels.fails(GATHER.format(columns=8, fill=3.0, start=0, mode="error"), x=x, index=index)
    assert "E0605" in message and "number 2" in message


def test_dma_copy_skip_oob_keeps_integer_bits(kernels, random):
    """Release notes: rows that are moved keep integers that float32 cannot hold, rows that are skipped keep dst."""
    x, index = np.full((4, 3), 2**24 + 1, np.int32), np.array([[1], [9], [3]], np.int32)
    body = GATHER.format(columns=3, fill=2**30 + 1, start=0, mode="skip")
    result = kernels.run(body, x=x, index=index)
    assert (result[[0, 2]] == 2**24 + 1).all() and (result[1] == 2**30 + 1).all()


SCATTER = """
i, t = load(index), load(x)
out = nl.ndarray(({rows}, x.shape[1]), dtype=x.dtype, buffer=nl.shared_hbm)
z = sbuf(({rows}, x.shape[1]), x.dtype)
nisa.memset(dst=z, value=0.0)
nisa.dma_copy(dst=out, src=z)
nisa.dma_copy(dst=out.ap([[x.shape[1], index.shape[0]], [1, x.shape[1]]], vector_offset=i, indirect_dim=0), src=t,
              oob_mode=nisa.oob_mode.skip)
return out"""


@targets
def test_dma_copy_scatters_rows(kernels, random, target):
    x, index = random_values(random, "float32", 20, 6), random.permutation(31)[:20].astype(np.uint32).reshape(-1, 1)
    index[4] = 31
    expected = np.zeros((31, 6), np.float32)
    for row, at in zip(x, index[:, 0]):
        if at < 31:
            expected[at] = row
    same_bits(kernels.run(SCATTER.format(rows=31), target, x=x, index=index), expected)


def test_gap_scatter_order(kernels, random):
    x, index = random_values(random, "float32", 5, 3), np.array([[1], [0], [1], [2], [3]], np.uint32)
    result = kernels.gap("scatter-order", SCATTER.format(rows=4), x=x, index=index)
    same_bits(result, x[[1, 2, 3, 4]])
    x[2] = x[0]  # rows that say the same cannot disagree
    same_bits(kernels.run(SCATTER.format(rows=4), x=x, index=index), x[[1, 0, 3, 4]])


def test_rows_that_many_indices_name_keep_the_last(kernels, random):
    x, index = random_values(random, "float32", 60, 300), random.integers(0, 12, (60, 1)).astype(np.uint32)
    expected = np.zeros((10, 300), np.float32)
    for row, at in zip(x, index[:, 0]):
        if at < 10:  # others are left out
            expected[at] = row
    same_bits(kernels.gap("scatter-order", SCATTER.format(rows=10), x=x, index=index), expected)


@pytest.mark.parametrize("kind", ["register", "tensor"])
def test_dma_copy_from_a_run_time_row(kernels, random, kind):
    x, at = random_values(random, "float32", 24, 7), np.array([[11]], np.int32)
    body = """
i = load(at)
r = nisa.register_alloc(None)
nisa.register_load(r, i)
t = sbuf((4, 7), x.dtype)
nisa.dma_copy(dst=t, src=x.ap([[7, 4], [1, 7]], scalar_offset=%s, indirect_dim=0))
return store(t)""" % ("r" if kind == "register" else "i")
    same_bits(kernels.run(body, x=x, at=at), x[11:15])


@pytest.mark.parametrize("at", [21, -1])
def test_dma_copy_skips_a_whole_side(kernels, random, at):
    x, at = random_values(random, "float32", 24, 7), np.array([[at]], np.int32)
    body = """
i, t = load(at), sbuf((4, 7), x.dtype)
nisa.memset(dst=t, value=1.5)
nisa.dma_copy(dst=t, src=x.ap([[7, 4], [1, 7]], scalar_offset=i, indirect_dim=0), oob_mode=nisa.oob_mode.{})
return store(t)"""
    assert (kernels.run(body.format("skip"), x=x, at=at) == 1.5).all()
    assert "E0605" in kernels.fails(body.format("error"), x=x, at=at)


def test_vector_select(kernels, random):
    x, index = random_values(random, "float32", 9, 4, 5), random.integers(0, 9, (20, 1)).astype(np.int32)
    body = "t = sbuf((20, 4, 5), x.dtype)\nnisa.dma_copy(dst=t, src=x.vector_select(0, load(index)))\nreturn store(t)"
    same_bits(kernels.run(body, x=x, index=index), x[index[:, 0]])


def test_indices_from_a_column_of_a_tile(kernels, random):
    """As kernels that route tokens do: one table of indices, a column for each step."""
    x, index = random_values(random, "bfloat16", 50, 6), random.integers(0, 50, (32, 4)).astype(np.int32)
    body = """
i = load(index)
out = nl.ndarray((4, 32, 6), dtype=x.dtype, buffer=nl.shared_hbm)
for k in range(4):
    rows = sbuf((32, 6), x.dtype)
    nisa.dma_copy(dst=rows, src=x.ap([[6, 32], [1, 6]], vector_offset=i.ap([[4, 32], [1, 1]], offset=k), indirect_dim=0))
    nisa.dma_copy(dst=out[k], src=rows)
return out"""
    same_bits(kernels.run(body, x=x, index=index), x[index.T])


def test_gather_of_rows_that_reach_further(kernels, random):
    """A row may be longer than the dimension's step, up to the end of the tensor."""
    x, index = random_values(random, "float32", 10, 4), np.array([[0], [6], [8], [3]], np.int32)
    body = """
t = sbuf((4, 8), x.dtype)
nisa.memset(dst=t, value=0.0)
nisa.dma_copy(dst=t, src=x.ap([[4, 4], [1, 8]], vector_offset=load(index), indirect_dim=0), oob_mode=nisa.oob_mode.{})
return store(t)"""
    flat = x.ravel()
    same_bits(kernels.run(body.format("error"), x=x, index=index), np.stack([flat[4 * i:4 * i + 8] for i in index[:, 0]]))


def test_run_time_rows_of_another_dtype(kernels, random):
    """An index counts rows of the tensor, however its bytes are read."""
    x, index = random_values(random, "float32", 10, 4), np.array([[3], [1], [9]], np.int32)
    halves = x.view(np.uint16)
    body = """
i, t = load(index), sbuf((3, 8), nl.uint16)
nisa.dma_copy(dst=t, src=x{}.ap([[8, 3], [1, 8]], {}, indirect_dim=0{}))
return store(t)"""
    for view, dtype in ("", ", dtype=nl.uint16"), (".view(nl.uint16)", ""):
        same_bits(kernels.run(body.format(view, "vector_offset=i", dtype), x=x, index=index), halves[index[:, 0]])
        same_bits(kernels.run(body.format(view, "scalar_offset=i[0:1, :]", dtype), x=x, index=index), halves[3:6])
    body = """
i, t = load(index), sbuf((3, 8), nl.uint16)
nisa.dma_copy(dst=t, src=x.view(nl.uint16).vector_select(0, i))
return store(t)"""
    same_bits(kernels.run(body, x=x, index=index), halves[index[:, 0]])


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_scalar_offset_along_any_dimension(kernels, random, dim):
    """The index counts in the base tensor's dimension, whatever the pattern."""
    x, at = random_values(random, "float32", 6, 7, 8), np.array([[2]], np.int32)
    body = f"""
t = sbuf((3, 5), x.dtype)
nisa.dma_copy(dst=t, src=x.ap([[56, 3], [1, 5]], offset=1, scalar_offset=load(at), indirect_dim={dim}))
return store(t)"""
    start = 1 + 2 * [56, 8, 1][dim]
    same_bits(kernels.run(body, x=x, at=at), np.lib.stride_tricks.as_strided(x.ravel()[start:], (3, 5), (56 * 4, 4)).copy())


def test_dynamic_columns_on_chip(kernels, random):
    """Compute engines take a register or a tensor as the offset along a free dimension."""
    x, at = random_values(random, "float32", 17, 5, 8), np.array([[3]], np.int32)
    body = """
r = nisa.register_alloc(2)
s, t, i = load(x), sbuf((17, 2, 8), x.dtype), load(at)
nisa.tensor_copy(dst=t[:, 0, :], src=s.select(1, i))
nisa.tensor_copy(dst=t[:, 1, :], src=s.select(1, r))
return store(t)"""
    same_bits(kernels.run(body, x=x, at=at), x[:, [3, 2]])
    assert "E0603" in kernels.fails(body, x=x, at=np.array([[5]], np.int32))


def test_scatter_in_a_device_loop(kernels, random):
    x, index = random_values(random, "float32", 24, 5), random.permutation(24).astype(np.int32).reshape(6, 4)
    body = """
out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
for i in nl.dynamic_range(6):
    rows, at = sbuf((4, 5), x.dtype), sbuf((4, 1), nl.int32)
    nisa.dma_copy(dst=rows, src=x.ap([[5, 4], [1, 5]], scalar_offset=i * 4, indirect_dim=0))
    nisa.dma_copy(dst=at, src=index.ap([[1, 4], [1, 1]], scalar_offset=i, indirect_dim=0))
    nisa.dma_copy(dst=out.ap([[5, 4], [1, 5]], vector_offset=at, indirect_dim=0), src=rows)
return out"""
    expected = np.empty_like(x)
    expected[index.ravel()] = x
    same_bits(kernels.run(body, x=x, index=index), expected)


# ---- dma_transpose

@pytest.mark.parametrize("shape", [(16, 9), (3, 16, 8), (2, 5, 8, 7), (33, 64)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_dma_transpose(kernels, random, shape, dtype):
    x = random_bits(random, dtype, *shape)
    axes = {2: (1, 0), 3: (2, 1, 0), 4: (3, 1, 2, 0)}[len(shape)]
    expected = x.transpose(axes)
    body = f"t = sbuf({expected.shape}, x.dtype)\nnisa.dma_transpose(dst=t, src=x{{}})\nreturn store(t)"
    same_bits(kernels.run(body.format(f", axes={axes}"), x=x), expected)
    same_bits(kernels.run(body.format(""), x=x), expected)


INDIRECT_TRANSPOSE = """
i = load(index)
t = sbuf((x.shape[1], {rows}), x.dtype)
nisa.memset(dst=t, value=7.0)
nisa.dma_transpose(dst=t, src=x.ap([[x.shape[1], {rows}], [1, x.shape[1]]], vector_offset=i, indirect_dim=0), axes=(1, 0),
                   oob_mode=nisa.oob_mode.{mode})
return store(t)"""


@pytest.mark.parametrize("target", ["trn2", "trn3"])
@pytest.mark.parametrize("shape, rows", [((128, 1), 128), ((128, 2), 256), ((128, 3), 272), ((32, 1), 16)])
def test_dma_transpose_gathers(kernels, random, shape, rows, target):
    """flat = indices.T.flatten()[:rows]: partition first."""
    x, index = random_bits(random, "bfloat16", 40, 24), random.integers(0, 40, shape).astype(np.uint32)
    body = INDIRECT_TRANSPOSE.format(rows=rows, mode="error")
    same_bits(kernels.run(body, target, x=x, index=index), x[index.T.flatten()[:rows]].T)


def test_dma_transpose_leaves_out_rows(kernels, random):
    x, index = random_bits(random, "bfloat16", 40, 24), random.integers(0, 40, (32, 1)).astype(np.uint32)
    index[[0, 9, 31]] = 40
    expected = x[np.where(index[:, 0] < 40, index[:, 0], 0)].T
    expected[:, [0, 9, 31]] = 7
    same_bits(kernels.run(INDIRECT_TRANSPOSE.format(rows=32, mode="skip"), x=x, index=index), expected)
    assert "E0605" in kernels.fails(INDIRECT_TRANSPOSE.format(rows=32, mode="error"), x=x, index=index)


def test_gap_dma_transpose_dst(kernels, random):
    x = random_bits(random, "float32", 12, 7)
    body = "out = nl.ndarray((7, 12), dtype=x.dtype, buffer=nl.shared_hbm)\nnisa.dma_transpose(dst=out, src=x)\nreturn out"
    same_bits(kernels.gap("dma-transpose-dst", body, x=x), x.T)


# ---- dma_compute

@targets
@pytest.mark.parametrize("count", [2, 3, 16])
@pytest.mark.parametrize("dtype, to", [("float32", "float32"), ("bfloat16", "float32"), ("int32", "bfloat16")])
def test_dma_compute_sums_in_order(kernels, random, count, dtype, to, target):
    x = random_values(random, dtype, count, 9, 14)
    body = f"""
out = nl.ndarray((9, 14), dtype=nl.{to}, buffer=nl.shared_hbm)
nisa.dma_compute(out, [x[i] for i in range({count})], nl.add, scales=[1.0] * {count})
return out"""
    total = x[0].astype(np.float32)
    for part in x[1:]:
        total = total + part.astype(np.float32)
    same_bits(kernels.run(body, target, x=x), convert(total, to))


def test_dma_compute_in_place(kernels, random):
    x, y = random_values(random, "float32", 6, 5), random_values(random, "float32", 6, 5)
    same_bits(kernels.run("t = load(x)\nnisa.dma_compute(t, [t, y], nl.add)\nreturn store(t)", x=x, y=y), x + y)


RMW_GATHER = """
i, t = load(index), load(y)
rows = x.ap([[x.shape[1], index.shape[0]], [1, x.shape[1]]], vector_offset=i, indirect_dim=0)
nisa.dma_compute(t, [{order}], nl.add, unique_indices=True, oob_mode=nisa.oob_mode.{mode})
return store(t)"""


@targets
@pytest.mark.parametrize("order", ["rows, t", "t, rows"])
def test_dma_compute_adds_gathered_rows(kernels, random, order, target):
    x, y = random_values(random, "bfloat16", 15, 6), random_values(random, "float32", 21, 6)
    index = random.integers(0, 15, (21, 1)).astype(np.uint32)
    expected = y + x[index[:, 0]].astype(np.float32)
    same_bits(kernels.run(RMW_GATHER.format(order=order, mode="error"), target, x=x, y=y, index=index), expected)
    index[[3, 20]] = 15
    expected[[3, 20]] = y[[3, 20]]
    same_bits(kernels.run(RMW_GATHER.format(order=order, mode="skip"), target, x=x, y=y, index=index), expected)
    assert "E0605" in kernels.fails(RMW_GATHER.format(order=order, mode="error"), target, x=x, y=y, index=index)


RMW_SCATTER = """
i, t = load(index), load(y)
out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
nisa.dma_copy(dst=out, src=x)
rows = out.ap([[x.shape[1], index.shape[0]], [1, x.shape[1]]], vector_offset=i, indirect_dim=0)
nisa.dma_compute(rows, [rows, t], nl.add, oob_mode=nisa.oob_mode.skip)
return out"""


def test_dma_compute_adds_to_scattered_rows(kernels, random):
    x, y = random_values(random, "float32", 30, 6), random_values(random, "float32", 21, 6)
    index = random.permutation(30)[:21].astype(np.uint32).reshape(-1, 1)
    index[5] = 1000
    expected = x.copy()
    for row, at in zip(y, index[:, 0]):
        if at < 30:
            expected[at] += row
    same_bits(kernels.run(RMW_SCATTER, x=x, y=y, index=index), expected)


def test_gap_scatter_unique(kernels, random):
    x, y = random_values(random, "float32", 4, 3), random_values(random, "float32", 3, 3)
    result = kernels.gap("scatter-unique", RMW_SCATTER, x=x, y=y, index=np.array([[2], [0], [2]], np.uint32))
    same_bits(result, np.stack([x[0] + y[1], x[1], x[2] + y[2], x[3]]))


def test_gap_dma_compute_single(kernels, random):
    x = random_values(random, "float32", 4, 3)
    body = "t = sbuf(x.shape, x.dtype)\nnisa.memset(dst=t, value=1.0)\nnisa.dma_compute(t, [x], nl.add)\nreturn store(t)"
    same_bits(kernels.gap("dma-compute-single", body, x=x), x)


def test_dma_compute_has_no_additive_scale(kernels, random):
    x = random_values(random, "float32", 4, 3)
    body = "t = sbuf(x.shape, x.dtype)\nnisa.dma_compute(t, [x, x], nl.add, scales=[1.0, 0.5])\nreturn store(t)"
    assert "scale" in kernels.fails(body, x=x)


# ---- tensor_copy and memset

@pytest.mark.slow
@targets
@pytest.mark.parametrize("engine", ["vector", "gpsimd", "scalar", "unknown"])
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
def test_tensor_copy_keeps_bits(kernels, random, dtype, engine, target):
    if engine == "scalar" and target == "trn1":
        return
    x = random_bits(random, dtype, 21, 33)
    body = f"t = sbuf(x.shape, x.dtype)\nnisa.tensor_copy(dst=t, src=load(x), engine=nisa.engine.{engine})\nreturn store(t)"
    same_bits(kernels.run(body, target, x=x), x)


@pytest.mark.parametrize("to", FLOATS + INTEGERS)
@pytest.mark.parametrize("dtype", ["float32", "int32", "uint16", "float16"])
def test_tensor_copy_converts_through_float32(kernels, random, dtype, to):
    x = random_values(random, dtype, 7, 18)
    if dtype == to:
        return
    body = f"t = sbuf(x.shape, nl.{to})\nnisa.tensor_copy(dst=t, src=load(x))\nreturn store(t)"
    same_bits(canonical(kernels.run(body, x=x)), canonical(convert(x, to)))


def test_integers_through_the_scalar_engine_are_lossy(kernels):
    """NeuronCore-v2's Scalar engine has no tensor_copy, and its activation copies through float32."""
    x = np.array([[2**24 + 1, -2**24 - 1, 2**31 - 1, 2**24]], np.int32)
    body = "t = sbuf(x.shape, x.dtype)\nnisa.{}\nreturn store(t)"
    scalar = "tensor_copy(dst=t, src=load(x), engine=nisa.engine.scalar)"
    assert "vector, gpsimd" in kernels.fails(body.format(scalar), "trn1", x=x)
    same_bits(kernels.run(body.format(scalar), "trn2", x=x), x)
    copied = kernels.run(body.format("activation(dst=t, op=nl.copy, data=load(x))"), "trn1", x=x)
    same_bits(copied, np.array([[2**24, -2**24, 2**31 - 1, 2**24]], np.int32))


def test_fp32_to_int_casts_round_to_even_and_saturate(kernels):
    x = np.array([[0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, 1e30, -1e30, np.inf, -np.inf]], np.float32)
    body = "t = sbuf(x.shape, nl.{})\nnisa.tensor_copy(dst=t, src=load(x))\nreturn store(t)"
    same_bits(kernels.run(body.format("int8"), x=x),
              np.array([[0, 2, 2, 0, -2, 127, -128, 127, -128, 127, -128]], np.int8))
    same_bits(kernels.run(body.format("uint32"), x=x),
              np.array([[0, 2, 2, 0, 0, 300, 0, 2**32 - 1, 0, 2**32 - 1, 0]], np.uint32))


@targets
@pytest.mark.parametrize("engine", ["vector", "gpsimd", "unknown"])
@pytest.mark.parametrize("dtype, value", [("float32", "0.1"), ("bfloat16", "-2.5"), ("float8_e4m3", "1.75"),
                                          ("float16", "float('-inf')"), ("int32", "-7"), ("uint8", "255"),
                                          ("uint32", "0xFFFFFFFE"), ("int16", "-32768"), ("int32", "2**24 + 1")])
def test_memset(kernels, dtype, value, engine, target):
    body = f"t = sbuf((9, 21), nl.{dtype})\nnisa.memset(dst=t, value={value}, engine=nisa.engine.{engine})\nreturn store(t)"
    number = eval(value)
    expected = np.full((9, 21), number, np.int64) if isinstance(number, int) else np.full((9, 21), number, np.float32)
    same_bits(kernels.run(body, target, x=np.zeros((1, 1), np.float32)), expected.astype(DTYPES[dtype]))


@pytest.mark.parametrize("dtype", ["float8_e4m3fn_x4", "float8_e5m2_x4", "float4_e2m1fn_x4"])
def test_memset_of_packed_types_takes_zero_only(kernels, dtype):
    body = f"t = sbuf((9, 21), nl.{dtype})\nnisa.memset(dst=t, value={{}})\nreturn store(t)"
    x = np.zeros((1, 1), np.float32)
    assert not kernels.run(body.format(0), "trn3", x=x).any()
    assert "0" in kernels.fails(body.format(1), "trn3", x=x)


@pytest.mark.parametrize("dtype, value, chosen", [("int8", "200", 127), ("uint8", "-1", 0), ("uint16", "70000", 65535),
                                                  ("float16", "70000.0", np.inf), ("float8_e4m3", "-300.0", -np.inf)])
def test_gap_memset_range(kernels, dtype, value, chosen):
    body = f"t = sbuf((3, 2), nl.{dtype})\nnisa.memset(dst=t, value={value})\nreturn store(t)"
    result = kernels.gap("memset-range", body, x=np.zeros((1, 1), np.float32))
    same_bits(result, np.full((3, 2), chosen).astype(DTYPES[dtype]))


# ---- tensor_copy_predicated

@targets
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8"])
@pytest.mark.parametrize("predicate", ["uint8", "uint16", "uint32"])
def test_tensor_copy_predicated(kernels, random, dtype, predicate, reverse, target):
    x, y = random_bits(random, dtype, 11, 19), random_bits(random, dtype, 11, 19)
    p = (random.integers(0, 2, (11, 19)) * random_values(random, predicate, 11, 19)).astype(DTYPES[predicate])
    p[0, :3] = [0, 1, np.iinfo(DTYPES[predicate]).max]
    body = f"""
t = load(x)
nisa.tensor_copy_predicated(dst=t, src=load(y), predicate=load(p), reverse_pred={reverse})
return store(t)"""
    same_bits(kernels.run(body, target, x=x, y=y, p=p), np.where((p != 0) != reverse, y, x))


@pytest.mark.parametrize("dtype, value", [("float32", 0.1), ("bfloat16", -1.5), ("int32", 2**24 + 1), ("uint32", 2**32 - 2)])
def test_tensor_copy_predicated_of_a_number(kernels, random, dtype, value):
    x, p = random_values(random, dtype, 5, 9), random.integers(0, 2, (5, 9)).astype(np.uint8)
    body = f"t = load(x)\nnisa.tensor_copy_predicated(dst=t, src={value}, predicate=load(p))\nreturn store(t)"
    same_bits(kernels.run(body, x=x, p=p), np.where(p, np.array(value).astype(DTYPES[dtype]), x))


def test_tensor_copy_predicated_leaves_what_was_never_written(kernels, random):
    x, p = random_values(random, "float32", 2, 3), np.array([[1, 1, 1], [1, 0, 1]], np.uint8)
    body = "t = sbuf(x.shape, x.dtype)\nnisa.tensor_copy_predicated(dst=t, src=load(x), predicate=load(p))\nreturn store(t)"
    assert "[1, 1]" in kernels.fails(body, x=x, p=p)


# ---- iota and affine_select

def pattern_values(pattern, offset, multiplier, partitions):
    values = np.array([offset], np.int64)
    for step, count in pattern:
        values = (values[:, None] + np.arange(count) * step).ravel()
    return values[None, :] + np.arange(partitions)[:, None] * multiplier


@targets
@pytest.mark.parametrize("dtype", FLOATS[:3] + INTEGERS)
def test_iota(kernels, random, dtype, target):
    for pattern, offset, multiplier in [([[1, 24]], 0, 0), ([[-3, 4], [100, 6]], 5, 7), ([[2, 2], [0, 3], [1, 2], [9, 2]], -4, -1),
                                        ([[2**20 + 1, 24]], 2**24, 3)]:
        body = f"""
t = sbuf((17, 24), nl.{dtype})
nisa.iota(dst=t, pattern={pattern}, offset={offset}, channel_multiplier={multiplier})
return store(t)"""
        values = pattern_values(pattern, offset, multiplier, 17)
        if dtype in INTEGERS:
            info = np.iinfo(DTYPES[dtype])
            expected = np.clip(values, info.min, info.max).astype(DTYPES[dtype])
        else:
            with np.errstate(over="ignore"):
                expected = values.astype(np.float32).astype(DTYPES[dtype])
        same_bits(kernels.run(body, target, x=np.zeros((1, 1), np.float32)), expected)


def test_iota_counts_partitions_from_its_tile(kernels):
    body = """
t = sbuf((64, 2), nl.int32)
nisa.iota(dst=t[0:32, :], pattern=[[1, 2]], channel_multiplier=10)
nisa.iota(dst=t[32:64, :], pattern=[[1, 2]], channel_multiplier=10)
return store(t)"""
    half = np.arange(32)[:, None] * 10 + np.arange(2)
    same_bits(kernels.run(body, x=np.zeros((1, 1), np.float32)), np.vstack([half, half]).astype(np.int32))


def test_gap_pattern_overflow(kernels):
    body = "t = sbuf((2, 3), nl.int32)\nnisa.iota(dst=t, pattern=[[2**30, 3]], offset=2**30)\nreturn store(t)"
    result = kernels.gap("pattern-overflow", body, x=np.zeros((1, 1), np.float32))
    same_bits(result, np.array([[2**30, -2**31, 2**30 - 2**31]] * 2, np.int32))
    body = "t = sbuf((3, 2), nl.int32)\nnisa.iota(dst=t, pattern=[[1, 2]], offset=2**31 - 3, channel_multiplier=1)\nreturn store(t)"
    kernels.gap("pattern-overflow", body, x=np.zeros((1, 1), np.float32))


COMPARISONS = {"equal": np.equal, "not_equal": np.not_equal, "greater": np.greater, "greater_equal": np.greater_equal,
               "less": np.less, "less_equal": np.less_equal}


@targets
@pytest.mark.parametrize("op", COMPARISONS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8", "float8_e5m2"])
def test_affine_select_keeps_bits(kernels, random, op, dtype, target):
    x = random_bits(random, dtype, 13, 24)
    body = f"""
t = sbuf(x.shape, x.dtype)
nisa.affine_select(dst=t, pattern=[[-2, 6], [1, 4]], channel_multiplier=1, on_true_tile=load(x), on_false_value=3.0,
                   cmp_op=nl.{op}, offset=-2)
return store(t)"""
    chosen = COMPARISONS[op](pattern_values([[-2, 6], [1, 4]], -2, 1, 13), 0)
    same_bits(kernels.run(body, target, x=x), np.where(chosen, x, np.array(3, DTYPES[dtype])))


@pytest.mark.parametrize("dtype, to", [("float32", "bfloat16"), ("int32", "float32"), ("float16", "int8")])
def test_affine_select_converts(kernels, random, dtype, to):
    x = random_values(random, dtype, 13, 24)
    body = f"""
t = sbuf(x.shape, nl.{to})
nisa.affine_select(dst=t, pattern=[[1, 24]], channel_multiplier=-1, on_true_tile=load(x), on_false_value=-9984.0,
                   cmp_op=nl.less_equal)
return store(t)"""
    chosen = pattern_values([[1, 24]], 0, -1, 13) <= 0
    same_bits(kernels.run(body, x=x), np.where(chosen, convert(x, to), convert(np.array(-9984.0), to)))


# ---- transposes

@targets
@pytest.mark.parametrize("engine", ["tensor", "vector"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int32", "uint16"])
def test_nc_transpose(kernels, random, dtype, engine, target):
    x = random_values(random, dtype, *((31, 23) if engine == "vector" else (77, 128)))
    space = "sbuf" if engine == "vector" else "psum"
    body = f"""
t = {space}((x.shape[1], x.shape[0]), x.dtype)
nisa.nc_transpose(dst=t, data=load(x), engine=nisa.engine.{engine})
return evict(t)"""
    same_bits(kernels.run(body, target, x=x), x.T)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_tensor_engine_transposes_keep_bits_from_v3_on(kernels, random, dtype):
    x = random_bits(random, dtype, 40, 50)
    body = "t = psum((50, 40), x.dtype)\nnisa.nc_transpose(dst=t, data=load(x), engine=nisa.engine.tensor)\nreturn evict(t)"
    for target in "trn2", "trn3":
        same_bits(kernels.run(body, target, x=x), x.T)
    body = """
one = sbuf((40, 40), x.dtype)
nisa.memset(dst=one, value=1.0)
eye = sbuf((40, 40), x.dtype)
nisa.affine_select(dst=eye, pattern=[[-1, 40]], channel_multiplier=1, on_true_tile=one, on_false_value=0.0)
t = psum((50, 40), x.dtype)
nisa.nc_matmul(dst=t, stationary=load(x), moving=eye, is_transpose=True)
return evict(t)"""
    for target in "trn2", "trn3":
        same_bits(kernels.run(body, target, x=x), x.T)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_v2_tensor_engine_transposes_spread_nan_and_inf(kernels, random, dtype):
    x = random_values(random, dtype, 6, 5)
    x[2, 1], x[4, 3], x[0, 0], x[1, 2] = np.inf, np.nan, -0.0, -np.inf
    x[5, 2] = np.inf
    body = "t = psum((5, 6), x.dtype)\nnisa.nc_transpose(dst=t, data=load(x), engine=nisa.engine.tensor)\nreturn evict(t)"
    with np.errstate(invalid="ignore"):
        wide = x.astype(np.float32)
        expected = np.stack([sum((wide[k, :, None] * np.eye(6, dtype=np.float32)[k] for k in range(6)),
                                 np.zeros((5, 6), np.float32))])[0].astype(x.dtype)
    assert np.isnan(expected.astype(np.float32)).sum() == 5 + 6 + 6 and not np.signbit(expected.astype(np.float32)[0, 0])
    same_bits(canonical(kernels.run(body, "trn1", x=x)), canonical(expected))
    on_vector = body.replace("tensor)", "vector)").replace("psum", "sbuf")
    same_bits(kernels.run(on_vector, "trn1", x=x), x.T)


def test_v2_transpose_mode_is_a_product(kernels, random):
    x, eye = random_values(random, "float32", 6, 5), np.eye(6, dtype=np.float32)
    x[2, 1] = np.inf
    body = "t = psum((5, 6))\nnisa.nc_matmul(dst=t, stationary=load(x), moving=load(eye), is_transpose=True)\nreturn evict(t)"
    assert np.isnan(kernels.run(body, "trn1", x=x, eye=eye)[1]).sum() == 5
    same_bits(kernels.run(body, "trn2", x=x, eye=eye), x.T)


@pytest.mark.parametrize("target", ["trn2", "trn3"])
def test_8_bit_transposes_fill_16_bit_cells(kernels, random, target):
    x = random_bits(random, "uint8", 12, 9)
    body = "t = psum((9, 12), nl.uint16)\nnisa.nc_transpose(dst=t, data=load(x), engine=nisa.engine.tensor)\nreturn evict(t)"
    try:
        same_bits(kernels.run(body, target, x=x), x.T.astype(np.uint16))
    except AssertionError as refused:  # dst of another dtype may be refused; never another value
        assert "E05" in str(refused)
    body = body.replace("nl.uint16", "x.dtype")
    same_bits(kernels.gap("transpose-8bit", body, target, x=x), x.T)


def test_gap_transpose_moving(kernels, random):
    x, order = random_values(random, "float32", 5, 4), np.array([3, 0, 4, 1, 2])
    body = "t = psum((4, 5))\nnisa.nc_matmul(dst=t, stationary=load(x), moving=load(p), is_transpose=True)\nreturn evict(t)"
    result = kernels.gap("transpose-moving", body, x=x, p=np.eye(5, dtype=np.float32)[:, order])
    same_bits(result, x.T[:, order])
    two = np.eye(5, dtype=np.float32)
    two[0, 1] = 1
    assert "identity" in kernels.fails(body, "trn2", "--lenient", x=x, p=two)


# ---- nc_stream_shuffle

@targets
@pytest.mark.parametrize("partitions", [32, 64, 128])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "uint8"])
def test_nc_stream_shuffle(kernels, random, dtype, partitions, target):
    x, y = random_bits(random, dtype, partitions, 21), random_bits(random, dtype, partitions, 21)
    mask = [255 if random.random() < 0.2 else int(m) for m in random.integers(0, 32, 32)]
    body = f"t = load(y)\nnisa.nc_stream_shuffle(dst=t, src=load(x), shuffle_mask={mask})\nreturn store(t)"
    rows = [p if mask[p % 32] == 255 else p // 32 * 32 + mask[p % 32] for p in range(partitions)]
    kept = np.array([mask[p % 32] == 255 for p in range(partitions)])[:, None]
    same_bits(kernels.run(body, target, x=x, y=y), np.where(kept, y, x[rows]))
    in_place = f"t = load(x)\nnisa.nc_stream_shuffle(dst=t, src=t, shuffle_mask={mask})\nreturn store(t)"
    same_bits(kernels.run(in_place, target, x=x), x[rows])


def test_nc_stream_shuffle_broadcasts_a_row(kernels, random):
    x = random_bits(random, "float32", 64, 9)
    body = "t = load(x)\nnisa.nc_stream_shuffle(dst=t[32:64, :], src=t[0:1, :], shuffle_mask=[0] * 32)\nreturn store(t)"
    same_bits(kernels.run(body, x=x), np.vstack([x[:32], np.repeat(x[:1], 32, axis=0)]))


def test_gap_shuffle_source(kernels, random):
    x, y = random_bits(random, "float32", 8, 3), random_bits(random, "float32", 32, 3)
    mask = list(range(32))
    body = f"t = load(y)\nnisa.nc_stream_shuffle(dst=t, src=load(x), shuffle_mask={mask})\nreturn store(t)"
    same_bits(kernels.gap("shuffle-source", body, x=x, y=y), np.vstack([x, y[8:]]))


# ---- gathers

@targets
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "uint8", "int32"])
def test_nc_n_gather(kernels, random, dtype, target):
    x, index = random_bits(random, dtype, 19, 5 * 31), random.integers(0, 5 * 31, (19, 44)).astype(np.uint32)
    body = "t = sbuf(index.shape, x.dtype)\nnisa.nc_n_gather(dst=t, data=load(x), indices=load(index))\nreturn store(t)"
    same_bits(kernels.run(body, target, x=x, index=index), np.take_along_axis(x, index.astype(np.int64), axis=1))


def test_nc_n_gather_counts_flattened_elements(kernels, random):
    x, index = random_bits(random, "float32", 7, 4, 6), random.integers(0, 24, (7, 3, 5)).astype(np.uint32)
    body = "t = sbuf(index.shape, x.dtype)\nnisa.nc_n_gather(dst=t, data=load(x), indices=load(index))\nreturn store(t)"
    expected = np.take_along_axis(x.reshape(7, 24), index.reshape(7, 15).astype(np.int64), axis=1).reshape(7, 3, 5)
    same_bits(kernels.run(body, x=x, index=index), expected)


def test_gap_n_gather_range(kernels, random):
    x, index = random_values(random, "float32", 3, 6), np.array([[0, 6], [5, 2**32 - 1], [1, 2]], np.uint32)
    body = "t = sbuf(index.shape, x.dtype)\nnisa.nc_n_gather(dst=t, data=load(x), indices=load(index))\nreturn store(t)"
    result = kernels.gap("n-gather-range", body, x=x, index=index)
    same_bits(result, np.array([[x[0, 0], 0], [x[1, 5], 0], x[2, 1:3]], np.float32))


def local_gather(x, index, per, valid):
    """The documents' own loop: each 16 partitions, indices flattened partition first."""
    out = np.zeros((x.shape[0], valid * per), x.dtype)
    for core in range(x.shape[0] // 16):
        rows = slice(16 * core, 16 * core + 16)
        flat = index[rows].flatten(order="F")[:valid].astype(np.int64)
        for n, start in enumerate(flat):
            out[rows, n * per:(n + 1) * per] = x[rows, start:start + per]
    return out


LOCAL_GATHER = """
t = sbuf((x.shape[0], {columns}), x.dtype)
nisa.memset(dst=t, value={fill})
nisa.local_gather(dst=t, src_buffer=load(x), index=load(index), num_elem_per_idx={per}, num_valid_indices={valid})
return store(t)"""


@targets
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "uint8"])
@pytest.mark.parametrize("per, valid", [(1, None), (4, 37), (32, 5), (1, 16)])
def test_local_gather(kernels, random, dtype, per, valid, target):
    x, index = random_bits(random, dtype, 48, 200), random.integers(0, 201 - per, (48, 3)).astype(np.uint16)
    count = 48 if valid is None else valid
    fill = "0" if dtype == "uint8" else "0.0"
    body = LOCAL_GATHER.format(columns=count * per, per=per, valid=valid, fill=fill)
    same_bits(kernels.run(body, target, x=x, index=index), local_gather(x, index, per, count))


def test_gap_local_gather_range(kernels, random):
    x, index = random_values(random, "float32", 16, 10), np.zeros((16, 1), np.uint16)
    index[3], index[7] = 8, 60000
    result = kernels.gap("local-gather-range", LOCAL_GATHER.format(columns=64, per=4, valid=None, fill="0.0"), x=x, index=index)
    wide = np.hstack([x, np.zeros((16, 65536), np.float32)])
    same_bits(result, local_gather(wide, index, 4, 16))


def test_gap_local_gather_tail(kernels, random):
    x, index = random_values(random, "float32", 16, 10), random.integers(0, 10, (16, 2)).astype(np.uint16)
    result = kernels.gap("local-gather-tail", LOCAL_GATHER.format(columns=32, per=1, valid=20, fill="2.5"), x=x, index=index)
    same_bits(result, np.hstack([local_gather(x, index, 1, 20), np.full((16, 12), 2.5, np.float32)]))
    assert "elements" in kernels.fails(LOCAL_GATHER.format(columns=31, per=1, valid=None, fill="2.5"), x=x, index=index)


# ---- registers

def test_registers_load_by_dtype_and_store_low_bits(kernels):
    body = """
r = nisa.register_alloc(None)
nisa.register_load(r, load(x))
t = sbuf((1, 1), nl.{to})
nisa.register_store(t, r)
return store(t)"""
    for dtype, value, to, expected in [("int8", -3, "int32", -3), ("uint8", 253, "int32", 253), ("int16", -2, "uint32", 2**32 - 2),
                                       ("int32", 300, "uint8", 44), ("int32", -1, "uint16", 65535), ("uint32", 2**32 - 1, "uint32", 2**32 - 1),
                                       ("int32", 2**24 + 1, "int32", 2**24 + 1), ("float32", 1.5, "float32", 1.5)]:
        x = np.array([[value]]).astype(DTYPES[dtype])
        same_bits(kernels.run(body.format(to=to), x=x), np.array([[expected]]).astype(DTYPES[to]))


def test_registers_move(kernels):
    body = """
a, b = nisa.register_alloc(41), nisa.register_alloc(None)
nisa.register_move(b, a)
nisa.register_move(a, 7)
t = sbuf((1, 2), nl.int32)
nisa.register_store(t[:, 0:1], a)
nisa.register_store(t[:, 1:2], b)
return store(t)"""
    same_bits(kernels.run(body, x=np.zeros((1, 1), np.float32)), np.array([[7, 41]], np.int32))
    body = "r = nisa.register_alloc(None)\nt = sbuf((1, 1), nl.int32)\nnisa.register_store(t, r)\nreturn store(t)"
    assert "E05" in kernels.fails(body, x=np.zeros((1, 1), np.float32))


@targets
def test_versions(kernels, target):
    body = """
t = sbuf((1, 2), nl.int32)
nisa.memset(dst=t[:, 0:1], value=nisa.get_nc_version().value)
nisa.memset(dst=t[:, 1:2], value=nisa.get_nc_sub_version())
return store(t)"""
    version = {"trn1": 2, "trn2": 3, "trn3": 4}[target]
    same_bits(kernels.run(body, target, x=np.zeros((1, 1), np.float32)), np.array([[version, 0]], np.int32))


@pytest.mark.parametrize("dtype, value, chosen", [("uint32", "-1", 0), ("uint32", "2**32", 2**32 - 1), ("int32", "2**31", 2**31 - 1),
                                                  ("int8", "-2**40", -128)])
def test_gap_memset_range_of_words(kernels, dtype, value, chosen):
    body = f"t = sbuf((3, 2), nl.{dtype})\nnisa.memset(dst=t, value={value})\nreturn store(t)"
    result = kernels.gap("memset-range", body, x=np.zeros((1, 1), np.float32))
    same_bits(result, np.full((3, 2), chosen, np.int64).astype(DTYPES[dtype]))


@pytest.mark.parametrize("between", ["bfloat16", "int8", "float32"])
def test_tensor_copy_rounds_on_its_way(kernels, random, between):
    x = random_values(random, "float32", 5, 11)
    body = f"t = sbuf(x.shape, x.dtype)\nnisa.tensor_copy(dst=t, src=load(x), dtype=nl.{between})\nreturn store(t)"
    same_bits(kernels.run(body, x=x), convert(x, between).astype(np.float32))


# ---- narrow floats kept in float32

UNROUNDED = {
    "dma": "t = sbuf((4, 20), x.dtype)\nnisa.dma_copy(dst=t, src=x.vector_select(0, load(i)[0:4, 0:1]))\nreturn store(t)",
    "dma_transpose": "t = sbuf((20, 32), x.dtype)\nnisa.dma_transpose(dst=t, src=x)\nreturn store(t)",
    "dma_compute": "t = sbuf(x.shape, x.dtype)\nnisa.dma_compute(t, [x, x, x], nl.add)\nreturn store(t)",
    "copy": "t = sbuf(x.shape, x.dtype)\nnisa.tensor_copy(dst=t, src=load(x))\nreturn store(t)",
    "memset": "t = sbuf(x.shape, x.dtype)\nnisa.memset(dst=t, value=1.25)\nreturn store(t)",
    "predicated": "t = load(x)\nnisa.tensor_copy_predicated(dst=t, src=0.5, predicate=load(i))\nreturn store(t)",
    "affine_select": "t = sbuf(x.shape, x.dtype)\nnisa.affine_select(t, [[1, 20]], -1, load(x), 2.5, nl.greater)\nreturn store(t)",
    "iota": "t = sbuf(x.shape, x.dtype)\nnisa.iota(t, [[1, 20]], channel_multiplier=3)\nreturn store(t)",
    "transpose": "t = sbuf((20, 32), x.dtype)\nnisa.nc_transpose(dst=t, data=load(x), engine=nisa.engine.vector)\nreturn store(t)",
    "shuffle": "t = load(x)\nnisa.nc_stream_shuffle(t, t, [31 - p for p in range(32)])\nreturn store(t)",
    "n_gather": "t = sbuf((32, 20), x.dtype)\nnisa.nc_n_gather(t, load(x), load(i))\nreturn store(t)",
    "product": "d = psum((20, 20))\nnisa.nc_matmul(d, load(x), load(x))\nreturn evict(d)",
}


@pytest.mark.parametrize("name", UNROUNDED)
def test_unrounded_floats(kernels, random, name):
    """With --fp f32 moves give the same values, and the two kinds of executors the same bits."""
    x, i = random_values(random, "bfloat16", 32, 20), random.integers(0, 20, (32, 20)).astype(np.uint32)
    exact = kernels.run(UNROUNDED[name], x=x, i=i)
    unrounded = kernels.run(UNROUNDED[name], "trn2", "--fp", "f32", x=x, i=i)
    same_bits(unrounded, exact)
