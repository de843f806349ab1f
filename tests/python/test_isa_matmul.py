"""The tensor engine's products against float64 arithmetic that rounds once, on every generation."""
import ml_dtypes
import numpy as np
import pytest
from isa_kernels import DTYPES, TARGETS, Kernels, random_values, same_bits


@pytest.fixture
def kernels(tmp_path):
    return Kernels(tmp_path)


@pytest.fixture
def random(request):
    return np.random.default_rng(sum(map(ord, request.node.name)))


targets = pytest.mark.parametrize("target", [pytest.param(name, marks=[pytest.mark.slow] * (name != "trn2")) for name in TARGETS])


def fused(a, b, total):
    """total + a * b in float32, rounded once: the sum in float64 is rounded to odd, which a second rounding cannot disturb."""
    exact = a.astype(np.float64) * b.astype(np.float64)
    wide = total.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        near = wide + exact
        back = near - wide
        error = (wide - (near - back)) + (exact - back)
        is_even = near.view(np.int64) % 2 == 0
        odd = np.nextafter(near, np.where(error > 0, np.inf, -np.inf))
        return np.where((error != 0) & is_even & np.isfinite(near), odd, near).astype(np.float32)


def product(stationary, moving, start=None):
    """k ascending; of (K, 2, M) operands the two of a k after each other."""
    rows = stationary.reshape(-1, stationary.shape[-1]), moving.reshape(-1, moving.shape[-1])
    total = np.zeros((stationary.shape[-1], moving.shape[-1]), np.float32)
    for a, b in zip(*rows):
        total = fused(a[:, None], b[None, :], total)
    return total if start is None else start + total


PRODUCT = """
d = psum((a.shape[-1], b.shape[-1]), nl.{dst})
nisa.nc_matmul(dst=d, stationary=load(a{view_a}), moving=load(b{view_b}){more})
return evict(d)"""


def matmul(dst="float32", more="", view_a="", view_b=""):
    return PRODUCT.format(dst=dst, more=more, view_a=view_a, view_b=view_b)


@targets
@pytest.mark.parametrize("shape", [(1, 1, 1), (128, 96, 140), (37, 53, 101), (128, 3, 512)])
@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("bfloat16", "bfloat16"), ("float16", "bfloat16"),
                                    ("float8_e4m3", "float8_e5m2"), ("bfloat16", "float8_e5m2")])
def test_product(kernels, random, shape, dtypes, target):
    k, m, n = shape
    a, b = random_values(random, dtypes[0], k, m), random_values(random, dtypes[1], k, n)
    same_bits(kernels.run(matmul(), target, a=a, b=b), product(a, b))


def test_ocp_fp8_on_v4(kernels, random):
    a, b = random_values(random, "float8_e4m3fn", 40, 30), random_values(random, "float8_e5m2", 40, 20)
    same_bits(kernels.run(matmul(), "trn3", a=a, b=b), product(a, b))
    assert "E05" in kernels.fails(matmul(), "trn2", a=a, b=b)
    assert "E05" in kernels.fails(matmul(), "trn3", a=a, b=random_values(random, "float8_e4m3", 40, 20))


def test_tfloat32_ignores_low_bits(kernels, random):
    """A tfloat32 is stored in 32 bits; the low 13 do not count when it is read, and are rounded away when it is written."""
    a, b = random.normal(size=(30, 9)).astype(np.float32), random.normal(size=(30, 14)).astype(np.float32)
    short = (a.view(np.uint32) & 0xFFFFE000).view(np.float32)
    viewed = """
d = psum((9, 14))
nisa.nc_matmul(dst=d, stationary=load(a).view(nl.tfloat32), moving=load(b))
return evict(d)"""
    same_bits(kernels.run(viewed, a=a, b=b), product(short, b))
    written = """
t = sbuf(a.shape, nl.tfloat32)
nisa.tensor_copy(dst=t, src=load(a))
d = psum((9, 14))
nisa.nc_matmul(dst=d, stationary=t, moving=load(b))
return evict(d)"""
    bits = a.view(np.uint32).astype(np.uint64)
    rounded = ((bits + 0xFFF + (bits >> 13 & 1)) & 0xFFFFE000).astype(np.uint32).view(np.float32)
    same_bits(kernels.run(written, a=a, b=b), product(rounded, b))


@pytest.mark.parametrize("pair", [("float32", "bfloat16"), ("float16", "float32"), ("int8", "int8")])
def test_mixes_that_are_refused(kernels, random, pair):
    a, b = random_values(random, pair[0], 8, 4), random_values(random, pair[1], 8, 4)
    assert "E05" in kernels.fails(matmul(), a=a, b=b)


@targets
def test_products_of_subnormals(kernels, target):
    a, b = np.full((1, 2), 2**-100, np.float32), np.array([[2**-40, 2**-49, 3 * 2.0**-50]], np.float32)
    same_bits(kernels.run(matmul(), target, a=a, b=b), product(a, b))
    assert product(a, b)[0, 0] == 2**-140


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e5m2"])
@pytest.mark.parametrize("shape", [(128, 64, 96), (127, 33, 50), (1, 128, 512), (2, 9, 17)])
@pytest.mark.parametrize("low", [-140, -126, -70, -64, -60, -56, -52])
def test_bits_do_not_depend_on_how_small_elements_are(kernels, random, dtype, shape, low):
    """Instructions of the CPU that take small numbers for zero are used only where none can be (kernels/matmul_bf16.c)."""
    k, m, n = shape
    factors = []
    for columns in (m, n):
        exponents = random.integers(low, low + 24, (k, columns))
        values = np.ldexp(random.choice([-1.0, 1.0], (k, columns)) * random.uniform(1, 2, (k, columns)), exponents)
        factors.append((values * (random.random((k, columns)) < 0.9)).astype(DTYPES[dtype]))
    factors[1][:, 0] = DTYPES[dtype](1)  # a column whose sums are the others' sizes
    same_bits(kernels.run(matmul(), a=factors[0], b=factors[1]), product(*factors))


@pytest.mark.parametrize("depth", [3, 128])
def test_nan_and_infinities_of_bfloat16(kernels, random, depth):
    a, b = (random.normal(size=(depth, size)).astype(ml_dtypes.bfloat16) for size in (16, 48))
    a[0, 0], b[0, 1], b[1, 2], b[2, 2], a[2, 3], b[1, 5] = np.inf, 0, np.inf, -np.inf, np.nan, 3e38
    result, wanted = kernels.run(matmul(), a=a, b=b), product(a, b)
    same_bits(np.isnan(result), np.isnan(wanted))
    same_bits(np.nan_to_num(result), np.nan_to_num(wanted))


@targets
def test_nan_and_infinities(kernels, target):
    a, b = np.ones((3, 2), np.float32), np.ones((3, 4), np.float32)
    a[0, 0], b[0, 1], b[1, 2], b[2, 2] = np.inf, 0, np.inf, -np.inf
    result = kernels.run(matmul(), target, a=a, b=b)
    same_bits(result, np.array([[np.inf, np.nan, np.nan, np.inf], [3, 2, np.nan, 3]], np.float32))


# ---- double_row

@pytest.mark.parametrize("target", ["trn2", "trn3"])
@pytest.mark.parametrize("dtypes", [("float8_e4m3", "float8_e4m3"), ("float8_e5m2", "float8_e4m3"), ("float8_e4m3fn", "float8_e5m2")])
@pytest.mark.parametrize("shape", [(128, 40, 90), (13, 7, 30), (1, 1, 1)])
def test_double_row(kernels, random, dtypes, shape, target):
    if "fn" in dtypes[0] and target == "trn2":
        return
    k, m, n = shape
    a, b = random_values(random, dtypes[0], k, 2, m), random_values(random, dtypes[1], k, 2, n)
    for mode in "nisa.matmul_perf_mode.double_row", "'double_row'":
        same_bits(kernels.run(matmul(more=f", perf_mode={mode}"), target, a=a, b=b), product(a, b))


def test_double_row_is_refused(kernels, random):
    a, b = random_values(random, "float8_e4m3", 8, 2, 6), random_values(random, "float8_e4m3", 8, 2, 5)
    mode = ", perf_mode=nisa.matmul_perf_mode.double_row"
    assert "double" in kernels.fails(matmul(more=mode), "trn1", a=a, b=b)
    assert "double" in kernels.fails(matmul(more=mode), "trn2", a=a.astype(ml_dtypes.bfloat16), b=b.astype(ml_dtypes.bfloat16))
    assert "double" in kernels.fails(matmul(more=mode + ", tile_position=(0, 64), tile_size=(128, 64)"), a=a, b=b)


# ---- tiles of the array

@targets
@pytest.mark.parametrize("position, size", [((0, 0), (128, 128)), ((64, 0), (64, 128)), ((0, 64), (64, 64)), ((64, 64), (64, 64)),
                                            ((96, 0), (32, 128)), ((0, 96), (128, 32)), ((32, 64), (32, 64))])
def test_array_tiles_change_no_bit(kernels, random, position, size, target):
    k, m = min(29, size[0]), min(27, size[1])
    a, b = random_values(random, "bfloat16", k, m), random_values(random, "bfloat16", k, 50)
    body = matmul(more=f", tile_position={position}, tile_size={size}")
    if target == "trn1" and 32 in size:
        assert "tile" in kernels.fails(body, target, a=a, b=b)
    else:
        same_bits(kernels.run(body, target, a=a, b=b), product(a, b))


@pytest.mark.parametrize("position, size", [((32, 0), (64, 128)), ((128, 0), (64, 128)), ((0, 0), (48, 128)), ((0, 0), (16, 128))])
def test_array_tiles_that_are_refused(kernels, random, position, size):
    a, b = random_values(random, "bfloat16", 16, 16), random_values(random, "bfloat16", 16, 50)
    assert "tile" in kernels.fails(matmul(more=f", tile_position={position}, tile_size={size}"), a=a, b=b)


def test_array_tiles_hold_their_operands(kernels, random):
    a, b = random_values(random, "bfloat16", 65, 16), random_values(random, "bfloat16", 65, 50)
    assert "tile" in kernels.fails(matmul(more=", tile_position=(0, 0), tile_size=(64, 128)"), a=a, b=b)


# ---- accumulation

ACCUMULATE = """
d = psum((a.shape[1], b.shape[1]), nl.{dst})
for i in range(3):
    nisa.nc_matmul(dst=d, stationary=load(a), moving=load(b), accumulate={flag})
return evict(d)"""


@targets
@pytest.mark.parametrize("flag, times", [("i > 0", 3), ("None", 3), ("False", 1)])
def test_accumulation(kernels, random, flag, times, target):
    a, b = random_values(random, "bfloat16", 33, 20), random_values(random, "bfloat16", 33, 70)
    once = product(a, b)
    total = once
    for _ in range(times - 1):
        total = total + once
    same_bits(kernels.run(ACCUMULATE.format(dst="float32", flag=flag), target, a=a, b=b), total)


@pytest.mark.parametrize("flag, times", [("i > 0", 3), ("None", 3), ("False", 1)])
def test_bfloat16_accumulation_on_v4_rounds_each_time(kernels, random, flag, times):
    """The old value is widened, added to in float32, and rounded again."""
    a, b = random_values(random, "bfloat16", 33, 20), random_values(random, "bfloat16", 33, 70)
    once = product(a, b)
    total = once.astype(ml_dtypes.bfloat16)
    for _ in range(times - 1):
        total = (total.astype(np.float32) + once).astype(ml_dtypes.bfloat16)
    body = ACCUMULATE.format(dst="bfloat16", flag=flag)
    same_bits(kernels.run(body, "trn3", a=a, b=b), total)
    assert "float32" in kernels.fails(body, "trn2", a=a, b=b)


def test_gen2_matmul_destination_is_float32(kernels, random):
    a, b = random_values(random, "bfloat16", 3, 2), random_values(random, "bfloat16", 3, 5)
    for dst in "bfloat16", "float16":
        assert "float32" in kernels.fails(matmul(dst=dst), "trn1", a=a, b=b)


@targets
def test_overlapping_regions_accumulate(kernels, random, target):
    """Release notes: what two products share is added up, the rest of each is written anew."""
    a, b = random_values(random, "bfloat16", 16, 12), random_values(random, "bfloat16", 16, 30)
    body = """
d = psum((12, 50))
x, y = load(a), load(b)
nisa.nc_matmul(dst=d[:, 0:30], stationary=x, moving=y)
nisa.nc_matmul(dst=d[:, 20:50], stationary=x, moving=y)
return evict(d)"""
    once = product(a, b)
    expected = np.zeros((12, 50), np.float32)
    expected[:, :30] = once
    expected[:, 30:] = once[:, 10:]
    expected[:, 20:30] = once[:, 20:] + once[:, :10]
    same_bits(kernels.run(body, target, a=a, b=b), expected)


def test_columns_of_bfloat16_are_apart(kernels, random):
    """Two neighbours share 4 bytes of PSUM: writing one is not writing the other."""
    a, b = random_values(random, "bfloat16", 16, 12), random_values(random, "bfloat16", 16, 2)
    body = """
d = psum((12, 2), nl.bfloat16)
x, y = load(a), load(b)
nisa.nc_matmul(dst=d[:, 0:1], stationary=x, moving=y[:, 0:1])
nisa.nc_matmul(dst=d[:, 1:2], stationary=x, moving=y[:, 1:2])
return evict(d)"""
    try:
        same_bits(kernels.run(body, "trn3", a=a, b=b), product(a, b).astype(ml_dtypes.bfloat16))
    except AssertionError as refused:  # a result that starts inside a cell may be refused, never be wrong
        assert "E05" in str(refused)


def test_v4_spans_banks(kernels, random):
    a, b = random_values(random, "bfloat16", 20, 9), random_values(random, "bfloat16", 20, 4096)
    same_bits(kernels.run(matmul(), "trn3", a=a, b=b), product(a, b))
    assert "512" in kernels.fails(matmul(), "trn2", a=a, b=b)
    wide = random_values(random, "bfloat16", 20, 8192)
    same_bits(kernels.run(matmul(dst="bfloat16"), "trn3", a=a, b=wide), product(a, wide).astype(ml_dtypes.bfloat16))
    assert "4096" in kernels.fails(matmul(), "trn3", a=a, b=wide)


@pytest.mark.parametrize("operand", ["stationary", "moving"])
def test_gap_matmul_hint(kernels, random, operand):
    ones = random.integers(0, 2, (12, 7)).astype(np.float32)
    b = random_values(random, "float32", 12, 9)
    tiles = {"a": ones, "b": b} if operand == "stationary" else {"a": b, "b": ones}
    body = matmul(more=f", is_{operand}_onezero=True")
    same_bits(kernels.run(body, **tiles), product(tiles["a"], tiles["b"]))
    ones[3, 4] = 2
    same_bits(kernels.gap("matmul-hint", body, **tiles), product(tiles["a"], tiles["b"]))
    narrow = {name: tile.astype(ml_dtypes.bfloat16) for name, tile in tiles.items()}  # no meaning there
    same_bits(kernels.run(body, **narrow), product(narrow["a"], narrow["b"]))


def test_transposes_into_float32(kernels, random):
    """The reference asks for a float32 dst, the guide of NeuronCore-v3 for the dtype of the data: both hold the values."""
    x, eye = random_values(random, "bfloat16", 9, 12), np.eye(9, dtype=ml_dtypes.bfloat16)
    body = "d = psum((12, 9), nl.{})\nnisa.nc_matmul(dst=d, stationary=load(x), moving=load(eye), is_transpose=True)\nreturn evict(d)"
    for target in TARGETS:
        same_bits(kernels.run(body.format("float32"), target, x=x, eye=eye), x.T.astype(np.float32))
    same_bits(kernels.run(body.format("bfloat16"), "trn2", x=x, eye=eye), x.T)


def test_bf16_products_as_measured_on_trn1(kernels, random):
    """A single source: a switch, never the default."""
    a, b = random_values(random, "bfloat16", 40, 7), random_values(random, "bfloat16", 40, 19)
    total = np.zeros((7, 19), np.float32)
    for x, y in zip(a.astype(np.float32), b.astype(np.float32)):
        total = total + np.outer(x, y).astype(ml_dtypes.bfloat16).astype(np.float32)
    same_bits(kernels.run(matmul(), "trn1", "--fp", "bf16-products", a=a, b=b), total)
    same_bits(kernels.run(matmul(), "trn1", a=a, b=b), product(a, b))
    wide = a.astype(np.float32), b.astype(np.float32)
    same_bits(kernels.run(matmul(), "trn1", "--fp", "bf16-products", a=wide[0], b=wide[1]), product(*wide))


def test_transposes_of_gen2_are_float32_too(kernels, random):
    x, eye = random_values(random, "bfloat16", 9, 12), np.eye(9, dtype=ml_dtypes.bfloat16)
    body = "d = psum((12, 9), x.dtype)\nnisa.nc_matmul(dst=d, stationary=load(x), moving=load(eye), is_transpose=True)\nreturn evict(d)"
    assert "float32" in kernels.fails(body, "trn1", x=x, eye=eye)


def test_gap_transpose_accumulate(kernels, random):
    x, eye = random_values(random, "float32", 9, 12), np.eye(9, dtype=np.float32)
    body = """
d = psum((12, 9))
for i in range(2):
    nisa.nc_matmul(dst=d, stationary=load(x), moving=load(eye), is_transpose=True, accumulate={})
return evict(d)"""
    same_bits(kernels.gap("transpose-accumulate", body.format("i > 0"), x=x, eye=eye), x.T)
    same_bits(kernels.run(body.format("None"), "trn2", x=x, eye=eye), x.T)
