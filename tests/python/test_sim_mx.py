"""MX formats against NumPy: ml_dtypes has the elements, float64 and Python's integers have the arithmetic."""
import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from conftest import run_klr

random = np.random.default_rng(11)
ELEMENT = {"float8_e4m3fn_x4": ml_dtypes.float8_e4m3fn, "float8_e5m2_x4": ml_dtypes.float8_e5m2,
           "float4_e2m1fn_x4": ml_dtypes.float4_e2m1fn}
EMAX = {"float8_e4m3fn_x4": 8, "float8_e5m2_x4": 15}

KERNELS = """
import nki
import nki.isa as nisa
import nki.language as nl


def load(x, dtype=None):
    tile = nl.ndarray(x.shape, dtype=dtype or x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    return tile


def store(tile):
    out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=tile)
    return out


def spread(scale, partitions, start=0):
    # Four rows of scales for each 32 partitions, at the start of their quadrant.
    tile = nl.ndarray((partitions, scale.shape[1]), dtype=scale.dtype, buffer=nl.sbuf)
    for q in range(partitions // 32):
        nisa.dma_copy(dst=tile[32 * q + start:32 * q + start + 4, :], src=scale[4 * q:4 * q + 4, :])
    return tile[start:, :]


def gather(tile, partitions):
    out = nl.ndarray((partitions // 8, tile.shape[1]), dtype=tile.dtype, buffer=nl.shared_hbm)
    for q in range(partitions // 32):
        nisa.dma_copy(dst=out[4 * q:4 * q + 4, :], src=tile[32 * q:32 * q + 4, :])
    return out


@nki.jit
def quantize(x, dtype):
    partitions, columns = x.shape
    data = nl.ndarray((partitions, columns // 4), dtype=dtype, buffer=nl.sbuf)
    scale = nl.ndarray((4 if partitions == 32 else partitions, columns // 4), dtype=nl.uint8, buffer=nl.sbuf)
    nisa.quantize_mx(dst=data, src=load(x), dst_scale=scale)
    return store(data), gather(scale, partitions)


@nki.jit
def quantize_rows(x, dtype, rows, kept):
    # Of x only `rows` rows are loaded; the first `kept` rows of the results come out, the others are 0.
    partitions, columns = x.shape
    part = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=part[0:rows], src=x[0:rows])
    data = nl.ndarray((partitions, columns // 4), dtype=dtype, buffer=nl.sbuf)
    scale = nl.ndarray((partitions, columns // 4), dtype=nl.uint8, buffer=nl.sbuf)
    nisa.quantize_mx(dst=data, src=part, dst_scale=scale)
    kept_data = nl.ndarray(data.shape, dtype=data.dtype, buffer=nl.sbuf)
    nisa.memset(dst=kept_data, value=0)
    nisa.tensor_copy(dst=kept_data[0:kept], src=data[0:kept])
    kept_scale = nl.ndarray((8, columns // 4), dtype=nl.uint8, buffer=nl.sbuf)
    nisa.memset(dst=kept_scale, value=0)
    nisa.tensor_copy(dst=kept_scale[0:4], src=scale[0:4])
    return store(kept_data), store(kept_scale)


@nki.jit
def padded(x, rows, value):
    # x times itself; of the moving factor `rows` rows, and `value` instead of a zero in the last row of the stationary one.
    fixed, part = load(x), nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=part[0:rows], src=x[0:rows])
    nisa.memset(dst=fixed[32:64, 0:4], value=value)
    factors = []
    for tile in (fixed, part):
        data = nl.ndarray((64, 4), dtype=nl.float8_e4m3fn_x4, buffer=nl.sbuf)
        scale = nl.ndarray((64, 4), dtype=nl.uint8, buffer=nl.sbuf)
        nisa.quantize_mx(dst=data, src=tile, dst_scale=scale)
        factors += [data, scale]
    dst = nl.ndarray((4, 4), dtype=nl.float32, buffer=nl.psum)
    nisa.nc_matmul_mx(dst=dst, stationary=factors[0], stationary_scale=factors[1], moving=factors[2], moving_scale=factors[3])
    out = nl.ndarray((4, 4), dtype=nl.float32, buffer=nl.sbuf)
    nisa.tensor_copy(dst=out, src=dst)
    return store(out)


@nki.jit
def product(a, a_scale, b, b_scale, dtype=nl.float32, start=0, times=1, accumulate=None):
    dst = nl.ndarray((a.shape[1], b.shape[1]), dtype=dtype, buffer=nl.psum)
    x, y, xs, ys = load(a), load(b), spread(a_scale, a.shape[0], start), spread(b_scale, b.shape[0], start)
    for i in range(times):
        nisa.nc_matmul_mx(dst=dst, stationary=x, moving=y, stationary_scale=xs, moving_scale=ys, accumulate=accumulate)
    out = nl.ndarray(dst.shape, dtype=dtype, buffer=nl.sbuf)
    nisa.tensor_copy(dst=out, src=dst)
    return store(out)
"""


@pytest.fixture
def run(tmp_path):
    file = tmp_path / "kernels.py"
    file.write_text(KERNELS)

    def run(kernel, *options, expect=0, **arguments):
        words = []
        for name, value in arguments.items():
            if isinstance(value, tuple):
                array, suffix = value
                np.save(tmp_path / f"{name}.npy", array)
                value = f"@{tmp_path / name}.npy{suffix}"
            words.append(f"{name}={value}")
        result = run_klr("run", f"{file}:{kernel}", *words, "--target", "trn3", "--out", tmp_path / "out", *options)
        assert result.returncode == expect, result.stderr
        if expect:
            return result.stderr
        return [np.load(path) for path in sorted((tmp_path / "out").glob("*.npy"), key=lambda p: p.stat().st_mtime_ns)]

    return run


def outputs(arrays):
    """The arrays of a result of two, data first: only the data has units of more than a byte."""
    return sorted(arrays, key=lambda array: -array.itemsize)


def pack(elements, dtype):
    """(P, C, 4) elements as (P, C) units, element 0 lowest."""
    codes = elements.astype(ELEMENT[dtype]).view(np.uint8).astype(np.uint32)
    width = 4 if dtype.startswith("float4") else 8
    units = sum(codes[..., q] << (width * q) for q in range(4))
    return units.astype(np.uint16 if width == 4 else np.uint32)


def unpack(units, dtype):
    codes = np.stack([units >> (8 * q) & 255 for q in range(4)], axis=-1).astype(np.uint8)
    return codes.view(ELEMENT[dtype]).astype(np.float64)


MOST = {"float8_e4m3fn_x4": 448, "float8_e5m2_x4": 57344}


def quantized(x, dtype, above=1):
    """Elements and scale bytes of (P, 4C) values, group by group; scales so many binades above the OCP sample's."""
    x = x.astype(np.float64)
    elements, scales = np.empty(x.shape), np.empty((x.shape[0] // 8, x.shape[1] // 4), np.uint8)
    for g in range(scales.shape[0]):
        for c in range(scales.shape[1]):
            at = np.s_[8 * g:8 * g + 8, 4 * c:4 * c + 4]
            largest = np.abs(x[at]).max()
            if not np.isfinite(largest):
                elements[at], scales[g, c] = np.nan, 255
                continue
            exponent = max(-127, math.frexp(largest)[1] - 1 - (EMAX[dtype] - above)) if largest else -127
            elements[at] = np.clip(x[at] * 2.0**-exponent, -MOST[dtype], MOST[dtype]).astype(ELEMENT[dtype]).astype(np.float64)
            scales[g, c] = exponent + 127
    return elements.reshape(x.shape[0], -1, 4), scales


@pytest.mark.parametrize("dtype", EMAX)
@pytest.mark.parametrize("source", ["bf16", "f16"])
@pytest.mark.parametrize("partitions, columns", [(32, 4), (64, 52), (96, 12), (128, 36)])
def test_quantize(run, dtype, source, partitions, columns):
    magnitudes = np.exp2(random.uniform(-30 if source == "bf16" else -14, 15, (partitions, columns)))
    x = (magnitudes * random.choice([-1, 1], magnitudes.shape)).astype(np.float32)
    x[random.random(x.shape) < 0.1] = 0
    x[8:16, :4] = 0
    narrow = x.astype(ml_dtypes.bfloat16 if source == "bf16" else np.float16)
    data, scale = outputs(run("quantize", x=(x, f":{source}"), dtype=f"nl.{dtype}"))
    elements, scales = quantized(narrow, dtype)
    np.testing.assert_array_equal(scale, scales)
    np.testing.assert_array_equal(unpack(data, dtype), elements)
    assert scale[1, 0] == 0 and not data[8:16, 0].any()


@pytest.mark.parametrize("dtype", EMAX)
def test_quantize_as_the_ocp_sample_does(run, dtype):
    """On request: scales one binade lower, and the largest elements saturate."""
    x = random.normal(size=(64, 48)).astype(np.float16)
    x[3, 0:4], x[8:16, 4:8] = 1.984375, 0
    want, scales = quantized(x, dtype, above=0)
    for options in ([], ["--reference"]):
        data, scale = outputs(run("quantize", "--fp", "ocp-scales", *options, x=(x, ":f16"), dtype=f"nl.{dtype}"))
        np.testing.assert_array_equal(scale, scales)
        np.testing.assert_array_equal(unpack(data, dtype), want)
    assert np.abs(want).max() == MOST[dtype] and scale[1, 1] == 0
    data, documented = outputs(run("quantize", x=(x, ":f16"), dtype=f"nl.{dtype}"))
    assert (documented.astype(int) - scale)[scale > 0].tolist() == [1] * np.count_nonzero(scale)


@pytest.mark.parametrize("dtype", EMAX)
def test_quantize_at_the_ends_of_the_range(run, dtype):
    x = np.zeros((32, 24), np.float32)
    x[:8, :4] = 3.3e38                       # near the largest bfloat16
    x[8:16, :4] = np.float32(2.0**-130)      # the scale stops at 2^-127
    x[16, 5], x[17, 9], x[18, 13] = np.nan, np.inf, -np.inf
    x[24:, 16:20] = random.normal(size=(8, 4)) * 1e-36
    assert "gap `quantize-nonfinite`" in run("quantize", x=(x, ":bf16"), dtype=f"nl.{dtype}", expect=1)
    data, scale = outputs(run("quantize", "--lenient", x=(x, ":bf16"), dtype=f"nl.{dtype}"))
    elements, scales = quantized(x.astype(ml_dtypes.bfloat16), dtype)
    np.testing.assert_array_equal(scale, scales)
    np.testing.assert_array_equal(unpack(data, dtype), elements)
    assert np.isnan(unpack(data, dtype)[16:24, 1:4]).all() and (scale[2, 1:4] == 255).all()


def exact_product(a, a_scale, b, b_scale):
    """In float64, which holds each scaled product exactly and nearly their sum."""
    wide = [e.astype(np.float64) * 2.0**(np.repeat(s.astype(int), 8, axis=0) - 127)[..., None]
            for e, s in ((a, a_scale), (b, b_scale))]
    return np.einsum("kmq,knq->mn", *wide), np.einsum("kmq,knq->mn", *map(np.abs, wide))


def operands(partitions, rows, columns, a_dtype, b_dtype, scales=(115, 140)):
    make = lambda n, dtype: random.uniform(-6, 6, (partitions, n, 4)).astype(ELEMENT[dtype])
    scale = lambda n: random.integers(*scales, (partitions // 8, n)).astype(np.uint8)
    return make(rows, a_dtype), scale(rows), make(columns, b_dtype), scale(columns)


def arguments(a, a_scale, b, b_scale, a_dtype, b_dtype):
    return dict(a=(pack(a, a_dtype), f":{a_dtype}"), a_scale=(a_scale, ""), b=(pack(b, b_dtype), f":{b_dtype}"),
                b_scale=(b_scale, ""))


@pytest.mark.parametrize("a_dtype", ELEMENT)
@pytest.mark.parametrize("b_dtype", ELEMENT)
def test_product_of_every_pair_of_formats(run, a_dtype, b_dtype):
    given = operands(64, 6, 19, a_dtype, b_dtype)
    result, = run("product", **arguments(*given, a_dtype, b_dtype))
    want, size = exact_product(*given)
    assert (np.abs(result - want) <= 2.0**-24 * 300 * size).all()


def float32_sum(a, a_scale, b, b_scale):
    """Partitions, then lanes, ascending; each addition rounded once from the exact value, in integers."""
    def rounded(value):  # of a Fraction
        n, d = value.numerator, value.denominator
        if n == 0:
            return value
        shift = abs(n).bit_length() - d.bit_length() - 26
        scaled = value / Fraction(2)**shift
        bits = abs(scaled.numerator) // scaled.denominator
        sticky = bits * scaled.denominator != abs(scaled.numerator)
        bits = bits << 1 | sticky
        shift -= 1
        drop = max(bits.bit_length() - 24, -149 - shift)
        kept, rest, half = bits >> drop, bits & ((1 << drop) - 1), 1 << (drop - 1)
        kept += rest > half or (rest == half and kept & 1)
        return Fraction(kept if n > 0 else -kept) * Fraction(2)**(shift + drop)

    result = np.empty((a.shape[1], b.shape[1]))
    for m in range(a.shape[1]):
        for n in range(b.shape[1]):
            total = Fraction(0)
            for k in range(a.shape[0]):
                power = Fraction(2)**(int(a_scale[k // 8, m]) + int(b_scale[k // 8, n]) - 254)
                for q in range(4):
                    total = rounded(total + Fraction(float(a[k, m, q])) * Fraction(float(b[k, n, q])) * power)
            result[m, n] = float(total)
    return result


@pytest.mark.parametrize("scales", [(110, 145), (40, 75), (175, 186)])
def test_product_to_the_bit(run, scales):
    given = operands(32, 4, 5, "float8_e4m3fn_x4", "float8_e5m2_x4", scales)
    result, = run("product", **arguments(*given, "float8_e4m3fn_x4", "float8_e5m2_x4"))
    np.testing.assert_array_equal(result.astype(np.float64), float32_sum(*given))


def test_scales_beyond_float32(run):
    a, a_scale, b, b_scale = operands(32, 2, 2, "float8_e5m2_x4", "float8_e5m2_x4")
    a[...], b[...] = 57344, 57344
    a_scale[...], b_scale[...] = [254, 0], [0, 0]  # 2^127 * 2^-127: 57344 * 2^127 alone is no float32
    b_scale[:, 1] = 254
    given = a, a_scale, b, b_scale
    result, = run("product", **arguments(*given, "float8_e5m2_x4", "float8_e5m2_x4"))
    np.testing.assert_array_equal(result, [[57344.0**2 * 128, np.inf], [0, 57344.0**2 * 128]])


def test_a_nan_scale_gives_nan(run):
    given = operands(64, 4, 4, "float8_e4m3fn_x4", "float8_e4m3fn_x4")
    given[1][5, 1] = 255
    result, = run("product", **arguments(*given, "float8_e4m3fn_x4", "float8_e4m3fn_x4"))
    assert np.isnan(result[1]).all() and np.isfinite(result[[0, 2, 3]]).all()


@pytest.mark.parametrize("start", [0, 4, 8, 12])
def test_scales_at_an_offset_in_their_quadrants(run, start):
    given = operands(96, 4, 7, "float8_e4m3fn_x4", "float8_e4m3fn_x4")
    result, = run("product", start=start, **arguments(*given, "float8_e4m3fn_x4", "float8_e4m3fn_x4"))
    want, size = exact_product(*given)
    assert (np.abs(result - want) <= 2.0**-24 * 400 * size).all()


@pytest.mark.parametrize("accumulate, factor", [("None", 3), ("False", 1)])
def test_accumulation(run, accumulate, factor):
    given = operands(32, 4, 6, "float8_e4m3fn_x4", "float8_e4m3fn_x4")
    words = arguments(*given, "float8_e4m3fn_x4", "float8_e4m3fn_x4")
    once, = run("product", **words)
    result, = run("product", times=3, accumulate=accumulate, **words)
    want = once if factor == 1 else (once + once) + once
    np.testing.assert_array_equal(result, want)


def test_accumulation_in_bfloat16_rounds_each_time(run):
    given = operands(32, 4, 6, "float8_e4m3fn_x4", "float8_e4m3fn_x4")
    words = arguments(*given, "float8_e4m3fn_x4", "float8_e4m3fn_x4")
    once, = run("product", **words)
    result, = run("product", times=2, dtype="nl.bfloat16", **words)
    first = once.astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(result, (first + once).astype(ml_dtypes.bfloat16).astype(np.float32))


def test_adding_to_what_was_not_written_is_warned_about(run, tmp_path):
    given = operands(32, 4, 6, "float8_e4m3fn_x4", "float8_e4m3fn_x4")
    words = [f"{name}=@{tmp_path}/{name}.npy{suffix}" for name, (array, suffix) in
             arguments(*given, "float8_e4m3fn_x4", "float8_e4m3fn_x4").items() if np.save(tmp_path / name, array) is None]
    result = run_klr("run", f"{tmp_path}/kernels.py:product", *words, "accumulate=True", "--target", "trn3")
    assert "W0614" in result.stderr and "nc_matmul_mx` adds to element [0, 0]" in result.stderr


def test_scales_that_were_not_written(run, tmp_path):
    text = (tmp_path / "kernels.py").read_text().replace("range(partitions // 32)", "range(1)")
    (tmp_path / "kernels.py").write_text(text)
    given = operands(64, 4, 6, "float8_e4m3fn_x4", "float8_e4m3fn_x4")
    message = run("product", expect=1, **arguments(*given, "float8_e4m3fn_x4", "float8_e4m3fn_x4"))
    assert "E0602" in message and "reads element [32, 0] of its operand `stationary_scale`" in message


def test_shapes_that_do_not_fit(run):
    x = np.ones((40, 8), np.float32)
    assert "a multiple of 32" in run("quantize", expect=1, x=(x, ":bf16"), dtype="nl.float8_e5m2_x4")
    x = np.ones((32, 8), np.float32)
    assert "is float4_e2m1fn_x4" in run("quantize", expect=1, x=(x, ":bf16"), dtype="nl.float4_e2m1fn_x4")


def test_packed_arguments_need_units_of_their_size(run):
    given = operands(32, 4, 6, "float4_e2m1fn_x4", "float4_e2m1fn_x4")
    words = arguments(*given, "float4_e2m1fn_x4", "float4_e2m1fn_x4")
    words["a"] = words["a"][0].astype(np.uint32), ":float4_e2m1fn_x4"
    assert "must have 2 bytes, like uint16" in run("product", expect=1, **words)


def test_only_the_newest_generation_has_them(run):
    x = np.ones((32, 8), np.float32)
    message = run("quantize", "--target", "trn2", expect=1, x=(x, ":bf16"), dtype="nl.float8_e5m2_x4")
    assert "quantize_mx" in message


def test_what_was_not_written_makes_its_group_unwritten(run):
    """Groups of 8 partitions by 4 columns: of 33 written rows the sixth group is lost, and nothing else."""
    x = np.random.default_rng(5).standard_normal((64, 16)).astype(ml_dtypes.bfloat16)
    whole = outputs(run("quantize", x=(x, ":bf16"), dtype="nl.float8_e4m3fn_x4"))
    for options in ((), ("--reference",)):
        data, scale = outputs(run("quantize_rows", *options, x=(x, ":bf16"), dtype="nl.float8_e4m3fn_x4", rows=33, kept=32))
        np.testing.assert_array_equal(data[:32], whole[0][:32])
        np.testing.assert_array_equal(scale[:4], whole[1][:4])
        assert not data[32:].any()
        message = run("quantize_rows", *options, x=(x, ":bf16"), dtype="nl.float8_e4m3fn_x4", rows=33, kept=33, expect=1)
        assert "E0602" in message and "reads element [33, 0] of its operand `src`" in message


@pytest.mark.parametrize("row", [0, 1])
def test_what_was_not_written_vanishes_times_zeros(run, row):
    """Of the moving factor the last 32 rows are not there; the stationary one is zero in all of them, or not in one."""
    x = np.random.default_rng(7).standard_normal((64, 16)).astype(ml_dtypes.bfloat16)
    x[32:] = 0
    whole, = outputs(run("padded", x=(x, ":bf16"), rows=64, value=0.0))
    for options in ((), ("--reference",)):
        if row == 0:
            part, = outputs(run("padded", *options, x=(x, ":bf16"), rows=32, value=0.0))
            np.testing.assert_array_equal(part, whole)
        else:
            assert "E0602" in run("padded", *options, x=(x, ":bf16"), rows=32, value=1.0, expect=1)


ADDRESSES = """import nki, nki.isa as nisa, nki.language as nl


@nki.jit
def k():
    data = nl.ndarray((128, 4, 512), dtype=nl.bfloat16, buffer=nl.sbuf, address=(0, 0))
    out = nl.ndarray((128, 4, 128), dtype=nl.float8_e4m3fn_x4, buffer=nl.sbuf, address=(0, 4096))
    scale = nl.ndarray((128, 4, 128), dtype=nl.uint8, buffer=nl.sbuf, address=(0, SCALE))
    nisa.memset(data, 1.0)
    nisa.quantize_mx(src=data, dst=out, dst_scale=scale)
    result = nl.ndarray((128, 4, 128), dtype=nl.float8_e4m3fn_x4, buffer=nl.shared_hbm)
    nisa.dma_copy(result, out)
    return result
"""


def test_scales_beside_their_data_do_not_overlap_it(tmp_path):
    (tmp_path / "k.py").write_text(ADDRESSES.replace("SCALE", "6144"))
    done = run_klr("run", tmp_path / "k.py", "--target", "trn3")
    assert done.returncode == 0, done.stderr
    (tmp_path / "k.py").write_text(ADDRESSES.replace("SCALE", "4092"))
    done = run_klr("run", tmp_path / "k.py", "--target", "trn3")
    assert done.returncode == 1 and "E0604" in done.stderr and "`dst_scale` of `nisa.quantize_mx` overlaps its operand `src`" in done.stderr
