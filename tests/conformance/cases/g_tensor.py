"""nc_matmul, nc_matmul_mx, quantize_mx."""

import math

import numpy as np
import vectors as form
from builder import ALL, SINCE_TRN2, TRN3, A, D, Instruction, M
from oracles.alu import alu
from oracles.formats import Data, narrow
from oracles.tensor_engine import matmul_mx, product, quantize, spread, whole_product

NAN, INF = math.nan, math.inf


def result(dtype, f32):
    return Data(dtype, narrow(f32, dtype))


mm = Instruction("nc_matmul")
CALL = "nisa.nc_matmul(dst=out, stationary=x, moving=y"


def pair(v, a="bfloat16", b="bfloat16", k=20, m=7, n=9, **rule):
    rule = rule or {"integers": (-8, 8)}
    return v.random("x", a, (k, m), **rule), v.random("y", b, (k, n), **rule)


v = mm.vector("small_integers", "dst[m, n] = sum over k of stationary[k, m] * moving[k, n]; whole numbers, so that no order matters")
x, y = pair(v)
v.step(CALL + ")")
v.expect("out", result("float32", whole_product(x.f32, y.f32)), space="psum")
v = mm.vector("full_size", "128 rows, 128 stationary columns, 512 moving columns: all of the array and of a bank")
x, y = pair(v, "bfloat16", "bfloat16", 128, 128, 512, integers=(-1, 1))
v.step(CALL + ")", "nisa.tensor_reduce(dst=total, op=nl.add, data=out, axis=1)")
v.tile("out", "float32", (128, 512), "psum")
v.expect("total", result("float32", whole_product(x.f32, y.f32).sum(axis=1, keepdims=True)))
DTYPES = ["float8_e4m3", "float8_e5m2", "bfloat16", "float16"]
for a in DTYPES:
    for b in DTYPES:
        v = mm.vector(f"{a}_{b}", f"stationary {a}, moving {b}: each element by its value")
        x, y = pair(v, a, b, 8, 3, 4, integers=(-8, 8))
        v.step(CALL + ")")
        v.expect("out", result("float32", whole_product(x.f32, y.f32)), space="psum")
for a, b in (("float8_e4m3fn", "float8_e4m3fn"), ("float8_e4m3fn", "bfloat16"), ("float8_e5m2", "float8_e4m3fn")):
    v = mm.vector(f"{a}_{b}", f"stationary {a}, moving {b}, since NeuronCore-v4", targets=TRN3)
    x, y = pair(v, a, b, 8, 3, 4, integers=(-8, 8))
    v.step(CALL + ")")
    v.expect("out", result("float32", whole_product(x.f32, y.f32)), space="psum")
for a, b in (("float32", "float32"), ("tfloat32", "tfloat32"), ("float32", "tfloat32")):
    v = mm.vector(f"{a}_{b}", f"stationary {a}, moving {b}: whole numbers below 2^10")
    x, y = pair(v, a, b, 8, 3, 4, integers=(-1000, 1000))
    v.step(CALL + ")")
    v.expect("out", result("float32", whole_product(x.f32, y.f32)), space="psum")
for a in ("bfloat16", "float16", "float8_e5m2"):
    v = mm.vector(f"order_{a}", f"sums of {a} products that round: k ascending, one float32 rounding an addition", A, source="docs/numerics.md 6")
    x, y = pair(v, a, a, 40, 4, 5, floats=(-6, 6))
    v.step(CALL + ")")
    v.expect("out", result("float32", product(x.f32, y.f32)), space="psum")
v = mm.vector("order_float32", "float32 products are exact before they are added", A, source="docs/numerics.md 6")
x, y = pair(v, "float32", "float32", 30, 3, 4, floats=(-4, 4))
v.step(CALL + ")")
v.expect("out", result("float32", product(x.f32, y.f32)), space="psum")
v = mm.vector("order_shown", "1, then 2^-24 many times, then -1: k ascending gives 0", A, source="docs/numerics.md 6")
x = v.put("x", Data.of("float32", [[1.0]] + [[2.0 ** -12]] * 16 + [[-1.0]]))
y = v.put("y", Data.of("float32", [[1.0]] + [[2.0 ** -12]] * 16 + [[1.0]]))
v.step(CALL + ")")
v.expect("out", result("float32", product(x.f32, y.f32)), space="psum")
v = mm.vector("products_not_rounded", "a product of bfloat16 numbers is not rounded to bfloat16: (1 + 2^-7)^2 is 1.01568603515625",
              source="nki.isa.nc_matmul: float32 inside; a user's measurement on trn1 suggests bfloat16 products")
x, y = v.put("x", Data.of("bfloat16", [[1 + 2.0 ** -7]])), v.put("y", Data.of("bfloat16", [[1 + 2.0 ** -7]]))
v.step(CALL + ")")
v.expect("out", Data.of("float32", [[1.01568603515625]]), space="psum")
v = mm.vector("tfloat32_low_bits", "the low 13 bits of a tfloat32 are not read", A, source="docs/numerics.md 1")
x, y = v.put("x", Data("float32", [[0x3F801FFF]])), v.put("y", Data("float32", [[0x40000000]]))
v.step("nisa.nc_matmul(dst=out, stationary=x.view(nl.tfloat32), moving=y.view(nl.tfloat32))")
v.expect("out", Data("float32", [[0x40000000]]), space="psum")
v = mm.vector("nan_and_infinity", "0 times infinity is NaN: one infinity spoils every result it takes part in", A, source="docs/numerics.md 8")
x = v.put("x", Data.of("bfloat16", [[1.0, INF], [2.0, 0.0], [NAN, 1.0]]))
y = v.put("y", Data.of("bfloat16", [[0.0, 1.0, -1.0], [1.0, 2.0, 3.0], [0.0, 0.0, 1.0]]))
v.step(CALL + ")")
v.expect("out", result("float32", product(x.f32, y.f32)), space="psum")
v = mm.vector("onezero", "the hints is_stationary_onezero and is_moving_onezero change no bit of what they are true for")
x, y = v.random("x", "float32", (12, 5), integers=(0, 1)), v.random("y", "float32", (12, 6), integers=(0, 1))
v.step("nisa.nc_matmul(dst=out, stationary=x, moving=y, is_stationary_onezero=True, is_moving_onezero=True)")
v.expect("out", result("float32", whole_product(x.f32, y.f32)), space="psum")
v = mm.vector("onezero_wrong", "a onezero hint about other numbers", A, source="docs/numerics.md 6", unspecified="matmul-hint")
x, y = v.random("x", "float32", (12, 5), integers=(0, 7)), v.random("y", "float32", (12, 6), integers=(0, 1))
v.step("nisa.nc_matmul(dst=out, stationary=x, moving=y, is_stationary_onezero=True)")
v.expect("out", result("float32", whole_product(x.f32, y.f32)), space="psum")

# accumulation
v = mm.vector("overwrite_then_add", "accumulate=False overwrites, accumulate=True adds to PSUM")
x, y = pair(v)
v.step(CALL + ", accumulate=False)", CALL + ", accumulate=True)", CALL + ", accumulate=True)")
v.expect("out", result("float32", 3 * whole_product(x.f32, y.f32)), space="psum")
v = mm.vector("overwrite_again", "accumulate=False forgets what was there")
x, y = pair(v)
v.step(CALL + ", accumulate=False)", CALL + ", accumulate=True)", CALL + ", accumulate=False)")
v.expect("out", result("float32", whole_product(x.f32, y.f32)), space="psum")
v = mm.vector("default", "without accumulate the first write of a location overwrites, later ones add")
x, y = pair(v)
v.step(CALL + ")", CALL + ")")
v.expect("out", result("float32", 2 * whole_product(x.f32, y.f32)), space="psum")
v = mm.vector("psum_addition", "PSUM adds the finished sum in float32: two roundings, one of them here", A, source="docs/numerics.md 6")
x, y = pair(v, "bfloat16", "bfloat16", 20, 3, 4, floats=(-6, 6))
v.step(CALL + ", accumulate=False)", "nisa.nc_matmul(dst=out, stationary=y[:, 0:3], moving=y, accumulate=True)")
first, second = product(x.f32, y.f32), product(y.f32[:, :3], y.f32)
v.expect("out", result("float32", alu("add", first, second)), space="psum")
v = mm.vector("overlapping", "regions that overlap accumulate where they do, and overwrite where they are first", M,
              source="NKI release notes: PSUM accumulation over overlapping regions accumulates")
x, y = pair(v, n=6)
v.step("nisa.nc_matmul(dst=out[:, 0:6], stationary=x, moving=y)", "nisa.nc_matmul(dst=out[:, 3:9], stationary=x, moving=y)")
value, expected = whole_product(x.f32, y.f32), np.zeros((7, 9), np.float32)
expected[:, :6] = value
expected[:, 3:] += value
v.expect("out", result("float32", expected), space="psum")
v = mm.vector("tiled_k", "a contraction over 3 x 128 rows by accumulate=(i > 0)")
x, y = v.random("x", "bfloat16", (128, 3, 4), integers=(-3, 3)), v.random("y", "bfloat16", (128, 3, 5), integers=(-3, 3))
v.step(*[f"nisa.nc_matmul(dst=out, stationary=x[:, {i}, :], moving=y[:, {i}, :], accumulate={i > 0})" for i in range(3)])
v.expect("out", result("float32", sum(whole_product(x.f32[:, i], y.f32[:, i]) for i in range(3))), space="psum")

# bfloat16 destinations
v = mm.vector("bfloat16_dst", "since NeuronCore-v4 dst may be bfloat16: the sum is rounded when it is written, here to nearest even", A,
              source="docs/numerics.md 6: which rounding is not selectable", targets=TRN3)
x, y = pair(v, "bfloat16", "bfloat16", 20, 3, 4, floats=(-6, 6))
v.step(CALL + ")")
v.expect("out", result("bfloat16", product(x.f32, y.f32)), space="psum")
v = mm.vector("bfloat16_dst_exact", "a bfloat16 dst of numbers that need no rounding", targets=TRN3)
x, y = pair(v, "bfloat16", "bfloat16", 8, 3, 4, integers=(-2, 2))
v.step(CALL + ")")
v.expect("out", result("bfloat16", whole_product(x.f32, y.f32)), space="psum")
v = mm.vector("bfloat16_accumulate", "adding to bfloat16: the old value is widened, added in float32, rounded again", A,
              source="docs/numerics.md 6: which rounding is not selectable", targets=TRN3)
x, y = pair(v, "bfloat16", "bfloat16", 20, 3, 4, floats=(-6, 6))
v.step(CALL + ", accumulate=False)", CALL + ", accumulate=True)")
once = product(x.f32, y.f32)
v.expect("out", result("bfloat16", alu("add", result("bfloat16", once).f32, once)), space="psum")
v = mm.vector("many_columns", "since NeuronCore-v4 moving may have more than 512 columns", targets=TRN3)
x, y = pair(v, "bfloat16", "bfloat16", 4, 2, 700, integers=(-8, 8))
v.step(CALL + ")")
v.expect("out", result("float32", whole_product(x.f32, y.f32)), space="psum")

# tiling and modes
v = mm.vector("row_tile", "row tiling: the lower half of the array; the result is the same")
x, y = v.random("x", "bfloat16", (128, 6), integers=(-8, 8)), v.random("y", "bfloat16", (128, 5), integers=(-8, 8))
v.step("nisa.nc_matmul(dst=out, stationary=x[64:128, :], moving=y[64:128, :], tile_position=(64, 0), tile_size=(64, 128))")
v.expect("out", result("float32", whole_product(x.f32[64:], y.f32[64:])), space="psum")
v = mm.vector("row_tile_32", "row tiles of 32 since NeuronCore-v3", targets=SINCE_TRN2)
x, y = v.random("x", "bfloat16", (128, 6), integers=(-8, 8)), v.random("y", "bfloat16", (128, 5), integers=(-8, 8))
v.step("nisa.nc_matmul(dst=out, stationary=x[96:128, :], moving=y[96:128, :], tile_position=(96, 0), tile_size=(32, 128))")
v.expect("out", result("float32", whole_product(x.f32[96:], y.f32[96:])), space="psum")
for dtype in ("float8_e4m3", "float8_e5m2"):
    v = mm.vector(f"double_row_{dtype}", f"double_row: the contraction runs over k and over pairs, {dtype}", targets=SINCE_TRN2)
    x, y = v.random("x", dtype, (16, 2, 5), integers=(-8, 8)), v.random("y", dtype, (16, 2, 6), integers=(-8, 8))
    v.step(CALL + ", perf_mode=nisa.matmul_perf_mode.double_row)")
    v.expect("out", result("float32", whole_product(x.f32.reshape(32, 5), y.f32.reshape(32, 6))), space="psum")
v = mm.vector("double_row_order", "double_row: k ascending, both products of a k after each other", A, source="docs/numerics.md 6", targets=SINCE_TRN2)
x, y = v.random("x", "float8_e5m2", (12, 2, 3), floats=(-8, 8)), v.random("y", "float8_e5m2", (12, 2, 4), floats=(-8, 8))
v.step(CALL + ", perf_mode=nisa.matmul_perf_mode.double_row)")
v.expect("out", result("float32", product(x.f32.reshape(24, 3), y.f32.reshape(24, 4))), space="psum")

# transpose mode
IDENTITY = np.eye(6)
v = mm.vector("transpose_by_identity", "an identity as moving transposes stationary, on every generation")
x, y = v.random("x", "bfloat16", (6, 4), floats=(-6, 6)), v.put("y", Data.of("bfloat16", IDENTITY))
v.step(CALL + ")")
v.expect("out", result("float32", x.f32.T), space="psum")
v = mm.vector("transpose_mode", "is_transpose since NeuronCore-v3 keeps bits: NaN payloads, infinities, subnormals", targets=SINCE_TRN2)
x = v.put("x", Data("float32", [[0x7FA00001, 0x7F800000], [0x80000000, 1], [0xFF800001, 0x3F800000], [0, 0], [5, 6], [0xFFC00000, 7]]))
v.put("y", Data.of("float32", IDENTITY))
v.step(CALL + ", is_transpose=True)")
v.expect("out", Data("float32", x.words.T), space="psum")
v = mm.vector("transpose_mode_bfloat16", "is_transpose of bfloat16 gives bfloat16 in PSUM", source="architecture guide of NeuronCore-v3",
              targets=SINCE_TRN2)
x = v.put("x", Data("bfloat16", [[0x7FA1, 0x7F80], [0x8000, 1], [0xFF81, 0x3F80], [0, 0], [5, 6], [0xFFC0, 7]]))
v.put("y", Data.of("bfloat16", IDENTITY))
v.step(CALL + ", is_transpose=True)")
v.expect("out", Data("bfloat16", x.words.T), space="psum")
v = mm.vector("transpose_v2_spreads", "on NeuronCore-v2 a transpose is a multiplication: an infinity spoils its row of the result",
              source="nki.isa.nc_transpose; NeuronCore-v2 guide", targets=["trn1"])
x = v.put("x", Data.of("bfloat16", [[1.0, INF], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0], [8.0, 9.0], [1.5, 2.5]]))
y = v.put("y", Data.of("bfloat16", IDENTITY))
v.step(CALL + ")")
v.expect("out", result("float32", product(x.f32, y.f32)), space="psum")
nt = Instruction.every["nc_transpose"]
v = nt.vector("v2_spreads", "on NeuronCore-v2 the tensor engine multiplies: an infinity makes the other elements of its row NaN", targets=["trn1"])
x = v.put("x", Data.of("float32", [[1.0, INF], [2.0, 3.0], [4.0, 5.0]]))
v.step("nisa.nc_transpose(dst=out, data=x, engine=nisa.engine.tensor)")
v.expect("out", result("float32", product(x.f32, np.eye(3, dtype=np.float32))), space="psum")

# ---- nc_matmul_mx

mx = Instruction("nc_matmul_mx", targets=TRN3)
MX = ["float8_e5m2_x4", "float8_e4m3fn_x4", "float4_e2m1fn_x4"]


def finite(words, dtype):
    """Packed words without infinities and NaNs."""
    if dtype == "float8_e5m2_x4":
        return words & np.uint32(0xFBFBFBFB)
    return words & np.uint32(0xF7F7F7F7) if dtype == "float8_e4m3fn_x4" else words


def mx_operands(v, a, b, partitions, m, n):
    """Tiles x, y of packed elements and xs, ys of scales 2^-2 to 2^2; returns their product."""
    made = []
    for name, dtype, columns in (("x", a, m), ("y", b, n)):
        words = finite(v.random(name, dtype, (partitions, columns)), dtype)
        v.tiles[name]["data"] = form.rows(words, dtype)
        rule = {"lcg": len(v.document["id"]) * 1000 + ord(name), "as": "integers", "from": 125, "to": 129}
        scales = np.array(form.random_words(rule, "uint8", partitions // 8 * columns), np.uint8).reshape(-1, columns)
        made += [words, dtype, scales]
    v.put("xs", Data("uint8", spread(made[2], partitions)))
    v.put("ys", Data("uint8", spread(made[5], partitions)))
    return matmul_mx(made[0], a, made[2], made[3], b, made[5])


MX_CALL = "nisa.nc_matmul_mx(dst=out, stationary=x, moving=y, stationary_scale=xs, moving_scale=ys"
for a in MX:
    for b in MX:
        v = mx.vector(f"{a}_{b}", f"stationary {a}, moving {b}: elements times 2^(scale - 127), a scale for 8 partitions and 4 elements; "
                      "order and rounding as chosen", A, source="nki.isa.nc_matmul_mx; order: docs/numerics.md 6")
        value = mx_operands(v, a, b, 32, 4, 5)
        v.step(MX_CALL + ")")
        v.expect("out", result("float32", value), space="psum")
v = mx.vector("exact", "one element in each group is not zero: exact, in any order")
words = np.zeros((32, 2), np.uint32)
for p, f, q, byte in ((0, 0, 0, 0x38), (9, 0, 1, 0x40), (18, 0, 3, 0xB8), (27, 1, 2, 0x44), (1, 1, 0, 0x3C)):
    words[p, f] = byte << 8 * q
ones = np.full((32, 3), 0x38383838, np.uint32)
small = np.array([[127, 128], [129, 127], [126, 127], [127, 130]], np.uint8)
v.tile("x", "float8_e4m3fn_x4", (32, 2))["data"] = form.rows(words, "float8_e4m3fn_x4")
v.tile("y", "float8_e4m3fn_x4", (32, 3))["data"] = form.rows(ones, "float8_e4m3fn_x4")
v.tile("xs", "float8_e8m0fnu", (4, 2))["data"] = form.rows(small, "float8_e8m0fnu")
v.tile("ys", "float8_e8m0fnu", (4, 3))["data"] = form.rows(np.full((4, 3), 128, np.uint8), "float8_e8m0fnu")
v.step(MX_CALL + ")")
v.expect("out", result("float32", matmul_mx(words, "float8_e4m3fn_x4", small, ones, "float8_e4m3fn_x4", np.full((4, 3), 128))), space="psum")
v = mx.vector("128_partitions", "16 groups: the scales of partitions 32q to 32q + 31 stand in rows 32q to 32q + 3", A,
              source="nki.isa.nc_matmul_mx; order: docs/numerics.md 6")
value = mx_operands(v, "float8_e4m3fn_x4", "float8_e4m3fn_x4", 128, 2, 3)
v.step(MX_CALL + ")")
v.expect("out", result("float32", value), space="psum")
v = mx.vector("packed_scales", "the four scale rows may start at offset 4, 8 or 12 of the quadrant", A, source="nki.isa.quantize_mx; order: docs/numerics.md 6")
value = mx_operands(v, "float8_e5m2_x4", "float8_e4m3fn_x4", 32, 4, 3)
for name in ("xs", "ys"):
    tile = v.tiles[name]
    old = form.expand(tile, "data")
    new = np.full((16, old.shape[1]), 0xEE, np.uint8)
    new[8:12] = old[0:4]
    v.put(name, Data("uint8", new))
v.step(MX_CALL.replace("=xs", "=xs[8:12, :]").replace("=ys", "=ys[8:12, :]") + ")")
v.expect("out", result("float32", value), space="psum")
v = mx.vector("accumulate", "accumulate as in nc_matmul; a bfloat16 dst is rounded to", A, source="docs/numerics.md 6")
value = mx_operands(v, "float8_e5m2_x4", "float8_e5m2_x4", 32, 4, 3)
v.step(MX_CALL + ", accumulate=False)", MX_CALL + ", accumulate=True)")
v.expect("out", result("bfloat16", alu("add", result("bfloat16", value).f32, value)), space="psum")
v = mx.vector("scale_255", "a scale of 255 is NaN: so is every sum it takes part in", A, source="docs/numerics.md 6")
value = mx_operands(v, "float8_e4m3fn_x4", "float8_e4m3fn_x4", 32, 4, 3)
tile = form.expand(v.tiles["xs"], "data")
tile[2, 1] = 255
v.put("xs", Data("uint8", tile))
value[1, :] = NAN
v.step(MX_CALL + ")")
v.expect("out", result("float32", value), space="psum")

# ---- quantize_mx

qz = Instruction("quantize_mx", targets=TRN3)


def quantizing(v, x, dtype, scale_dtype="uint8"):
    words, scales = quantize(x.f32, dtype)
    partitions = x.shape[0]
    v.step("nisa.quantize_mx(dst=out, src=x, dst_scale=scale)")
    v.expect("out", words, dtype=dtype)
    if partitions == 32:
        v.expect("scale", scales, dtype=scale_dtype)
    else:
        old = v.put("scale", Data("uint8", np.full((partitions, scales.shape[1]), 0xA5)), dtype=scale_dtype)
        expected = old.words.copy()
        for g, row in enumerate(scales):
            expected[32 * (g // 4) + g % 4] = row
        v.expect("scale", expected, dtype=scale_dtype)


for dtype in ("float8_e4m3fn_x4", "float8_e5m2_x4"):
    for source in ("bfloat16", "float16"):
        v = qz.vector(f"{source}_{dtype}", f"{source} to {dtype}: the scale is one binade above the OCP sample; elements to nearest even", A,
                      source="nki.isa.quantize_mx; rounding: docs/numerics.md 6")
        quantizing(v, v.random("x", source, (32, 12), floats=(-9, 9)), dtype)
v = qz.vector("scale_and_exact", "scale = 2^(floor(log2 amax) - 7) for e4m3fn: amax 448 gives 2, elements that need no rounding",
              source="nki.isa.quantize_mx; NKI release notes: twice the scale of the OCP sample")
block = np.zeros((32, 8))
block[0, 0], block[3, 2], block[8, 1], block[17, 5], block[24, 7] = 448, -16, 1, 0.375, -256
quantizing(v, v.put("x", Data.of("bfloat16", block)), "float8_e4m3fn_x4", "float8_e8m0fnu")
v = qz.vector("zeros", "a group of zeros has scale 2^-127")
quantizing(v, v.put("x", Data.of("bfloat16", np.zeros((32, 4)))), "float8_e5m2_x4")
v = qz.vector("64_partitions", "64 partitions: four scale rows in each quadrant, the others stay as they were", A,
              source="nki.isa.quantize_mx; rounding: docs/numerics.md 6")
quantizing(v, v.random("x", "bfloat16", (64, 8), floats=(-9, 9)), "float8_e4m3fn_x4")
v = qz.vector("tiny", "a scale that would lie below 2^-127 is 2^-127", A, source="docs/numerics.md 6")
quantizing(v, v.random("x", "bfloat16", (32, 8), floats=(-126, -118)), "float8_e4m3fn_x4")
v = qz.vector("huge", "the largest numbers do not overflow", A, source="nki.isa.quantize_mx; rounding: docs/numerics.md 6")
block = np.ones((32, 4)) * 3e38
block[1, 1] = -3.3895313892515355e38
quantizing(v, v.put("x", Data.of("bfloat16", block)), "float8_e4m3fn_x4")
v = qz.vector("not_finite", "a group with an infinity, one with a NaN", A, source="docs/numerics.md 6", unspecified="quantize-nonfinite")
block = np.ones((32, 4))
block[2, 3], block[13, 0] = INF, NAN
quantizing(v, v.put("x", Data.of("bfloat16", block)), "float8_e5m2_x4")
v = qz.vector("multiplied_back", "quantised by this instruction, the operands of a matmul: products of powers of two come out exactly")
x = v.put("x", Data.of("bfloat16", np.where((np.arange(32)[:, None] + np.arange(8)) % 5 == 0, 2.0, 0.0) * 2.0 ** (np.arange(8) % 3)))
words, scales = quantize(x.f32, "float8_e4m3fn_x4")
v.tile("data", "float8_e4m3fn_x4", (32, 2)), v.tile("scale", "float8_e8m0fnu", (4, 2))
v.step("nisa.quantize_mx(dst=data, src=x, dst_scale=scale)",
       "nisa.nc_matmul_mx(dst=out, stationary=data, moving=data, stationary_scale=scale, moving_scale=scale)")
v.expect("out", result("float32", matmul_mx(words, "float8_e4m3fn_x4", scales, words, "float8_e4m3fn_x4", scales)), space="psum")

# ---- what the documents leave open

v = mm.vector("transpose_permutation", "transpose mode with a moving matrix that is a permutation, no identity", A, source="docs/numerics.md 6",
              targets=SINCE_TRN2, unspecified="transpose-moving")
x = v.random("x", "float32", (4, 3), bits=True)
v.put("y", Data.of("float32", [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]))
v.step(CALL + ", is_transpose=True)")
v.expect("out", Data("float32", x.words[[3, 0, 1, 2]].T), space="psum")
v = nt.vector("8_bits", "an 8-bit transpose on the tensor engine into neighbouring bytes", A, source="docs/numerics.md 6", targets=SINCE_TRN2,
              unspecified="transpose-8bit")
x = v.random("x", "float8_e4m3", (5, 4), floats=(-3, 3))
v.step("nisa.nc_transpose(dst=out, data=x, engine=nisa.engine.tensor)")
v.expect("out", Data("float8_e4m3", x.words.T), space="psum")
v = mm.vector("onto_values", "before NeuronCore-v4, adding to what another instruction wrote to PSUM", A, source="nki.isa.nc_matmul: undefined behaviour",
              targets=["trn1", "trn2"], unspecified="matmul-onto-values")
x, y = pair(v, k=8, m=3, n=4)
old = v.random("out", "float32", (3, 4), space="psum", integers=(-99, 99))
v.step(CALL + ", accumulate=True)")
v.expect("out", result("float32", old.f32 + whole_product(x.f32, y.f32)), space="psum")
v = mm.vector("onto_values_v4", "since NeuronCore-v4 a product may be added to what another instruction wrote to PSUM", A, source="nki.isa.nc_matmul: the note is on v2 and v3",
              targets=TRN3)
x, y = pair(v, k=8, m=3, n=4)
old = v.random("out", "float32", (3, 4), space="psum", integers=(-99, 99))
v.step(CALL + ", accumulate=True)")
v.expect("out", result("float32", old.f32 + whole_product(x.f32, y.f32)), space="psum")
v = mm.vector("transpose_accumulate", "transpose mode with accumulate=True", A, source="docs/numerics.md 6", targets=SINCE_TRN2,
              unspecified="transpose-accumulate")
x = v.random("x", "float32", (6, 3), bits=True)
v.put("y", Data.of("float32", IDENTITY))
v.step(CALL + ", is_transpose=True)", CALL + ", is_transpose=True, accumulate=True)")
v.expect("out", Data("float32", x.words.T), space="psum")
v = mm.vector("transpose_mode_8_bits", "is_transpose of 8-bit floats into 16-bit cells: the upper byte is zero", A,
              source="architecture guide of NeuronCore-v3; which byte: docs/numerics.md 6", targets=SINCE_TRN2)
x = v.random("x", "float8_e5m2", (6, 3), bits=True)
v.put("y", Data.of("float8_e5m2", IDENTITY))
v.step(CALL + ", is_transpose=True)")
v.expect("out", Data("bfloat16", x.words.T.astype(np.uint16)), space="psum")
v = mm.vector("column_tile", "column tiling: a tile of 64 x 64 changes no value", A, source="nki.isa.nc_matmul: its text contradicts itself")
x, y = v.random("x", "bfloat16", (128, 6), integers=(-8, 8)), v.random("y", "bfloat16", (128, 5), integers=(-8, 8))
v.put("out", Data.of("float32", np.zeros((128, 5))), space="psum")
v.step("nisa.nc_matmul(dst=out[64:70, :], stationary=x[64:128, :], moving=y[64:128, :], tile_position=(64, 64), tile_size=(64, 64), accumulate=False)")
expected = np.zeros((128, 5), np.float32)
expected[64:70] = whole_product(x.f32[64:], y.f32[64:])
v.expect("out", result("float32", expected), space="psum")
v = mm.vector("subnormals", "subnormal operands, products and sums are kept", A, source="docs/numerics.md 2")
x = v.put("x", Data("bfloat16", [[0x0001, 0x0080], [0x8003, 0x3F80]]))
y = v.put("y", Data.of("bfloat16", [[1.0, 0.5], [1.0, 2.0 ** -126]]))
v.step(CALL + ")")
v.expect("out", result("float32", product(x.f32, y.f32)), space="psum")
v = nt.vector("no_engine", "without an engine: SBUF to PSUM by the tensor engine, else the vector engine", A, source="docs/numerics.md 6")
x = v.random("x", "float32", (20, 12), floats=(-3, 3))
v.step("nisa.nc_transpose(dst=out, data=x)", "nisa.nc_transpose(dst=other, data=x)")
v.expect("out", Data("float32", x.words.T), space="psum")
v.expect("other", Data("float32", x.words.T))
for dtype in ("uint8", "int16", "int32"):
    v = nt.vector(f"vector_{dtype}", f"the vector engine transposes {dtype}, bits unchanged", A, source="nki.isa.nc_transpose: any dtype")
    x = v.random("x", dtype, (12, 30), bits=True)
    v.step("nisa.nc_transpose(dst=out, data=x, engine=nisa.engine.vector)")
    v.expect("out", Data(dtype, x.words.T))
v = nt.vector("tensor_int32", "integers on the tensor engine, small ones: bits are kept on NeuronCore-v2, too", A, source="docs/numerics.md 6")
x = v.random("x", "int32", (12, 30), integers=(0, 1000))
v.step("nisa.nc_transpose(dst=out, data=x, engine=nisa.engine.tensor)")
v.expect("out", Data("int32", x.words.T), space="psum")
