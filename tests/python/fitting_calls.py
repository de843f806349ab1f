"""Random calls of nki.isa that fit: other sizes, dtypes, views, memories, operators and values than the base calls have.

Unlike those of random_calls.py nearly all of them run, on data with special values, so they compare the fast executors with
the reference ones. `kernel(seed)` is a kernel's text, its target and more options of `klr run`.
"""

import random
import re

from isa_rules import BASE, PRELUDE, TWO_CORES

HELPERS = '''

tiles = []
BYTES = (e4m3, e5m2, e4m3fn, i8, u8, e8m0, nl.bool_)
HALVES = (bf16, f16, i16, u16, x4_fp4)


def filled(shape, dtype, buffer, style, seed):
    """A tile with numbers in it; it is returned after the call."""
    near = nl.ndarray(shape, dtype=dtype, buffer=nl.sbuf)
    count = 1
    for size in shape[1:]:
        count = count * size
    if style == "zeros":
        nisa.memset(near, 0 if dtype in (i8, i16, i32, u8, u16, u32, nl.bool_) or dtype in (x4_e5m2, x4_e4m3fn, x4_fp4) else 0.0)
    elif style == "bits":
        random_words = nl.ndarray((shape[0], count), dtype=u32, buffer=nl.sbuf)
        state = nl.ndarray((1, 1), dtype=u32, buffer=nl.sbuf)
        nisa.memset(state, seed)
        nisa.set_rng_seed(state)
        nisa.rng(random_words)
        words = u8 if dtype in BYTES else u16 if dtype in HALVES else u32
        nisa.tensor_copy(near.reshape((shape[0], count)).view(words), random_words.view(words)[:, 0:count])
    else:
        numbers = nl.ndarray((shape[0], count), dtype=i32, buffer=nl.sbuf)
        nisa.iota(numbers, [[7, count]], seed, 13)
        nisa.tensor_scalar(numbers, numbers, nl.bitwise_and, {"small": 7, "unit": 15, "wide": 255}[style])
        scaled = nl.ndarray((shape[0], count), dtype=f32, buffer=nl.sbuf)
        if style == "unit":
            nisa.tensor_scalar(scaled, numbers, nl.multiply, 0.0625)
        elif style == "wide":
            nisa.tensor_scalar(scaled, numbers, nl.multiply, 0.37, op1=nl.subtract, operand1=40.0)
        else:
            nisa.tensor_copy(scaled, numbers)
        nisa.tensor_copy(near, scaled.reshape(shape))
    made = near
    if buffer == nl.psum:
        made = nl.ndarray(shape, dtype=dtype, buffer=nl.psum)
        nisa.tensor_copy(made, near)
    elif buffer == nl.shared_hbm:
        made = nl.ndarray(shape, dtype=dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(made, near)
    tiles.append(made)
    return made


def results():
    outs = []
    for made in list(tiles):
        near = made
        if made.buffer == nl.psum:
            near = nl.ndarray(made.shape, dtype=made.dtype, buffer=nl.sbuf)
            nisa.tensor_copy(near, made)
        out = nl.ndarray(made.shape, dtype=made.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(out, near)
        outs.append(out)
    return tuple(outs)


@nki.jit
def k():
    tiles.clear()
'''
TOP = PRELUDE[:PRELUDE.index("@nki.jit")] + HELPERS.lstrip("\n")

FLOATS = ["f32", "f32", "bf16", "bf16", "f16", "tf32", "e4m3", "e5m2", "e4m3fn"]
INTS = ["i8", "i16", "i32", "u8", "u16", "u32"]
ANY = FLOATS + INTS
NARROW = ["f32", "bf16", "f16", "e4m3", "e5m2", "e4m3fn", "i8", "i16", "u8", "u16"]
MATMUL = ["bf16", "bf16", "f16", "e4m3", "e5m2"]
COMPARE = ["nl.equal", "nl.greater", "nl.greater_equal", "nl.less", "nl.less_equal"]
ARITH = ["nl.add", "nl.subtract", "nl.multiply", "nl.maximum", "nl.minimum", "nl.not_equal", "nl.logical_and", "nl.logical_or",
         "nl.logical_xor", *COMPARE]
BITS = ["nl.bitwise_and", "nl.bitwise_or", "nl.bitwise_xor", "nl.left_shift", "nl.right_shift"]
UNARY = ["nl.abs", "nl.square", "nl.relu", "nl.rsqrt", "nl.reciprocal"]
ACTIVATIONS = ["nl." + name for name in ("copy square sigmoid relu prelu gelu gelu_dx gelu_apprx_tanh gelu_apprx_sigmoid "
                                         "gelu_apprx_sigmoid_dx silu silu_dx tanh softplus mish erf erf_dx exp log sin arctan "
                                         "sqrt rsqrt reciprocal sign abs").split()]
FLAG = ["True", "False"]
SUMS = ["nl.add", "nl.multiply", "nl.maximum", "nl.minimum"]

# What may stand for each parameter: dtypes of a tile, or expressions; a name in "=NAME" takes that parameter's dtype.
DTYPES = {
    "dma_copy": dict(dst=ANY, src=ANY), "dma_transpose": dict(dst=["bf16", "f16", "i16", "u16"], src="=dst"),
    "tensor_copy": dict(dst=ANY, src=ANY), "memset": dict(dst=FLOATS),
    "tensor_copy_predicated": dict(dst=ANY, src="=dst", predicate=["u8", "u16", "u32"]), "iota": dict(dst=ANY),
    "affine_select": dict(dst=ANY, on_true_tile=ANY), "nc_transpose": dict(dst=ANY, data="=dst"),
    "nc_stream_shuffle": dict(dst=ANY, src="=dst"), "local_gather": dict(dst=ANY, src_buffer="=dst"),
    "nc_n_gather": dict(dst=ANY, data="=dst"), "nc_matmul": dict(stationary=MATMUL, moving=MATMUL),
    "nc_matmul_mx": dict(stationary=["x4_e5m2", "x4_e4m3fn", "x4_fp4"], moving=["x4_e5m2", "x4_e4m3fn", "x4_fp4"],
                         stationary_scale=["u8", "e8m0"]),
    "tensor_tensor": dict(dst=ANY, data1=ANY, data2=ANY), "tensor_scalar": dict(dst=ANY, data=ANY),
    "scalar_tensor_tensor": dict(dst=ANY, data=ANY, operand0=ANY, operand1=ANY),
    "tensor_tensor_scan": dict(dst=ANY, data0=ANY, data1=ANY, initial=ANY),
    "tensor_scalar_cumulative": dict(dst=NARROW, src=NARROW), "tensor_reduce": dict(dst=ANY, data=ANY),
    "tensor_scalar_reduce": dict(dst=ANY, data=ANY, reduce_res=ANY), "tensor_partition_reduce": dict(dst=ANY, data=ANY),
    "select_reduce": dict(dst=ANY, predicate=["i8", "u8", "i16", "u16"], on_true=NARROW, on_false=ANY, reduce_res=FLOATS),
    "range_select": dict(dst=ANY, on_true_tile=FLOATS, reduce_res=ANY),
    "exponential": dict(dst=["f32", "bf16", "f16", "e4m3", "e5m2", "i32", "u8"], src=["f32", "bf16", "f16", "e5m2", "i16", "u32"],
                        reduce_res=["f32", "bf16", "tf32"]),
    "reciprocal": dict(dst=ANY, data=ANY), "max8": dict(dst=ANY, src=ANY), "nc_find_index8": dict(dst=["u32", "u16"], data=ANY, vals=ANY),
    "nc_match_replace8": dict(dst=ANY, data=ANY, vals=ANY, dst_idx=["u32", "u16"]), "bn_stats": dict(dst=ANY, data=ANY),
    "bn_aggr": dict(dst=ANY, data=ANY), "quantize_mx": dict(dst=["x4_e5m2", "x4_e4m3fn"], src=["bf16", "f16"], dst_scale=["u8", "e8m0"]),
    "dropout": dict(dst=ANY, data="=dst"), "rng": dict(dst=INTS), "rand2": dict(dst=["f32", "bf16", "i32", "u8"]),
    "activation": dict(dst=ANY, data=ANY, bias=["f32", "bf16", "i16"], reduce_res=ANY),
    "activation_reduce": dict(dst=ANY, data=ANY, bias=["f32", "f16"], reduce_res=ANY),
    "activate2": dict(dst=ANY, data=ANY, relu_param=ANY, reduce_res=ANY),
    "sequence_bounds": dict(dst=["f32", "i32"], segment_ids=["f32", "i32"]), "nonzero_with_count": dict(src=["f32", "i32"]),
}
VALUES = {
    "dma_copy": dict(priority=["0", "3", "None"]), "tensor_copy": dict(engine=["engine.vector", "engine.unknown"]),
    "memset": dict(value=["0.0", "1.5", "-3.0e5", "float('inf')"]), "tensor_copy_predicated": dict(reverse_pred=FLAG),
    "iota": dict(offset=["0", "-5", "1000000"], channel_multiplier=["0", "-64", "3"], pattern=["[[1, 64]]", "[[-3, 64]]", "[[64, 8], [1, 8]]"]),
    "affine_select": dict(cmp_op=COMPARE + ["nl.not_equal"], offset=["0", "-7"], on_false_value=["0.0", "-1.5e30"]),
    "nc_stream_shuffle": dict(shuffle_mask=["list(range(32))", "[255, 0] * 16", "[31 - i for i in range(32)]"]),
    "nc_matmul": dict(accumulate=["False", "None"], tile_position=["(0, 0)"]),
    "nc_matmul_mx": dict(accumulate=["False", "None"]),
    "tensor_tensor": dict(op=ARITH + BITS, engine=["engine.vector", "engine.unknown"]),
    "tensor_scalar": dict(op0=ARITH, op1=ARITH + ["None"], reverse0=FLAG, reverse1=FLAG, operand0=["S(32, 1)", "2.5", "-1"],
                          operand1=["S(32, 1)", "0.125", "3"], engine=["engine.vector", "engine.unknown"]),
    "scalar_tensor_tensor": dict(op0=ARITH, op1=ARITH, reverse0=FLAG, reverse1=FLAG),
    "tensor_tensor_scan": dict(op0=ARITH, op1=ARITH, reverse0=FLAG, reverse1=FLAG),
    "tensor_scalar_cumulative": dict(op0=ARITH, op1=[*SUMS, "nl.subtract"]),
    "tensor_reduce": dict(op=[*SUMS, "nl.subtract", "nl.logical_and", "nl.logical_or", "nl.logical_xor", *BITS[:3]], negate=["False"]),
    "tensor_scalar_reduce": dict(op0=ARITH, reduce_op=SUMS, reduce_res_negate=FLAG),
    "tensor_partition_reduce": dict(op=["nl.add", "nl.average", "nl.maximum"]),
    "select_reduce": dict(reverse_pred=FLAG, reduce_cmd=["reduce_cmd.idle", "reduce_cmd.reset_reduce"], on_false=["S(32, 1)", "-2.0"]),
    "range_select": dict(comp_op0=COMPARE, comp_op1=COMPARE, range_start=["0", "5", "-3"]),
    "exponential": dict(reduce_cmd=["reduce_cmd.load_reduce"]), "dropout": dict(prob=["S(32, 1)", "0.5", "1.0", "0.0"]),
    "rand2": dict(min=["-1.0"], max=["2.0", "1000.0"]),
    "activation": dict(op=ACTIVATIONS, reduce_cmd=["reduce_cmd.reset_reduce", "reduce_cmd.idle"], scale=["S(32, 1)", "0.5"]),
    "activation_reduce": dict(op=ACTIVATIONS, scale=["S(32, 1)", "-2.0"]),
    "activate2": dict(op=ACTIVATIONS, op0=["nl.multiply"], op1=["nl.add", "nl.subtract"], reverse0=FLAG, reverse1=FLAG,
                      reduce_op=["nl.add", "nl.maximum", "nl.minimum", "nl.abs_max", "nl.abs_min"]),
    "nonzero_with_count": dict(index_offset=["0", "7"], padding_val=["-1", "5"]),
}
# Sizes 32 and 64 of these base calls stand for any number of partitions and elements.
ANY_SIZE = {"dma_copy", "tensor_copy", "memset", "tensor_copy_predicated", "tensor_tensor", "tensor_scalar", "scalar_tensor_tensor",
            "tensor_tensor_scan", "tensor_scalar_cumulative", "tensor_reduce", "tensor_scalar_reduce", "select_reduce", "range_select",
            "exponential", "reciprocal", "dropout", "rng", "rand2", "activation", "activation_reduce", "activate2",
            "max8", "nc_find_index8", "nc_match_replace8", "bn_stats", "tensor_partition_reduce"}
STYLES = {"prob": ["unit"], "index": ["small"], "indices": ["small"], "segment_ids": ["small"], "bound0": ["small"], "bound1": ["wide"],
          "predicate": ["small", "bits"], "src_seeds": ["bits"]}
BANK = 512


def viewed(draw, maker, sizes, dtype, style, row):
    """A tile of these sizes, or a view of a larger one."""
    memory = {"S": "nl.sbuf", "P": "nl.psum", "H": "nl.shared_hbm"}[maker]
    seed = draw.randrange(1000)

    def made(shape, index=""):
        return f"filled(({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''}), {dtype}, {memory}, '{style}', {seed}){index}"
    partitions, *free = sizes
    kind = draw.random()
    if kind < 0.5 or len(free) != 1 or maker == "P" and free[0] > BANK // 4:
        return made(sizes)
    n = free[0]
    if kind < 0.6:
        return made((partitions, 2 * n), "[:, ::2]")
    if kind < 0.7:
        return made((partitions, n + 3), "[:, 3:]")
    if kind < 0.8 and n % 2 == 0 and row:
        return made((partitions, 2, n // 2 + 1), f"[:, :, 0:{n // 2}]")
    if kind < 0.85 and partitions <= 32:
        return made((128, n), f"[96:{96 + partitions}, :]")
    if kind < 0.9 and n == 1 and row:
        return made((partitions, 5), "[:, 4:5]")
    return made(sizes)


def call(draw):
    """(function, the text of a call)."""
    function = draw.choice(sorted(set(DTYPES) | set(VALUES)))
    arguments = dict(BASE[function][1])
    for name, choices in VALUES.get(function, {}).items():
        if draw.random() < 0.8:
            arguments[name] = draw.choice(choices)
    if function == "dma_copy":
        arguments.update(dge_mode="dge_mode.unknown", engine="engine.unknown")
    if arguments.get("op1") == "None":
        arguments["operand1"] = "None"
    partitions, columns = (draw.choice([1, 3, 16, 31, 32, 64, 100, 128]), draw.choice([8, 9, 16, 64, 65, 130])) \
        if function in ANY_SIZE else (32, 64)
    on_bits = any(arguments.get(name) in BITS for name in ("op", "op0"))
    dtypes, in_psum = {}, 0
    style = draw.choice(["wide", "wide", "small", "unit", "bits", "zeros"])
    for name, text in arguments.items():
        found = re.fullmatch(r"([SPH])\(([^()]*)\)", text)
        if not found:
            continue
        maker, inside = found.group(1), found.group(2).split(", ")
        sizes = [{"32": partitions, "64": columns}.get(size, int(size)) if function in ANY_SIZE else int(size)
                 for size in inside if size.isdigit()]
        dtype = next((part for part in inside if not part.isdigit()), "f32")
        choices = DTYPES.get(function, {}).get(name)
        if isinstance(choices, str):
            dtype = dtypes[choices[1:]]
        elif choices and draw.random() < 0.8:
            dtype = draw.choice(choices)
        if on_bits and name in ("dst", "data", "data1", "data2"):
            dtype = dtypes.get("dst", draw.choice(INTS))
        dtypes[name] = dtype
        if maker == "S" and "psum" in SPACES.get((function, name), "") and not in_psum and draw.random() < 0.2:
            maker, in_psum = "P", 1
            if sizes[-1] * 4 > 2048:
                maker = "S"
        packed = dtype in ("x4_e5m2", "x4_e4m3fn", "x4_fp4", "e8m0")
        own = draw.choice(STYLES.get(name, [style, style, "wide"]))
        if packed and own != "zeros":
            own = "bits" if function in ("nc_matmul_mx",) else "zeros"
        arguments[name] = viewed(draw, maker, sizes, dtype, own, function in ANY_SIZE)
    return function, f"nisa.{function}({', '.join(f'{name}={text}' for name, text in arguments.items())})"


# Operands that may be in PSUM, whatever the others are.
SPACES = {(function, name): "psum" for function, names in {
    "tensor_copy": "dst src", "memset": "dst", "tensor_tensor": "dst data1", "tensor_scalar": "dst data operand0", "activation": "dst data bias",
    "scalar_tensor_tensor": "dst data", "tensor_tensor_scan": "dst data0", "tensor_reduce": "dst data", "reciprocal": "dst data",
    "tensor_scalar_reduce": "dst data reduce_res", "max8": "dst src", "bn_stats": "dst data", "bn_aggr": "dst data",
    "select_reduce": "dst on_true", "range_select": "dst on_true_tile", "activation_reduce": "dst data", "activate2": "dst data",
}.items() for name in names.split()}


def kernel(seed):
    draw = random.Random(seed)
    function, text = call(draw)
    target = BASE[function][0] if draw.random() < 0.5 else "trn3"
    options = ["--lnc", "2"] if function in TWO_CORES else []
    return f"{TOP}    {text}\n    return results()\n", target, options
