"""Tensor indirection of NeuronCore-v4: columns chosen by a tensor of offsets, against NumPy."""
import ml_dtypes
import numpy as np
import pytest
from isa_kernels import DTYPES, FLOATS, INTEGERS, Kernels, convert, random_bits, random_values, same_bits


@pytest.fixture
def kernels(tmp_path):
    return Kernels(tmp_path)


@pytest.fixture
def random(request):
    return np.random.default_rng(sum(map(ord, request.node.name)))


def index_of(offsets, partitions, group, dtype=np.uint16):
    """Offset i stands at [i % group, i // group], the same for every group of partitions."""
    columns = -(-len(offsets) // group)
    index = np.zeros((group, columns), dtype)
    for i, offset in enumerate(offsets):
        index[i % group, i // group] = offset
    return np.tile(index, (-(-partitions // group), 1))[:partitions]


COPY = """
t = sbuf((x.shape[0], {count}), x.dtype)
nisa.tensor_copy(dst=t, src=load(x).indirect(load(index), {count}), engine=nisa.engine.{engine})
return store(t)"""


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
@pytest.mark.parametrize("engine", ["vector", "scalar", "unknown"])
def test_gather(kernels, random, dtype, engine):
    x, offsets = random_bits(random, dtype, 48, 75), random.integers(0, 75, 41)
    result = kernels.run(COPY.format(count=41, engine=engine), "trn3", x=x, index=index_of(offsets, 48, 16))
    same_bits(result, x[:, offsets])


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int32", "uint8"])
def test_indices_have_any_integer_dtype(kernels, random, dtype):
    x, offsets = random_bits(random, "float32", 16, 75), random.integers(0, 75, 20)
    body = COPY.format(count=20, engine="vector")
    same_bits(kernels.run(body, "trn3", x=x, index=index_of(offsets, 16, 16, DTYPES[dtype])), x[:, offsets])


def test_all_of_the_index_by_default(kernels, random):
    x, offsets = random_bits(random, "float32", 16, 30), random.integers(0, 30, 48)
    body = "t = sbuf((16, 48), x.dtype)\nnisa.tensor_copy(dst=t, src=load(x).indirect(load(index)))\nreturn store(t)"
    same_bits(kernels.run(body, "trn3", x=x, index=index_of(offsets, 16, 16)), x[:, offsets])


def test_offsets_count_from_the_view(kernels, random):
    x, offsets = random_bits(random, "bfloat16", 32, 60), random.integers(0, 20, 24)
    body = """
t = sbuf((32, 24), x.dtype)
nisa.tensor_copy(dst=t, src=load(x)[:, 40:60].indirect(load(index), 24))
return store(t)"""
    same_bits(kernels.run(body, "trn3", x=x, index=index_of(offsets, 32, 16)), x[:, 40 + offsets])


SCATTER = """
t = load(x)
nisa.tensor_copy(dst=t.indirect(load(index), {count}), src=load(y), engine=nisa.engine.vector)
return store(t)"""


@pytest.mark.parametrize("dtype, to", [("float32", "float32"), ("bfloat16", "float32"), ("int32", "int32")])
def test_scatter(kernels, random, dtype, to):
    x, y = random_values(random, to, 64, 50), random_values(random, dtype, 64, 23)
    offsets = random.permutation(50)[:23]
    expected = x.copy()
    expected[:, offsets] = convert(y, to) if dtype != to else y
    same_bits(kernels.run(SCATTER.format(count=23), "trn3", x=x, y=y, index=index_of(offsets, 64, 16)), expected)


def test_both_sides_of_one_tile(kernels, random):
    """All reading comes before all writing."""
    x, first, second = random_bits(random, "float32", 16, 32), random.permutation(32)[:16], random.permutation(32)[:16]
    body = """
t = load(x)
nisa.tensor_copy(dst=t.indirect(load(second), 16), src=t.indirect(load(first), 16))
return store(t)"""
    expected = x.copy()
    expected[:, second] = x[:, first]
    result = kernels.run(body, "trn3", x=x, first=index_of(first, 16, 16), second=index_of(second, 16, 16))
    same_bits(result, expected)


def test_predicated_copy(kernels, random):
    x, y = random_bits(random, "float32", 32, 40), random_bits(random, "float32", 32, 16)
    p = random.integers(0, 2, (32, 90)).astype(np.uint8)
    to, chosen = random.permutation(40)[:16], random.integers(0, 90, 16)
    body = """
t = load(x)
nisa.tensor_copy_predicated(dst=t.indirect(load(to), 16), src=load(y), predicate=load(p).indirect(load(chosen), 16))
return store(t)"""
    expected = x.copy()
    expected[:, to] = np.where(p[:, chosen], y, x[:, to])
    result = kernels.run(body, "trn3", x=x, y=y, p=p, to=index_of(to, 32, 16), chosen=index_of(chosen, 32, 16))
    same_bits(result, expected)


def product(stationary, moving):
    """k ascending, each product exact and one rounding an addition: these have few enough bits for float64 to be exact."""
    total = np.zeros((stationary.shape[1], moving.shape[1]), np.float32)
    for a, b in zip(stationary.astype(np.float64), moving.astype(np.float64)):
        total = (total.astype(np.float64) + np.outer(a, b)).astype(np.float32)
    return total


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e5m2"])
def test_matmul(kernels, random, dtype):
    """On the tensor engine 32 partitions share a list of offsets."""
    a, b = (random.integers(-8, 9, (64, n)).astype(np.float32).astype(DTYPES[dtype]) for n in (100, 90))
    m, n = random.integers(0, 100, 24), random.integers(0, 90, 40)
    body = """
d = psum((24, 40))
nisa.nc_matmul(dst=d, stationary=load(a).indirect(load(m), 24), moving=load(b).indirect(load(n), 40))
return evict(d)"""
    result = kernels.run(body, "trn3", a=a, b=b, m=index_of(m, 64, 32), n=index_of(n, 64, 32))
    same_bits(result, product(a[:, m], b[:, n]))


def test_matmul_scatters_and_accumulates(kernels, random):
    a, b = (random.integers(-8, 9, (32, n)).astype(ml_dtypes.bfloat16) for n in (64, 20))
    to = random.permutation(50)[:20]
    body = """
d = psum((64, 50))
nisa.memset(dst=d, value=7.0)
for first in (True, False):
    nisa.nc_matmul(dst=d.indirect(load(to), 20), stationary=load(a), moving=load(b), accumulate=not first)
return evict(d)"""
    expected = np.full((64, 50), 7, np.float32)
    expected[:, to] = 2 * product(a, b)
    same_bits(kernels.run(body, "trn3", a=a, b=b, to=index_of(to, 64, 32)), expected)


def scaled(units, scales):
    """The (4K, N) values of (K, N) units of e4m3fn with a scale for 8 partitions, four elements of a unit after each other."""
    elements = units.view(ml_dtypes.float8_e4m3fn).reshape(*units.shape, 4).astype(np.float64)
    wide = elements * np.exp2(np.repeat(scales.astype(int), 8, axis=0) - 127.0)[..., None]
    return wide.transpose(0, 2, 1).reshape(-1, units.shape[1])


def test_matmul_mx(kernels, random):
    """Data and scales by one index: both are columns of one matrix."""
    def operand(columns):
        elements = random.integers(-8, 9, (64, columns, 4)).astype(ml_dtypes.float8_e4m3fn)
        return elements.view(np.uint32).reshape(64, columns), random.integers(125, 130, (8, columns)).astype(np.uint8)
    (a, a_scale), (b, b_scale) = operand(50), operand(70)
    m, n = random.integers(0, 50, 20), random.integers(0, 70, 33)
    body = """
def packed(x, scale):
    rows = sbuf((64, x.shape[1]), nl.uint8)
    for q in range(2):
        nisa.dma_copy(dst=rows[32 * q:32 * q + 4, :], src=scale[4 * q:4 * q + 4, :])
    return load(x, nl.float8_e4m3fn_x4), rows
(x, xs), (y, ys), i, j = packed(a, a_scale), packed(b, b_scale), load(m), load(n)
d = psum((20, 33))
nisa.nc_matmul_mx(dst=d, stationary=x.indirect(i, 20), moving=y.indirect(j, 33), stationary_scale=xs.indirect(i, 20),
                  moving_scale=ys.indirect(j, 33))
return evict(d)"""
    tiles = {"a": a, "a_scale": a_scale, "b": b, "b_scale": b_scale, "m": index_of(m, 64, 32), "n": index_of(n, 64, 32)}
    same_bits(kernels.run(body, "trn3", **tiles), product(scaled(a, a_scale)[:, m], scaled(b, b_scale)[:, n]))
    unlike = body.replace("xs.indirect(i, 20)", "xs[:, 0:20]")
    assert "only one is indirect" in kernels.fails(unlike, "trn3", **tiles)


@pytest.mark.parametrize("call, expected", [
    ("tensor_tensor(dst=t.indirect(i, 16), data1=t.indirect(j, 16), data2=load(y), op=nl.add, engine=nisa.engine.vector)",
     lambda x, y: x + y),
    ("tensor_scalar(dst=t.indirect(i, 16), data=t.indirect(j, 16), op0=nl.multiply, operand0=3.0)", lambda x, y: x * 3),
    ("activation(dst=t.indirect(i, 16), op=nl.square, data=t.indirect(j, 16))", lambda x, y: x * x)])
def test_compute_engines(kernels, random, call, expected):
    x, y = random_values(random, "float32", 128, 40), random_values(random, "float32", 128, 16)
    i, j = random.permutation(40)[:16], random.integers(0, 40, 16)
    body = f"t, i, j = load(x), load(to), load(source)\nz = load(y)\nnisa.{call}\nreturn store(t)"
    result = kernels.run(body, "trn3", x=x, y=y, to=index_of(i, 128, 16), source=index_of(j, 128, 16))
    wanted = x.copy()
    wanted[:, i] = expected(x[:, j], y)
    same_bits(result, wanted)


def test_reduction_of_chosen_columns(kernels, random):
    x, j = random_values(random, "float32", 32, 40), random.integers(0, 40, 30)
    body = "t = sbuf((32, 1), x.dtype)\nnisa.tensor_reduce(t, nl.add, load(x).indirect(load(j), 30), axis=1)\nreturn store(t)"
    total = np.zeros(32, np.float32)
    for column in x[:, j].T:
        total = total + column
    same_bits(kernels.run(body, "trn3", x=x, j=index_of(j, 32, 16)), total[:, None])


# ---- gaps

def test_gap_indirect_range(kernels, random):
    x, offsets = random_values(random, "float32", 16, 10), np.array([3, 10, 9, 65535])
    result = kernels.gap("indirect-range", COPY.format(count=4, engine="vector"), "trn3", x=x, index=index_of(offsets, 16, 16))
    same_bits(result, np.stack([x[:, 3], 0 * x[:, 0], x[:, 9], 0 * x[:, 0]], axis=1) + np.float32(0))
    y = random_values(random, "float32", 16, 4)
    result = kernels.gap("indirect-range", SCATTER.format(count=4), "trn3", x=x, y=y, index=index_of(offsets, 16, 16))
    expected = x.copy()
    expected[:, [3, 9]] = y[:, [0, 2]]
    same_bits(result, expected)


def test_gap_indirect_groups(kernels, random):
    x, offsets = random_values(random, "float32", 32, 10), random.integers(0, 10, 16)
    index = index_of(offsets, 32, 16)
    index[20] += 1
    result = kernels.gap("indirect-groups", COPY.format(count=16, engine="vector"), "trn3", x=x, index=index)
    same_bits(result, x[:, offsets])


def test_gap_indirect_count(kernels, random):
    x, offsets = random_values(random, "float32", 32, 10), random.integers(0, 10, 16)
    result = kernels.gap("indirect-count", COPY.format(count=32, engine="vector"), "trn3", x=x, index=index_of(offsets, 32, 16))
    same_bits(result, x[:, np.tile(offsets, 2)])


def test_gap_indirect_order(kernels, random):
    x, y = random_values(random, "float32", 16, 10), random_values(random, "float32", 16, 3)
    result = kernels.gap("indirect-order", SCATTER.format(count=3), "trn3", x=x, y=y, index=index_of([4, 7, 4], 16, 16))
    expected = x.copy()
    expected[:, [7, 4]] = y[:, [1, 2]]
    same_bits(result, expected)


@pytest.mark.parametrize("target", ["trn1", "trn2"])
def test_indirection_needs_v4(kernels, random, target):
    x, offsets = random_values(random, "float32", 16, 10), np.arange(4)
    message = kernels.fails(COPY.format(count=4, engine="vector"), target, x=x, index=index_of(offsets, 16, 16))
    assert "NeuronCore-v4" in message


# ---- what is refused

@pytest.mark.parametrize("call, words", [
    ("nc_transpose(dst=sbuf((16, 16), x.dtype), data=v)", ["`data`", "tensor-indirection"]),
    ("tensor_copy(dst=d, src=v, engine=nisa.engine.gpsimd)", ["gpsimd engine", "tensor-indirection"]),
    ("tensor_tensor(dst=d, data1=t[:, 0:16], data2=v, op=nl.add)", ["`data2`", "tensor-indirection"]),
    ("tensor_copy_predicated(dst=d, src=v, predicate=p)", ["`src`", "tensor-indirection"]),
    ("tensor_copy(dst=d, src=late)", ["index of `src` starts at partition 32, the operand at 0"]),
    ("tensor_copy(dst=psum((16, 16)).indirect(i, 16), src=d, engine=nisa.engine.scalar)", ["scatters into psum"]),
    ("nc_matmul(dst=psum((16, 16)), stationary=v, moving=t[:, 0:16])", ["`stationary` is float32"]),
    ("nc_matmul(dst=psum((16, 16)), stationary=h.indirect(i, 16), moving=h.indirect(i, 16), is_transpose=True)",
     ["`moving` is indirect in transpose mode"]),
    ("nc_matmul(dst=psum((16, 16)), stationary=h.indirect(i, 16), moving=h[:, 0:16], tile_position=(32, 0), tile_size=(32, 128))",
     ["tile_position"])])
def test_refused(kernels, random, call, words):
    body = f"""
t, i = load(x), load(index)
h = sbuf(x.shape, nl.bfloat16)
nisa.tensor_copy(dst=h, src=t)
v, d, p = t.indirect(i, 16), sbuf((16, 16), x.dtype), sbuf((16, 16), nl.uint8)
nisa.memset(dst=d, value=0.0)
nisa.memset(dst=p, value=0)
both = sbuf((48, 1), nl.uint16)
nisa.memset(dst=both, value=0)
late = t.indirect(both[32:48, :], 16)
nisa.{call}
return store(d)"""
    message = kernels.fails(body, "trn3", x=random_values(random, "float32", 16, 40),
                            index=index_of(np.arange(16), 16, 16))
    assert all(word in message for word in words), message
