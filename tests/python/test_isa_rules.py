"""Every rule of `klr list rules`: a kernel that breaks it alone, what is said and where, and a neighbour that passes.

Kernels are the base calls of isa_rules.py with a few arguments changed. A case is what changes; its neighbour is the base
call, or `ok`. Rules of one family (shapes, memories, dtypes) are broken by one recipe for each family.
"""

import json
import os
import re

import pytest
from conftest import ROOT, run_klr
from isa_rules import BASE, TWO_CORES, source
from test_collectives import RULE_CASES

# The code of a rule, a text of its message, and how it is broken; `also`: what cannot but break with it.
CASES = {}


def case(rule, says, *, target=None, ok=None, ok_target=None, also=(), setup="", command="trace", after="", **changes):
    CASES.setdefault(rule, []).append(dict(says=says, target=target, ok=ok, ok_target=ok_target, also=set(also), setup=setup,
                                           command=command, after=after, changes=changes))


def rules():
    return json.loads(run_klr("list", "rules", "--json").stdout)


RULES = {}
for _rule in rules():
    RULES.setdefault(_rule["name"], _rule)


# Kernels in text form, for what NKI cannot say: operators of files, and the structure of kernels. The place is the last
# line that holds an operator, or `at`.
TEXTS = {}

TENSORS = """tensor a: float32[32, 64] @sbuf
tensor b: float32[32, 64] @sbuf
tensor n: float32[16, 64] @sbuf
tensor c: float32[32, 32] @sbuf
tensor h: float32[32, 64] @hbm
tensor p: float32[32, 64] @psum
tensor s: int32[1, 1] @sbuf
tensor i: uint32[32, 1] @sbuf
tensor two: uint32[32, 2] @sbuf
tensor far: float32[99, 64] @hbm
tensor half: bfloat16[64, 64] @sbuf
tensor halves: bfloat16[99, 64] @hbm
tensor w: bfloat16[64, 129] @sbuf
tensor m: float8_e4m3fn_x4[64, 130] @sbuf
tensor ms: uint8[64, 130] @sbuf
tensor mm: float8_e4m3fn_x4[64, 64] @sbuf
tensor mms: uint8[64, 64] @sbuf
"""


def text(rule, says, broken, passes, *, target="trn2", also=(), tensors="", at=None):
    TEXTS.setdefault(rule, []).append(dict(says=says, broken=broken, passes=passes, target=target, also=set(also),
                                           tensors=tensors, at=at))


# ---- recipes of families


def sizes(expression):
    """`S(32, 64, u8)` -> "S", ["32", "64", "u8"]."""
    maker, inside = re.fullmatch(r"([SPH])\((.*)\)", expression).groups()
    return maker, inside.split(", ")


def made(maker, items):
    return f"{maker}({', '.join(items)})"


def resized(expression, dimension, change):
    maker, items = sizes(expression)
    items[dimension] = str(change(int(items[dimension])))
    return made(maker, items)


def retyped(expression, dtype):
    maker, items = sizes(expression)
    return made(maker, [*(item for item in items if item.isdigit()), dtype])


def moved(expression, maker):
    return made(maker, sizes(expression)[1])


def recipe(rule):
    """A case for a rule of a family, or None."""
    function, parameter, family = rule["function"], rule["parameter"], rule["name"].rsplit(".", 1)[1]
    arguments = BASE.get(function, ("", {}))[1]
    base = arguments.get(parameter, "")
    if family == "available":
        return dict(says="has no instruction", target=rule["targets"].split(", ")[0])
    if family == "one-psum-operand":
        both = re.findall(r"`(\w+)`", rule["doc"])
        return dict(says="both", changes={name: moved(arguments[name], "P") for name in both})
    if family == "engine":
        return dict(says="does not run on the scalar" if "scalar" not in rule["doc"] else "does not run on the",
                    changes={"engine": "engine.scalar" if "scalar" not in rule["doc"] else "engine.tensor"})
    if family == "indirect-start":
        base = arguments[parameter]
        rows, columns = map(int, sizes(base)[1][:2])
        made_by = f"{base}.indirect(S({2 * rows}, 4, u32)[%d:%d], {columns})"
        return dict(says="starts at", target="trn3", changes={parameter: made_by % (rows, 2 * rows)},
                    ok={parameter: made_by % (0, rows)})
    if family == "indirect-psum":
        engine = {"engine": "engine.scalar"} if "engine" in arguments else {}
        scattered = ".indirect(S(32, 4, u32), 64)"
        return dict(says="psum", target="trn3", changes={"dst": moved(base, "P") + scattered, **engine},
                    ok={"dst": base + scattered, **engine})
    if family == "operator":
        return dict(says="bitwise_xor", changes={parameter: "nl.bitwise_xor"})
    if not re.fullmatch(r"[SPH]\(.*\)", base):
        return None
    if family == "space":
        allowed = rule["doc"]
        maker = "P" if "PSUM" not in allowed else "S" if "SBUF" not in allowed else "H"
        return dict(says={"P": "psum", "S": "sbuf", "H": "shared_hbm"}[maker], changes={parameter: moved(base, maker)})
    if family == "same-partitions":
        return dict(says="16x", changes={parameter: resized(base, 0, lambda n: n // 2)})
    if family == "same-free":
        halved = resized(base, 1, lambda n: n // 2)
        return dict(says="x".join(sizes(halved)[1][:2]), changes={parameter: halved})
    if family == "column":
        return dict(says="32x2", changes={parameter: resized(base, 1, lambda n: 2)})
    if family == "integer":
        return dict(says="float32", changes={parameter: retyped(base, "f32")})
    if family == "free-size":
        return dict(says="32x", changes={parameter: resized(base, 1, lambda n: n + 1)})
    if family == "same-dtype":
        return dict(says="float16", changes={parameter: retyped(base, "f16")})
    if family == "dtype":
        return dict(says="int32", changes={parameter: retyped(base, "i32")})
    return None


def cases_of(name):
    if name in CASES or name in TEXTS:
        return CASES.get(name, [])
    found = recipe(RULES[name])
    if not found:
        return []
    plain = dict(target=None, ok=None, ok_target=None, also=set(), setup="", command="trace", after="", changes={})
    return [{**plain, **found}]


# ---- rules that are about one instruction

case("dma_copy.src.same-elements", "32x63", src="H(32, 63)")
case("dma_copy.priority.range", "is 4", priority="4")
case("dma_copy.dma-priority", "asks for a priority", target="trn2", ok=dict(priority="None"))
case("dma_copy.hardware-dge", "has none", target="trn1", ok=dict(priority="None", dge_mode="dge_mode.swdge", engine="engine.unknown"),
     priority="None", engine="engine.unknown")
case("dma_copy.hardware-dge", "converts bfloat16 to float32", src="H(32, 64, bf16)")
case("dma_copy.hardware-dge", "takes an index for each row", src="H(99, 64).vector_select(0, rows(32))")
case("dma_copy.engine.trigger", "gpsimd engine", engine="engine.gpsimd")
case("dma_copy.engine.trigger", "without dge_mode.hwdge", dge_mode="dge_mode.swdge")
case("dma_copy.src.index-range", "index 31", command="run", dge_mode="dge_mode.swdge", engine="engine.unknown", src="far.vector_select(0, rows(32))",
     setup="far = H(31, 64)\nfull = S(31, 64)\nnisa.memset(full, 1.0)\nnisa.dma_copy(far, full)\nnisa.dma_copy(out, full[0:1, 0:1])",
     ok=dict(dge_mode="dge_mode.swdge", engine="engine.unknown", src="far.vector_select(0, rows(32))", oob_mode="oob_mode.skip"))
case("dma_copy.dge_mode.dynamic", "is none", dge_mode="dge_mode.none", engine="engine.unknown", src="H(99, 64).vector_select(0, rows(32))",
     ok=dict(dge_mode="dge_mode.swdge", engine="engine.unknown", src="H(99, 64).vector_select(0, rows(32))"))
case("dma_copy.src.packed-cast", "float8_e4m3fn_x4", src="H(32, 64, x4_e4m3fn)", dge_mode="dge_mode.none", engine="engine.unknown",
     ok=dict(src="H(32, 64, x4_e4m3fn)", dst="S(32, 64, x4_e4m3fn)"))
case("dma_transpose.priority.range", "is 9", priority="9")
case("dma_transpose.dma-priority", "asks for a priority", target="trn2", ok=dict(priority="None"))
case("dma_transpose.dge_mode.mode", "swdge", dge_mode="dge_mode.swdge")
case("dma_transpose.dge_mode.direct-none", "none", dge_mode="dge_mode.none")
case("dma_transpose.dge_mode.mode", "hwdge", target="trn1", priority="None", ok=dict(priority="None", dge_mode="dge_mode.unknown"))
case("dma_transpose.src.hardware-shape", "17x64", src="H(17, 64, bf16)", dst="S(64, 17, bf16)")
case("dma_transpose.src.hardware-shape", "float32", src="H(16, 64)", dst="S(64, 16)")
case("dma_transpose.src.hardware-shape", "3x16x8", src="H(3, 16, 8, bf16)", dst="S(8, 16, 3, bf16)", axes="(2, 1, 0)",
     ok=dict(src="H(4, 16, 8, bf16)", dst="S(8, 16, 4, bf16)", axes="(2, 1, 0)"))
case("dma_transpose.oob_mode.skip", "is skip", oob_mode="oob_mode.skip")
case("dma_transpose.axes.order", "axes of a 2-dimensional", axes="(0, 1)")
case("dma_transpose.dst.turned", "needs a dst of shape", dst="S(16, 64, bf16)")
case("dma_transpose.src.dimensions", "2 to 4 dimensions", src="H(16, bf16)")
case("dma_compute.reduce_op.add", "maximum", reduce_op="nl.maximum")
case("dma_compute.scales.scale-count", "a list of 3", scales="[1.0, 1.0, 1.0]")
case("dma_compute.srcs.each-same-elements", "32x64", srcs="[S(32, 64), H(32, 63)]")
case("dma_compute.srcs.memory", "is in psum", srcs="[S(32, 64), P(32, 64)]")
case("dma_compute.unique_indices.unique", "unique_indices=False", setup="t = S(32, 64)", dst="t", srcs="[t, H(99, 64).vector_select(0, rows(32))]",
     unique_indices="False", ok=dict(dst="t", srcs="[t, H(99, 64).vector_select(0, rows(32))]"))
case("dma_compute.srcs.list", "1 to 16", srcs="[H(32, 64)] * 17", scales="None", ok=dict(srcs="[H(32, 64)] * 16", scales="None"))
case("tensor_copy.engine-reach", "cannot read `src` in psum", src="P(32, 64)", engine="engine.gpsimd",
     ok=dict(src="P(32, 64)"))
case("tensor_copy.engine", "scalar", target="trn1", engine="engine.scalar", ok=dict())
case("memset.engine-reach", "cannot write `dst` in psum", dst="P(32, 64)", engine="engine.gpsimd", ok=dict(dst="P(32, 64)"))
case("memset.value.number-type", "the float 1.5, for int32", dst="S(32, 64, i32)", value="1.5", ok=dict(dst="S(32, 64, i32)", value="1"))
case("memset.value.number-type", "the float inf, for int32", dst="S(32, 64, i32)", value="float('inf')", ok=dict(dst="S(32, 64, i32)", value="1"))
case("memset.value.whole-float", "the float 2, for int32", dst="S(32, 64, i32)", value="2.0", ok=dict(dst="S(32, 64, i32)", value="2"))
case("memset.value.packed-zero", "is 1, for float8_e4m3fn_x4", dst="S(32, 64, x4_e4m3fn)", value="1.0",
     ok=dict(dst="S(32, 64, x4_e4m3fn)", value="0"))
case("tensor_copy_predicated.predicate.integer", "float32", predicate="S(32, 64)", also=["tensor_copy_predicated.predicate.dtype"])
case("iota.pattern.pattern-rank", "a list of 5", pattern="[[1, 2], [1, 2], [1, 2], [1, 4], [1, 2]]")
case("iota.pattern.pattern-size", "32x64", pattern="[[1, 63]]")
case("iota.pattern.int32", "`offset` of `nisa.iota` is 2147483648", offset="1 << 31")
case("iota.pattern.int32", "`channel_multiplier`", channel_multiplier="-(1 << 31) - 1")
case("affine_select.pattern.pattern-rank", "a list of 5", pattern="[[1, 2], [1, 2], [1, 2], [1, 4], [1, 2]]")
case("affine_select.pattern.pattern-size", "32x64", pattern="[[1, 2], [1, 31]]")
case("affine_select.pattern.int32", "`offset`", offset="1 << 31")
case("affine_select.cmp_op.comparison", "add", cmp_op="nl.add")
case("nc_transpose.data.transposed", "32x32", dst="S(32, 16)")
case("nc_transpose.engine-reach", "tensor engine cannot write `dst` in sbuf", engine="engine.tensor", ok=dict(dst="P(32, 32)", engine="engine.tensor"))
case("nc_transpose.transpose-size", "at most 32x32", data="S(64, 32)", dst="S(32, 64)")
case("nc_stream_shuffle.shuffle_mask.shuffle-mask", "32 at 0", shuffle_mask="[32] + [255] * 31", ok=dict(shuffle_mask="[31] + [255] * 31"))
case("nc_transpose.dst.same-bits", "`dst` of `nisa.nc_transpose` is bfloat16, `data` float32", dst="S(32, 32, bf16)")
case("nc_transpose.dst.same-bits", "float16", dst="P(32, 32, f16)", data="S(32, 32)", engine="engine.tensor",
     ok=dict(dst="P(32, 32, u16)", data="S(32, 32, u8)", engine="engine.tensor"))
case("nc_stream_shuffle.dst.active-partitions", "starts at partition 32 with 64 active partitions", dst="S(64, 64)", src="S(64, 64)[32:33, :]",
     ok=dict(dst="S(64, 64)", src="S(64, 64)[0:1, :]"))
case("nc_stream_shuffle.shuffle_mask.length", "32 mask values, found 31", shuffle_mask="[0] * 31")
case("local_gather.index.count", "4112 indices", index="S(32, 257, u16)", dst="S(32, 4112)", num_valid_indices="None",
     ok=dict(index="S(32, 256, u16)", dst="S(32, 4096)", num_valid_indices="None"))
case("local_gather.index.integer", "float32", index="S(32, 4)", also=["local_gather.index.dtype"])
case("local_gather.num_elem_per_idx.elements", "is 3", num_elem_per_idx="3", dst="S(32, 192)")
case("local_gather.num_valid_indices.valid", "is 65, a group has 64", num_valid_indices="65")
case("local_gather.src_buffer.partitions", "24 partitions", src_buffer="S(24, 100)", index="S(24, 4, u16)", dst="S(24, 64)")
case("nc_n_gather.indices.integer", "float32", indices="S(32, 8)", also=["nc_n_gather.indices.dtype"])
case("nc_matmul.stationary.matmul-k", "32x32", stationary="S(32, 32, bf16)")
case("nc_matmul.stationary.matmul-m", "64x16", stationary="S(64, 16, bf16)")
case("nc_matmul.moving.matmul-n", "64x32", moving="S(64, 32, bf16)")
case("nc_matmul.stationary.dtype", "int32", stationary="S(64, 32, i32)", also=["nc_matmul.matmul-dtypes"])
case("nc_matmul.moving.dtype", "int8", moving="S(64, 64, i8)", also=["nc_matmul.matmul-dtypes"])
case("nc_matmul.moving.dtype", "float8_e4m3fn", moving="S(64, 64, e4m3fn)", also=["nc_matmul.matmul-dtypes"], ok=dict(moving="S(64, 64, e4m3)"))
case("nc_matmul.matmul-dtypes", "bfloat16 and float32", moving="S(64, 64)")
case("nc_matmul.matmul-dtypes", "float8_e4m3fn", target="trn3", stationary="S(64, 32, e4m3fn)", moving="S(64, 64, e4m3)",
     ok=dict(stationary="S(64, 32, e4m3fn)", moving="S(64, 64, e5m2)"))
case("nc_matmul.matmul-result", "is bfloat16", dst="P(32, 64, bf16)")
case("nc_matmul.matmul-result", "is float16", dst="P(32, 64, f16)", target="trn3", ok=dict(dst="P(32, 64, bf16)"))
case("nc_matmul.psum-bank", "crosses a PSUM bank", dst="P(32, 1024)[:, 480:544]", ok=dict(dst="P(32, 1024)[:, 512:576]"))
case("nc_matmul.psum-cell", "starts at byte 2", target="trn3", dst="P(32, 128, bf16)[:, 1:65]", ok=dict(dst="P(32, 128, bf16)[:, 2:66]"))
case("nc_matmul.moving-columns", "513 columns", dst="P(32, 513)", moving="S(64, 513, bf16)", ok=dict(dst="P(32, 512)", moving="S(64, 512, bf16)"))
case("nc_matmul.moving-columns", "4097 columns", target="trn3", dst="P(32, 4097)", moving="S(64, 4097, bf16)",
     ok=dict(dst="P(32, 4096)", moving="S(64, 4096, bf16)"), also=["capacity"])
case("nc_matmul.array-tile", "size 48", tile_size="(64, 48)")
case("nc_matmul.array-tile", "size 32", target="trn1", stationary="S(32, 32, bf16)", moving="S(32, 64, bf16)", tile_size="(32, 64)")
case("nc_matmul.array-tile", "at 32", tile_position="(32, 0)", ok=dict(tile_position="(64, 0)"))
case("nc_matmul.tile_position.array-tile-pair", "tile_size a list of 0", tile_size="()")
case("nc_matmul.tile_size.tile-fit", "32x64", tile_size="(32, 64)")
case("nc_matmul.double-row", "asks for a double-row mode", target="trn1", stationary="S(64, 2, 32, e4m3)", moving="S(64, 2, 64, e4m3)",
     tile_size="(64, 128)", perf_mode="matmul_perf_mode.double_row", ok_target="trn2",
     ok=dict(stationary="S(64, 2, 32, e4m3)", moving="S(64, 2, 64, e4m3)", tile_size="(64, 128)", perf_mode="matmul_perf_mode.double_row"))
case("nc_matmul.double-row", "bfloat16", stationary="S(64, 2, 32, bf16)", moving="S(64, 2, 64, bf16)", tile_size="(64, 128)",
     perf_mode="matmul_perf_mode.double_row")
case("nc_matmul.perf_mode.double-row-pairs", "64x64", stationary="S(64, 64, e4m3)", moving="S(64, 2, 64, e4m3)", tile_size="(64, 128)",
     perf_mode="matmul_perf_mode.double_row")
case("nc_matmul.perf_mode.double-row-alone", "column tiles of 64", stationary="S(64, 2, 32, e4m3)", moving="S(64, 2, 64, e4m3)",
     perf_mode="matmul_perf_mode.double_row")
case("nc_matmul.perf_mode.double-row-alone", "is_transpose", stationary="S(64, 2, 32, e4m3)", moving="S(64, 2, 64, e4m3)",
     tile_size="(64, 128)", perf_mode="matmul_perf_mode.double_row", is_transpose="True")
case("nc_matmul_mx.stationary.matmul-k", "32x32", stationary="S(32, 32, x4_e4m3fn)", stationary_scale="S(4, 32, u8)")
case("nc_matmul_mx.stationary.matmul-m", "64x16", stationary="S(64, 16, x4_e4m3fn)", stationary_scale="S(64, 16, u8)")
case("nc_matmul_mx.moving.matmul-n", "64x32", moving="S(64, 32, x4_e4m3fn)", moving_scale="S(64, 32, u8)")
case("nc_matmul_mx.stationary.packed", "uint32", stationary="S(64, 32, u32)")
case("nc_matmul_mx.moving.packed", "uint32", moving="S(64, 64, u32)")
case("nc_matmul_mx.stationary.partitions", "48 partitions", stationary="S(48, 32, x4_e4m3fn)", moving="S(48, 64, x4_e4m3fn)",
     stationary_scale="S(48, 32, u8)", moving_scale="S(48, 64, u8)")
case("nc_matmul_mx.stationary.columns", "31 elements", dst="P(31, 64)", stationary="S(64, 31, x4_e4m3fn)", stationary_scale="S(64, 31, u8)")
case("nc_matmul_mx.moving-columns", "4097 columns", dst="P(32, 4097)", moving="S(64, 4097, x4_e4m3fn)", moving_scale="S(64, 4097, u8)",
     also=["capacity"])
case("nc_matmul_mx.stationary_scale.scale-shape", "64x31", stationary_scale="S(64, 31, u8)")
case("nc_matmul_mx.stationary_scale.scale-rows", "96 partitions, its operand 64", stationary_scale="S(96, 32, u8)")
case("nc_matmul_mx.moving_scale.scale-rows", "96 partitions, its operand 64", moving_scale="S(96, 64, u8)")
case("quantize_mx.dst_scale.scale-rows", "96 partitions, its operand 64", dst_scale="S(96, 16, u8)")
case("nc_matmul_mx.moving_scale.scale-shape", "8x64", moving_scale="S(8, 64, u8)")
case("nc_matmul_mx.stationary_scale.scale-start", "partition 16", stationary_scale="S(128, 32, u8)[16:80]",
     ok=dict(stationary_scale="S(128, 32, u8)[12:76]"))
case("nc_matmul_mx.moving_scale.scale-start", "partition 2", moving_scale="S(128, 64, u8)[2:66]", ok=dict(moving_scale="S(128, 64, u8)[4:68]"))
case("nc_matmul_mx.tile_position.array-tile-pair", "tile_size a list of 0", tile_size="None", ok=dict(tile_position="None", tile_size="None"))
case("nc_matmul_mx.tile_position.tile", "64x64 at (0, 0)", tile_size="(64, 64)")
case("nc_matmul_mx.tile_position.tile", "at (0, 32)", tile_position="(0, 32)")
case("nc_matmul.stationary.indirect-mode", "is float32", target="trn3", stationary="S(64, 32).indirect(S(64, 4, u32), 32)", moving="S(64, 64)",
     ok=dict(stationary="S(64, 32, bf16).indirect(S(64, 4, u32), 32)"))
case("nc_matmul.stationary.indirect-mode", "`moving` is indirect in transpose mode", target="trn3", is_transpose="True",
     moving="S(64, 64, bf16).indirect(S(64, 4, u32), 64)", ok=dict(is_transpose="True"))
case("nc_matmul.stationary.indirect-mode", "tile_position", target="trn3", stationary="S(64, 32, bf16).indirect(S(64, 4, u32), 32)",
     tile_position="(0, 64)", ok=dict(tile_position="(0, 64)"))
_MX = dict(setup="j = S(64, 4, u32)\nlate = S(128, 4, u32)[64:128]", stationary="S(64, 32, x4_e4m3fn).indirect(j, 32)")
case("nc_matmul_mx.stationary.indirect-pairs", "only one is indirect", **_MX, ok=dict(stationary="S(64, 32, x4_e4m3fn).indirect(j, 32)",
     stationary_scale="S(64, 32, u8).indirect(j, 32)"))
case("nc_matmul_mx.stationary.indirect-start", "starts at partition 64", setup=_MX["setup"], stationary="S(64, 32, x4_e4m3fn).indirect(late, 32)",
     stationary_scale="S(64, 32, u8).indirect(late, 32)", ok=dict(stationary="S(64, 32, x4_e4m3fn).indirect(j, 32)",
     stationary_scale="S(64, 32, u8).indirect(j, 32)"))
case("tensor_tensor.data1.bitwise-integers", "float32", op="nl.bitwise_and", data2="S(32, 64, i32)", dst="S(32, 64, i32)",
     ok=dict(op="nl.bitwise_and", data1="S(32, 64, i32)", data2="S(32, 64, i32)", dst="S(32, 64, i32)"))
case("tensor_tensor.op.operator", "rsqrt", op="nl.rsqrt", also=["tensor_tensor.op.engine-operator"])
case("tensor_tensor.op.engine-operator", "power", op="nl.power", ok=dict(op="nl.power", engine="engine.gpsimd"))
case("tensor_tensor.op.power-memory", "`data1` of `nisa.tensor_tensor` with power is in psum", op="nl.power", data1="P(32, 64)", engine="engine.unknown")
case("tensor_tensor.engine-reach", "cannot read `data2` in psum", data2="P(32, 64)", engine="engine.gpsimd", ok=dict(data2="P(32, 64)"))
case("tensor_scalar.data.bitwise-integers", "float32", op0="nl.bitwise_and", operand0="1", op1="None", operand1="None",
     ok=dict(op0="nl.bitwise_and", operand0="1", op1="None", operand1="None", data="S(32, 64, i32)", dst="S(32, 64, i32)"))
case("tensor_scalar.engine-reach", "cannot read `data` in psum", data="P(32, 64)", op0="nl.rsqrt", operand0="None", op1="None",
     operand1="None", engine="engine.gpsimd")
case("tensor_scalar.op0.engine-operator", "bitwise_and", data="S(32, 64, i32)", dst="S(32, 64, i32)", op0="nl.bitwise_and", operand0="1",
     op1="None", operand1="None", engine="engine.scalar", ok=dict(engine="engine.scalar"))
case("tensor_scalar.op0.engine-operator", "multiply", op1="None", operand1="None", engine="engine.gpsimd",
     ok=dict(op0="nl.rsqrt", operand0="None", op1="None", operand1="None", engine="engine.gpsimd"))
case("tensor_scalar.op0.engine-steps", "add then multiply", op0="nl.add", op1="nl.multiply", engine="engine.scalar", ok=dict(engine="engine.scalar"))
case("tensor_scalar.op0.engine-steps", "subtract alone", op0="nl.subtract", op1="None", operand1="None", engine="engine.scalar",
     ok=dict(op0="nl.add", op1="None", operand1="None", engine="engine.scalar"))
case("tensor_scalar.op1.alu-group", "bitwise_and, and op0 is multiply", op1="nl.bitwise_and", operand1="1", data="S(32, 64, i32)", dst="S(32, 64, i32)")
case("tensor_scalar.operand0.float32", "bfloat16", operand0="S(32, 1, bf16)")
case("tensor_scalar.operand1.float32", "int32", operand1="S(32, 1, i32)")
case("tensor_scalar.operand0.unary", "is 2, and rsqrt takes one", op0="nl.rsqrt", operand0="2.0", ok=dict(op0="nl.rsqrt", operand0="0"))
case("tensor_scalar.operand0.unary", "is a tile", op0="nl.abs")
case("tensor_scalar_cumulative.op1.operator", "divide", op1="nl.divide")
case("tensor_scalar_cumulative.reduce_cmd.command", "idle", reduce_cmd="reduce_cmd.idle", imm1="None")
case("tensor_scalar_cumulative.imm1.initial", "is given without load_reduce", reduce_cmd="reduce_cmd.reduce")
case("tensor_scalar_cumulative.imm1.initial", "is missing", imm1="None", ok=dict(imm1="None", reduce_cmd="reduce_cmd.reduce"))
case("tensor_reduce.data.bitwise-integers", "float32", op="nl.bitwise_and", ok=dict(op="nl.bitwise_and", data="S(32, 64, i32)", dst="S(32, 1, i32)"))
case("tensor_reduce.data.reduced", "32x2", dst="S(32, 2)")
case("tensor_reduce.negate.negate", "with bitwise_and", op="nl.bitwise_and", data="S(32, 64, i32)", dst="S(32, 1, i32)", negate="True", ok=dict(negate="True"))
case("tensor_reduce.op.reduction", "power", op="nl.power")
case("tensor_reduce.axis.innermost", "axis 0", axis="0")
case("tensor_reduce.axis.innermost", "axis 1", axis="1", data="S(32, 4, 8)", dst="S(32, 8)", ok=dict(axis="[1, 2]", data="S(32, 4, 8)"))
case("tensor_scalar_reduce.reduce_op.operator", "subtract", reduce_op="nl.subtract")
case("tensor_scalar_reduce.reverse0.range", "is 1", reverse0="True")
case("tensor_scalar_reduce.reduce_cmd.command", "reset", reduce_cmd="reduce_cmd.reset", reduce_init="None")
case("tensor_scalar_reduce.reduce_init.initial", "is given without", reduce_cmd="reduce_cmd.reduce")
case("tensor_scalar_reduce.reduce_init.initial", "is missing", reduce_init="None", ok=dict(reduce_init="None", reduce_cmd="reduce_cmd.reduce"))
case("tensor_partition_reduce.data.bitwise-integers", "float32", op="nl.bitwise_and", ok=dict(op="nl.bitwise_and", data="S(32, 64, i32)", dst="S(1, 64, i32)"))
case("tensor_partition_reduce.dst.partition-count", "2x64", dst="S(2, 64)")
case("tensor_partition_reduce.op.operator", "multiply", op="nl.multiply")
case("tensor_partition_reduce.op.reduction", "power", op="nl.power", also=["tensor_partition_reduce.op.operator"])
case("select_reduce.predicate.integer", "float32", predicate="S(32, 64)", also=["select_reduce.predicate.dtype"])
case("select_reduce.reduce_res.dtype", "int32", reduce_res="S(32, 1, i32)")
case("select_reduce.reduce_cmd.command", "load_reduce", reduce_cmd="reduce_cmd.load_reduce")
case("range_select.comp_op0.comparison", "add", comp_op0="nl.add", also=["range_select.comp_op0.operator"])
case("range_select.comp_op1.comparison", "add", comp_op1="nl.add", also=["range_select.comp_op1.operator"])
case("range_select.comp_op0.operator", "not_equal", comp_op0="nl.not_equal")
case("range_select.comp_op1.operator", "not_equal", comp_op1="nl.not_equal")
case("range_select.reduce_op.operator", "add", reduce_op="nl.add")
case("range_select.on_false_value.lowest", "is 0", on_false_value="0.0")
case("range_select.range_start.exact", "16777216", range_start="(1 << 24) - 63", ok=dict(range_start="(1 << 24) - 64"))
case("exponential.dst.dtype", "uint32", dst="S(32, 64, u32)")
case("exponential.src.dtype", "tfloat32", src="S(32, 64, tf32)")
case("exponential.dst.rank", "5 dimensions", dst="S(32, 2, 2, 4, 4)", ok=dict(dst="S(32, 4, 4, 4)"))
case("exponential.src.rank", "5 dimensions", src="S(32, 2, 2, 4, 4)", ok=dict(src="S(32, 4, 4, 4)"))
case("exponential.reduce_cmd.command", "reset", reduce_cmd="reduce_cmd.reset", reduce_init="0.0")
case("exponential.reduce_init.initial", "is given without", reduce_cmd="reduce_cmd.reduce", ok=dict(reduce_cmd="reduce_cmd.reduce", reduce_init="0.0"))
case("max8.src.columns", "7 elements", src="S(32, 7)", ok=dict(src="S(32, 8)"))
case("max8.src.columns", "16385 elements", src="S(32, 16385)", ok=dict(src="S(32, 16384)"))
case("max8.src.rank", "4 dimensions", src="S(32, 4, 4, 4)", ok=dict(src="S(32, 16, 4)"))
case("max8.dst.rank", "3 dimensions", dst="S(32, 4, 2)")
case("nc_find_index8.data.columns", "7 elements", data="S(32, 7)")
case("nc_find_index8.data.rank", "4 dimensions", data="S(32, 4, 4, 4)")
case("bn_stats.data.columns", "513 elements", data="S(32, 513)", ok=dict(data="S(32, 512)"))
case("bn_aggr.data.free-multiple", "32x13", data="S(32, 13)")
case("quantize_mx.dst.packed", "bfloat16", dst="S(64, 16, bf16)", also=["quantize_mx.dst.dtype"])
case("quantize_mx.dst.dtype", "float4_e2m1fn_x4", dst="S(64, 16, x4_fp4)")
case("quantize_mx.src.partitions", "40 partitions", src="S(40, 64, bf16)", dst="S(40, 16, x4_e4m3fn)", dst_scale="S(40, 16, u8)")
case("quantize_mx.src.free-multiple", "64x63", src="S(64, 63, bf16)", also=["quantize_mx.dst.quarter", "quantize_mx.dst_scale.scale-shape"])
case("quantize_mx.dst.quarter", "64x15", dst="S(64, 15, x4_e4m3fn)")
case("quantize_mx.dst_scale.scale-shape", "8x16", dst_scale="S(8, 16, u8)")
case("quantize_mx.dst_scale.scale-shape", "3x16", dst_scale="S(3, 16, u8)", src="S(32, 64, bf16)", dst="S(32, 16, x4_e4m3fn)",
     ok=dict(dst_scale="S(4, 16, u8)", src="S(32, 64, bf16)", dst="S(32, 16, x4_e4m3fn)"))
case("quantize_mx.dst_scale.scale-start", "partition 20", dst_scale="S(128, 16, u8)[20:84]", ok=dict(dst_scale="S(128, 16, u8)[8:72]"))
case("dropout.prob.float", "int32", prob="S(32, 1, i32)")
case("dropout.prob.float", "bfloat16", prob="S(32, 1, bf16)", data="S(32, 64, i32)", dst="S(32, 64, i32)", ok=dict(prob="S(32, 1, bf16)"))
case("dropout.prob.probability", "probability", command="run", prob="1.5", data="full(32, 64)", ok=dict(prob="0.5", data="full(32, 64)"),
     setup="def full(*s):\n    t = S(*s)\n    nisa.memset(t, 1.0)\n    return t\nnisa.dma_copy(out, full(1, 1))")
case("rng.dst.dtype", "bool", dst="S(32, 64, nl.bool_)")
case("rng.dst.integer", "float32", dst="S(32, 64)", also=["rng.dst.dtype"])
case("rng.engine", "gpsimd", target="trn1", engine="engine.gpsimd", ok=dict())
case("rng.engine-reach", "cannot write `dst` in psum", dst="P(32, 64, u32)", engine="engine.gpsimd", ok=dict(dst="P(32, 64, u32)"))
case("rand2.dst.dtype", "float8_e4m3fn", dst="S(32, 64, e4m3fn)")
case("rand2.max.bounds", "is 2, `max` is 1", min="2.0", max="1.0", ok=dict(min="1.0", max="2.0"))
case("rand2.min.order", "needs min < max", command="run", min="ones", max="ones", ok=dict(min="0.0", max="ones"),
     setup="ones = S(32, 1)\nnisa.memset(ones, 1.0)\nnisa.dma_copy(out, ones[0:1])")
case("set_rng_seed.src_seeds.dtype", "bfloat16", src_seeds="S(1, 1, bf16)")
case("set_rng_seed.src_seeds.one-element", "1x2", src_seeds="S(1, 2, u32)")
case("rand_set_state.engine", "does not run on the vector", engine="engine.vector", src_seeds="S(32, 24, u32)", ok_target="trn3",
     ok=dict(engine="engine.vector", src_seeds="S(32, 24, u32)"))
case("rand_set_state.engine-reach", "in psum", src_seeds="P(32, 6, u32)", also=["rand_set_state.src_seeds.memory"])
case("rand_set_state.src_seeds.memory", "in psum", target="trn3", src_seeds="P(32, 24, u32)", engine="engine.vector")
case("rand_set_state.src_seeds.rank", "3 dimensions", src_seeds="S(32, 3, 2, u32)")
case("rand_set_state.src_seeds.words", "24 words", src_seeds="S(32, 24, u32)")
case("rand_get_state.engine", "does not run on the vector", engine="engine.vector", dst="S(32, 24, u32)", ok_target="trn3",
     ok=dict(engine="engine.vector", dst="S(32, 24, u32)"))
case("rand_get_state.engine-reach", "in psum", target="trn3", dst="P(32, 6, u32)", ok=dict(dst="P(32, 24, u32)", engine="engine.vector"))
case("rand_get_state.dst.memory", "in psum", dst="P(32, 6, u32)", also=["rand_get_state.engine-reach"])
case("rand_get_state.dst.words", "6 words", target="trn3", engine="engine.vector")
case("activation.reduce_op.operator", "maximum", reduce_op="nl.maximum")
case("activation.reduce_cmd.command", "load_reduce", reduce_cmd="reduce_cmd.load_reduce")
case("activation.bias.dtype", "tfloat32", bias="S(32, 1, tf32)")
case("activation.bias.reciprocal-bias", "of reciprocal has a bias", target="trn1", op="nl.reciprocal", ok=dict(op="nl.reciprocal", bias="None"))
case("activation.bias.vector", "NeuronCore-v2", target="trn1", bias="1.0", ok=dict())
case("activation_reduce.reduce_op.operator", "maximum", reduce_op="nl.maximum")
case("activation_reduce.bias.dtype", "tfloat32", bias="S(32, 1, tf32)")
case("activation_reduce.bias.reciprocal-bias", "of reciprocal has a bias", target="trn1", op="nl.reciprocal", ok=dict(op="nl.reciprocal", bias="None"))
case("activation_reduce.bias.vector", "NeuronCore-v2", target="trn1", bias="1.0", ok=dict())
case("activate2.op0.steps", "add and multiply", op0="nl.add", op1="nl.multiply")
case("activate2.reverse0.needs-op0", "`op0` is bypass", op0="nl.bypass", op1="nl.bypass", reverse0="True")
case("activate2.reverse1.needs-op1", "`op1` is bypass", op1="nl.bypass", reverse1="True")
case("activate2.imm1.same-dtype", "`imm1` is bfloat16", imm1="S(32, 1, bf16)")
case("activate2.reduce_op.operator", "multiply", reduce_op="nl.multiply")
case("activate2.reduce_cmd.command", "load_reduce", reduce_cmd="reduce_cmd.load_reduce")
case("sequence_bounds.dst.dtype", "uint32", dst="S(1, 2, 64, u32)")
case("sequence_bounds.segment_ids.dtype", "uint32", segment_ids="S(1, 64, u32)")
case("sequence_bounds.dst.pairs", "1x64", dst="S(1, 64)")
case("sequence_bounds.dst.partitions", "2 partitions", dst="S(2, 2, 64)")
case("sequence_bounds.segment_ids.partitions", "2 partitions", segment_ids="S(2, 64)")
case("nonzero_with_count.dst.dtype", "float32", dst="S(128, 65)")
case("nonzero_with_count.src.dtype", "bfloat16", src="S(128, 64, bf16)")
case("nonzero_with_count.src.free-more", "128x64", dst="S(128, 64, i32)")
case("nonzero_with_count.src.same-partitions", "64x64", src="S(64, 64)")
case("topk.idx_dst.same-free", "32x4", idx_dst="S(32, 4, u32)")
case("topk.idx_dst.integer", "float32", idx_dst="S(32, 8)")
case("topk.src.partitions", "24 partitions", val_dst="S(24, 8, bf16)", idx_dst="S(24, 8, u32)", src="S(24, 4, bf16)")
case("topk.val_dst.columns", "32768 elements", val_dst="S(32, 32768, bf16)", idx_dst="S(32, 32768, u32)", src="S(32, 3000, bf16)", n="40000",
     ok=dict(val_dst="S(32, 16, bf16)", idx_dst="S(32, 16, u32)", src="S(32, 3000, bf16)", n="40000"), also=["capacity"])
case("topk.n.range", "is 7", n="7", ok=dict(n="8"))
case("topk.n.range", "is 65536", n="65536", src="S(32, 4096, bf16)", ok=dict(n="65535", src="S(32, 4096, bf16)"))
case("topk.val_dst.at-most-n", "takes 16 of 8", n="8", val_dst="S(32, 16, bf16)", idx_dst="S(32, 16, u32)")
case("topk.src.snake", "3 elements per partition, for 64", src="S(32, 3, bf16)", ok=dict(src="S(32, 3, bf16)", n="48"))
case("core_barrier.cores.pair", "is (1)", cores="(1,)", ok=dict(cores="[0]"))
case("core_barrier.data.memory", "in sbuf", data="S(32, 64)")
case("core_barrier.engine", "dma", engine="engine.dma")
case("sendrecv.send_to_rank.range", "is 2", send_to_rank="2")
case("sendrecv.recv_from_rank.range", "is 2", recv_from_rank="2")
case("sendrecv.src.row-bytes", "1028 bytes", src="S(32, 257)", dst="S(32, 257)", dma_engine="dma_engine.gpsimd_dma",
     ok=dict(src="S(32, 256)", dst="S(32, 256)", dma_engine="dma_engine.gpsimd_dma"))
case("register_load.dst.register", "`dst` is the int", dst="3")
case("register_store.src.register", "expected a register", src="None")
case("register_move.dst.register", "`dst` is the int", dst="3")
case("register_move.dst.induction", "register that is fixed", setup="r = nisa.register_alloc(1)\nnext = r + 1", dst="next",
     ok=dict(dst="r"))
case("activate2.reduce_op.needed", "needs a reduce_op", reduce_op="None", ok=dict(reduce_op="None", reduce_res="None", reduce_cmd="reduce_cmd.idle"))
case("sequence_bounds.dst.pairs", "1x64x2", dst="S(1, 64, 2)")
case("tensor_reduce.op.reduction", "average", op="nl.average")
case("tensor_tensor.op.operator", "average", op="nl.average", also=["tensor_tensor.op.engine-operator"])
case("sequence_bounds.segment_ids.numbers", "is -1", command="run", segment_ids="ids", setup="ids = S(1, 64)\nnisa.memset(ids, -1.0)")
case("register_move.src.register", "expected an int or a register", src="'a'")
case("register_alloc.x.initial", "expected an int or a register", x="'a'")


# ---- kernels in text form

OPERATOR = "kernel k() -> ()\n%(tensors)score 0\nmain:\n  %(line)s\n"
GATHER = "nc_dma_copy a = far{0; 64*32, 1*64; vector=%s; dim=%d}:float32@hbm oob_mode=$error"
TURN = "dma_transpose half = %s axes=None oob_mode=$%s"

text("dma_copy.dge_mode.range", "is 4", "nc_dma_copy a = h oob_mode=$error dge_mode=4", "nc_dma_copy a = h oob_mode=$error dge_mode=3")
text("dma_transpose.dge_mode.range", "is 4", "dma_transpose c = h[0:32, 0:32] axes=None oob_mode=$error dge_mode=4",
     "dma_transpose c = h[0:32, 0:32] axes=None oob_mode=$error dge_mode=0")
text("dma_transpose.src.same-elements", "32x64", "dma_transpose c = h axes=None oob_mode=$error", "dma_transpose c = h[0:32, 0:32] axes=None oob_mode=$error")
text("dma_copy.src.gather-index", "is 32x2", GATHER % ("two", 0), GATHER % ("i", 0))
text("dma_copy.src.gather-index", "in hbm", GATHER % ("h[0:32, 0:1]", 0), GATHER % ("two[0:32, 1:2]", 0))
text("dma_copy.src.gather-memory", "along dimension 1", GATHER % ("i", 1), GATHER % ("i", 0))
text("dma_copy.src.gather-memory", "is in sbuf", "nc_dma_copy h = a{0; 64*32, 1*64; vector=i; dim=0}:float32@sbuf oob_mode=$error",
     "nc_dma_copy h = a oob_mode=$error", target="trn3", also=["tensor-indirection"])
text("dma_copy.src.one-offset", "a scalar_offset and a vector_offset",
     "nc_dma_copy a = far{0; 64*32, 1*64; scalar=s; vector=i; dim=0}:float32@hbm oob_mode=$error", GATHER % ("i", 0))
text("dma_copy.src.scalar-index", "is 32x1", "nc_dma_copy a = far{0; 64*32, 1*64; scalar=i; dim=0}:float32@hbm oob_mode=$error",
     "nc_dma_copy a = far{0; 64*32, 1*64; scalar=s; dim=0}:float32@hbm oob_mode=$error")
text("dma_transpose.src.generation", "has a vector_offset", TURN % ("halves{0; 64*64, 1*64; vector=j; dim=0}:bfloat16@hbm", "error"),
     TURN % ("halves[0:64, 0:64]", "error"), target="trn1", tensors="tensor j: uint32[64, 1] @sbuf\n")
text("dma_transpose.src.indirect-shape", "float32", "dma_transpose c = far{0; 64*32, 1*32; vector=i; dim=0}:float32@hbm axes=None oob_mode=$skip",
     TURN % ("halves{0; 64*64, 1*64; vector=j; dim=0}:bfloat16@hbm", "skip"), tensors="tensor j: uint32[64, 1] @sbuf\n")
text("dma_transpose.src.index", "24x1 uint32", "dma_transpose o = halves{0; 64*32, 1*32; vector=j; dim=0}:bfloat16@hbm axes=None oob_mode=$skip",
     "dma_transpose o = halves{0; 64*32, 1*32; vector=i; dim=0}:bfloat16@hbm axes=None oob_mode=$skip",
     tensors="tensor j: uint32[24, 1] @sbuf\ntensor o: bfloat16[32, 32] @sbuf\n")
text("dma_compute.scales.ones", "has 2 at 1", "dma_compute a = [b, h] scales=[1.0, 2.0] reduce_op=add", "dma_compute a = [b, h] scales=[1.0, 1.0] reduce_op=add")
text("dma_compute.srcs.count", "17 sources", f"dma_compute a = [{', '.join(['h'] * 17)}] reduce_op=add", f"dma_compute a = [{', '.join(['h'] * 16)}] reduce_op=add")
_ROWS = "far{0; 64*32, 1*64; vector=i; dim=0}:float32@hbm"
text("dma_compute.srcs.pair", "3 sources", f"dma_compute a = [a, {_ROWS}, h] reduce_op=add", f"dma_compute a = [a, {_ROWS}] reduce_op=add")
text("dma_compute.srcs.static", "has a scalar_offset", "dma_compute a = [a, far{0; 64*32, 1*64; scalar=s; dim=0}:float32@hbm] reduce_op=add",
     "dma_compute a = [a, h] reduce_op=add")
text("nc_transpose.data.engine-memory", "goes from sbuf to sbuf", "transpose half = half", "transpose c = c")
text("nc_matmul.stationary-columns", "129 columns", "nc_matmul o = w, half", "nc_matmul p[0:32, 0:64] = w[0:64, 0:32], half",
     tensors="tensor o: float32[129, 64] @psum\n", also=["tile-partitions"])
text("nc_matmul_mx.stationary-columns", "130 columns", "nc_matmul_mx o = m, mm, ms, mms", "nc_matmul_mx p[0:32, 0:64] = m[0:64, 0:32], mm, ms[0:64, 0:32], mms",
     target="trn3", tensors="tensor o: float32[130, 64] @psum\n", also=["tile-partitions", "nc_matmul_mx.stationary.columns"])
text("register_load.src.dtype", "int64", "tensor_load %r = l", "tensor_load %r = s", tensors="tensor l: int64[1, 1] @sbuf\n")
text("register_store.dst.dtype", "uint64", "register_move %r imm=1\n  tensor_store l = %r", "register_move %r imm=1\n  tensor_store s = %r",
     tensors="tensor l: uint64[1, 1] @sbuf\n")
text("register_load.src.space", "in psum", "tensor_load %r = p[0:1, 0:1]", "tensor_load %r = s")
text("register_store.dst.space", "in psum", "register_move %r imm=1\n  tensor_store p[0:1, 0:1] = %r", "register_move %r imm=1\n  tensor_store s = %r")
text("tensor-indirection", "needs NeuronCore-v4", "nc_copy a = b{0; 64*32, 1*64; vector=i; dim=1}", "nc_copy a = b")
text("register_load.src.one-element", "1x2", "tensor_load %r = two[0:1, 0:2]", "tensor_load %r = two[0:1, 0:1]")
text("register_store.dst.one-element", "1x2", "register_move %r imm=1\n  tensor_store two[0:1, 0:2] = %r", "register_move %r imm=1\n  tensor_store two[0:1, 1:2] = %r")

_RING = "%s [o] = [%s] %sreplica_group=$literal([[0, 1]]) channel_id=%d num_channels=2"
for _name, _sources, _op in [("", "h", ""), ("_reduce", "h, h", "op=add ")]:
    _form = "collective_permute_implicit" + _name
    text(f"nccl.{_form}.channel_ids.channels", "channel 2 of 2", _RING % (_form, _sources, _op, 2), _RING % (_form, _sources, _op, 1),
         tensors="tensor o: float32[32, 64] @shared_hbm shared\n")

# operators that only files have
_ACTIVATE = "activate %s = %s activation_func=exp scale=1.0 bias=0.0 imm=0.0"
for _name, _dst, _src, _says in [("dst.space", "h", "a", "cannot write `dst` in hbm"), ("src.space", "a", "h", "cannot read `src` in hbm"),
                                 ("src.same-partitions", "a", "n", "16x64"), ("src.same-free", "a", "b[0:32, 0:32]", "32x32")]:
    text(f"core.activate.{_name}", _says, _ACTIVATE % (_dst, _src), _ACTIVATE % ("a", "b"))
_SELECT = "affine_select %s = %s fill_mode=Eq fill_reg=0 mask_pattern=(0 + 1*p; 1*64)"
for _name, _dst, _src, _says in [("dst.space", "p", "a", "cannot write `dst` in psum"), ("src.space", "a", "p", "cannot read `src` in psum"),
                                 ("src.same-partitions", "a", "n", "16x64"), ("src.same-free", "a", "b[0:32, 0:32]", "32x32")]:
    text(f"core.affine_select.{_name}", _says, _SELECT % (_dst, _src), _SELECT % ("a", "b"))
text("core.copy.dst.space", "cannot write `dst` in hbm", "copy h = a", "copy b = a")
text("core.copy.src.space", "cannot read `src` in hbm", "copy a = h", "copy a = b")
_COPY = "dma_copy %s = %s dst_bounds_check=$error src_bounds_check=$error"
text("core.dma_copy.dst.space", "in psum", _COPY % ("p", "h"), _COPY % ("a", "h"))
text("core.dma_copy.src.space", "in psum", _COPY % ("h", "p"), _COPY % ("h", "a"))
text("core.dma_copy.src.same-elements", "16x64", _COPY % ("h", "n"), _COPY % ("h", "a"))
text("core.load_stationary.src.space", "in psum", "load_stationary p", "load_stationary a")
text("core.matmul.dst.space", "in sbuf", "matmul a = b", "matmul p = b")
text("core.matmul.moving.space", "in psum", "matmul p = p", "matmul p = b")
_STT = "scalar_tensor_tensor %s = %s, %s op0=add op1=mult imm0=1.0"
text("core.scalar_tensor_tensor.dst.space", "`dst` in hbm", _STT % ("h", "a", "b"), _STT % ("a", "a", "b"))
text("core.scalar_tensor_tensor.src0.space", "`src0` in hbm", _STT % ("a", "h", "b"), _STT % ("a", "p", "b"))
text("core.scalar_tensor_tensor.src1.space", "`src1` in hbm", _STT % ("a", "b", "h"), _STT % ("a", "b", "p"))

# the structure of kernels
MAIN = "kernel k() -> ()\ncore 0\nmain:\n"
text("entry-block", "has no core", "kernel k() -> ()\n", MAIN, at=())
text("label-unique", "two blocks are labelled `a`", "kernel k() -> ()\ncore 0\na:\n  goto b\na:\n", "kernel k() -> ()\ncore 0\na:\n  goto b\nb:\n",
     also=["label-defined"], at=())
text("label-defined", "no block is labelled `z`", "kernel k() -> ()\ncore 0\na:\n  goto z\n", "kernel k() -> ()\ncore 0\na:\n  goto a\n")
text("branch-last", "in the middle of block", "kernel k() -> ()\ncore 0\na:\n  goto a\n  goto a\n", "kernel k() -> ()\ncore 0\na:\n  goto a\n", at=(4, 3))
text("block-ends", "does not end with a jump", "kernel k() -> ()\ncore 0\na:\n  register_move %i imm=0\nb:\n",
     "kernel k() -> ()\ncore 0\na:\n  register_move %i imm=0\n  goto b\nb:\n")
text("cores-blocks", "core 1 has 1 blocks", "kernel k() -> ()\ncore 0\na:\n  goto b\nb:\ncore 1\na:\n", "kernel k() -> ()\ncore 0\na:\n  goto b\nb:\ncore 1\na:\n  goto b\nb:\n", at=())
text("cores-labels", "`b` on core 1, `a` on core 0", "kernel k() -> ()\ncore 0\na:\ncore 1\nb:\n", "kernel k() -> ()\ncore 0\na:\ncore 1\na:\n", at=())
text("cores-jumps", "ends differently", "kernel k() -> ()\ncore 0\na:\n  goto a\nb:\ncore 1\na:\n  goto b\nb:\n",
     "kernel k() -> ()\ncore 0\na:\n  goto b\nb:\ncore 1\na:\n  goto b\nb:\n", at=())
text("cores", "runs on 3 logical cores", "kernel k() -> ()\ncore 0\nmain:\ncore 1\nmain:\ncore 2\nmain:\n", "kernel k() -> ()\ncore 0\nmain:\ncore 1\nmain:\n", at=())
text("cores", "runs on 2 logical cores", "kernel k() -> ()\ncore 0\nmain:\ncore 1\nmain:\n", MAIN, target="trn1", at=())
text("register-defined", "register `r` may be read before", "tensor_store s = %r", "register_move %r imm=0\n  tensor_store s = %r")
text("interface-memory", "output `y` is in sbuf", "kernel k() -> (y)\ntensor y: float32[4, 4] @sbuf\ncore 0\nmain:\n",
     "kernel k() -> (y)\ntensor y: float32[4, 4] @shared_hbm\ncore 0\nmain:\n", at=(2, 1))
_ONE = "kernel k(x) -> ()\ntensor x: float32[%s] @hbm%s\ncore 0\nmain:\n"
text("tensor-shape", "dimension of size 0", _ONE % ("0, 4", ""), _ONE % ("1, 4", ""), at=(2, 1))
text("tensor-size", "too many elements", _ONE % ("4294967296, 4294967296", ""), _ONE % ("4294967296, 4", ""), at=(2, 1))
text("tensor-elements", "claims 5 elements", _ONE % ("4, 4", " elements=5"), _ONE % ("4, 4", " elements=4"), at=(2, 1))
text("tensor-fits", "needs 4 x 16 bytes", _ONE % ("4, 4", " in a[4, 15]"), _ONE % ("4, 4", " in a[4, 16]"), at=(2, 1))
text("tensor-name", "two different tensors", "kernel k(x, x~2) -> ()\ntensor x: float32[4, 4] @hbm\ntensor x~2: float32[4, 5] @hbm\ncore 0\nmain:\n",
     _ONE % ("4, 4", ""), at=(3, 1))
text("partition-step", "outside of tensor `a`", "nc_copy a{0; 32*32, 1*64} = b", "nc_copy a{0; 64*32, 1*64} = b")
text("partition-bounds", "outside of tensor `a`", "nc_copy a{0; 64*33, 1*64} = a{0; 64*33, 1*64}", "nc_copy a{0; 64*32, 1*64} = b")
text("free-bounds", "outside of tensor `a`", "nc_copy a{1; 64*32, 1*64} = b", "nc_copy a{1; 64*32, 1*63} = b[0:32, 0:63]")
text("bounds", "outside of tensor `far`", "nc_dma_copy a = far{0; 64*100, 1*20} oob_mode=$error", "nc_dma_copy a = far{0; 64*32, 1*64} oob_mode=$error", also=["dma_copy.src.same-elements"])
text("tile-partitions", "200-partition tile", "nc_copy x[0:32, 0:64] = b", "nc_copy a = b", tensors="tensor x: float32[200, 64] @sbuf\n", at=())
text("capacity", "ends at byte 229440 of each partition", "nc_copy x[0:32, 0:64] = b", "nc_copy a = b", tensors="tensor x: float32[32, 57360] @sbuf\n", at=())
text("memory", "does not fit into SBUF", "nc_copy a = x[0:32, 0:64]", "nc_copy a = b", tensors="tensor x: float32[32, 55000] @sbuf\n", at=())
text("memory-pieces", "no place was found for `x`", "memset g value=0 dtype=float32\n  memset x value=0 dtype=uint8\n  nc_copy a = g", "nc_copy a = b",
     tensors="tensor x: uint8[32, 130000] @sbuf\ntensor g: float32[32, 64] @sbuf at (0, 100000)\n", at=())
text("psum-address", "begins at byte 2 of the PSUM partition", "memset x value=0 dtype=float32", "memset p value=0 dtype=float32",
     tensors="tensor x: float32[32, 64] @psum at (0, 2)\n", at=())
text("start-partition", "starts at partition 16 with 4", "nc_copy a[16:20, 0:64] = b[0:4, 0:64]", "nc_copy a[0:4, 0:64] = b[0:4, 0:64]")
text("partition-stride", "steps over 2 partitions", "nc_copy a[0:32:2, 0:64] = b[0:16, 0:64]", "nc_copy a[0:16, 0:64] = b[0:16, 0:64]")
text("packed-operand", "is float8_e4m3fn_x4, which cannot be computed with",
     "nc_copy x = a", "nc_copy x = y", target="trn3", tensors="tensor x: float8_e4m3fn_x4[32, 64] @sbuf\ntensor y: float8_e4m3fn_x4[32, 64] @sbuf\n")
text("packed-operand", "operand `src0` of `tensor_tensor` is float8_e5m2_x4", "tensor_tensor a = x, b op=add", "tensor_tensor a = a, b op=add",
     tensors="tensor x: float8_e5m2_x4[32, 64] @sbuf\n")
text("operator-generation", "`op` of `tensor_tensor` is abs_max, which NeuronCore-v3 does not have", "tensor_tensor a = a, b op=abs_max",
     "tensor_tensor a = a, b op=max")
text("operator-generation", "`op0` of `tensor_scalar` is abs_min, which NeuronCore-v2", "tensor_scalar a = b op0=abs_min imm0=2.0 op1=add imm1=2.0",
     "tensor_scalar a = b op0=min imm0=2.0 op1=add imm1=2.0", target="trn1")

ANOTHER_TEST = {"argument-kind"}  # test_an_argument_of_another_kind_is_refused


# ---- running


def run(tmp_path, function, target, changes, setup, command, after, name, options=()):
    text, line = source(function, setup, after, **changes)
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    cores = ["--lnc", "2"] if function in TWO_CORES and target != "trn1" else []
    result = run_klr(command, path, "--target", target, "--json", *cores, *options)
    assert result.returncode in (0, 1), result.stderr
    report = json.loads(result.stdout)
    return [found for found in report.get("diagnostics", []) if found["severity"] == "error"], line


def broken(diagnostics):
    return {note[len("rule: "):] for found in diagnostics for note in found["notes"] if note.startswith("rule: ")}


def of_instructions(name):
    return RULES[name]["function"] in BASE


@pytest.mark.parametrize("name", sorted(name for name in RULES if of_instructions(name) and cases_of(name)))
def test_a_broken_rule_is_named(name, tmp_path):
    rule = RULES[name]
    function = rule["function"]
    cases = cases_of(name)
    for number, one in enumerate(cases):
        target = one["target"] or BASE[function][0]
        diagnostics, line = run(tmp_path, function, target, one["changes"], one["setup"], one["command"], one["after"],
                                f"bad{number}", ["--strict"] if rule["tolerated"] else [])
        assert broken(diagnostics) - one["also"] == {name}, diagnostics
        first = next(found for found in diagnostics if f"rule: {name}" in found["notes"])
        assert first["code"] == rule["code"]
        assert one["says"] in first["message"], first["message"]
        assert (first["line"], first["column"]) == (line, 5), first
        assert any(note.startswith("expected") for note in first["notes"])
        if rule["checked"] != "verify":
            assert any(f"[{rule['source']}]" in note and target in note for note in first["notes"]), first["notes"]
        if rule["tolerated"]:
            cores = ["--lnc", "2"] if function in TWO_CORES else []
            told = run_klr("trace", tmp_path / f"bad{number}.py", "--target", target, *cores)
            assert told.returncode == 0 and told.stderr.startswith("warning[W0541]") and one["says"] in told.stderr, told.stderr
            assert f"bad{number}.py:{line}:5" in told.stderr and f"rule: {name}" in told.stderr
        diagnostics, _ = run(tmp_path, function, one["ok_target"] or (BASE[function][0] if one["ok"] is None else target),
                             one["ok"] or {}, one["setup"], one["command"] if one["ok"] is not None else "trace",
                             one["after"], f"good{number}")
        assert not diagnostics


def verify(tmp_path, one, lines, name):
    whole = lines if lines.startswith("kernel") else OPERATOR % dict(tensors=TENSORS + one["tensors"], line=lines)
    path = tmp_path / f"{name}.txt"
    path.write_text(whole)
    result = run_klr("verify", path, "--target", one["target"], "--json")
    assert result.returncode in (0, 1), result.stderr
    line = max((number for number, text in enumerate(whole.splitlines(), 1) if text.startswith("  ")), default=1)
    report = json.loads(result.stdout)
    return [found for found in report.get("diagnostics", []) if found["severity"] == "error"], (line, 3)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_broken_rule_of_a_kernel_in_text_form_is_named(name, tmp_path):
    for number, one in enumerate(TEXTS[name]):
        diagnostics, place = verify(tmp_path, one, one["broken"], f"bad{number}")
        assert broken(diagnostics) - one["also"] == {name}, diagnostics
        first = next(found for found in diagnostics if f"rule: {name}" in found["notes"])
        assert first["code"] == RULES[name]["code"] and one["says"] in first["message"], first
        if one["at"] != ():
            assert (first.get("line"), first.get("column")) == (one["at"] or place), first
        diagnostics, _ = verify(tmp_path, one, one["passes"], f"good{number}")
        assert not diagnostics


@pytest.mark.parametrize("function", sorted(name for name in BASE if BASE[name][1]))
def test_an_argument_of_another_kind_is_refused(function, tmp_path):
    """The rule argument-kind: a module stands for each argument in turn; registers have a code of their own."""
    code = "E0416" if function.startswith("register") else RULES["argument-kind"]["code"]
    for parameter in BASE[function][1]:
        diagnostics, line = run(tmp_path, function, BASE[function][0], {parameter: "nl"}, "", "trace", "", parameter)
        first = diagnostics[0]
        assert first["code"] in (code, RULES["argument-kind"]["code"]), (parameter, first)
        assert (first["line"], first["column"]) == (line, 5), (parameter, first)
        assert "module" in first["message"] and "expected" in first["message"], (parameter, first)
        assert parameter in first["message"] or code == "E0416", (parameter, first)
        assert first["notes"][:1] in (["rule: argument-kind"], [f"rule: {function}.{parameter}.register"]) or first["code"] == "E0416"


def test_every_rule_is_broken_by_a_case():
    """Rules of nki.collectives are broken by the table of test_collectives.py, all others by the tables above."""
    assert set(CASES) | set(TEXTS) <= set(RULES)
    elsewhere = {f"nccl.{rule}" for _, _, rule, _ in RULE_CASES} | ANOTHER_TEST
    assert elsewhere <= set(RULES)
    assert not {name for name in RULES if not (name in TEXTS or name in elsewhere or (of_instructions(name) and cases_of(name)))}
