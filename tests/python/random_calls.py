"""Random calls of nki.isa: instructions from the table with operands and parameters that fit, nearly fit, or make no sense.

`kernel(seed)` is a kernel's text and its target. Every tile is filled before the call and returned after it, so that a run
that is not refused can be compared, bit for bit, with one of the reference executors.
"""

import random

from isa_rules import BASE, PRELUDE, TWO_CORES

FILLED = PRELUDE.replace('''    return nl.ndarray(sizes if isinstance(sizes[-1], int) else sizes[:-1], dtype=dtype, buffer=buffer)
''', '''    shape = sizes if isinstance(sizes[-1], int) else sizes[:-1]
    made = nl.ndarray(shape, dtype=dtype, buffer=buffer)
    fill(made, shape, dtype, buffer)
    tiles.append(made)
    return made


tiles = []


def fill(made, shape, dtype, buffer):
    near = nl.ndarray(shape, dtype=dtype, buffer=nl.sbuf) if buffer != nl.sbuf else made
    if dtype in (x4_e5m2, x4_e4m3fn, x4_fp4, e8m0):
        nisa.memset(near, 0)
    else:
        count = 1
        for size in shape[1:]:
            count = count * size
        numbers = nl.ndarray((shape[0], count), dtype=i32, buffer=nl.sbuf)
        nisa.iota(numbers, [[1, count]], 1, 3)
        nisa.tensor_scalar(numbers, numbers, nl.bitwise_and, 63)
        nisa.tensor_copy(near, numbers.reshape(shape))
    if buffer == nl.psum:
        nisa.tensor_copy(made, near)
    elif buffer == nl.shared_hbm:
        nisa.dma_copy(made, near)


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
''')

DTYPES = ["f32", "bf16", "f16", "tf32", "e4m3", "e5m2", "e4m3fn", "i8", "i16", "i32", "u8", "u16", "u32", "nl.bool_",
          "x4_e5m2", "x4_e4m3fn", "x4_fp4", "e8m0"]
OPERATORS = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "mod", "abs", "rsqrt", "reciprocal", "invert",
             "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "equal", "not_equal", "greater",
             "greater_equal", "less", "less_equal", "logical_and", "logical_or", "logical_not", "bypass", "abs_max", "average",
             "exp", "tanh", "gelu", "relu", "sigmoid", "sin", "square", "sqrt"]
NUMBERS = ["0", "1", "-1", "2", "3.5", "-0.25", "63", "64", "127", "1 << 31", "-(1 << 31)", "1e30", "float('nan')", "float('inf')"]
MEMBERS = ["engine.vector", "engine.scalar", "engine.gpsimd", "engine.tensor", "engine.sync", "engine.dma", "engine.unknown",
           "reduce_cmd.idle", "reduce_cmd.reset", "reduce_cmd.reduce", "reduce_cmd.reset_reduce", "reduce_cmd.load_reduce",
           "oob_mode.skip", "oob_mode.error", "dge_mode.none", "dge_mode.swdge", "dge_mode.hwdge", "matmul_perf_mode.double_row"]
NONSENSE = ["None", "'text'", "[]", "()", "[[1, 2], [3]]", "nl.float32", "(0, 0)", "(32, 64)", "{}", "True", "nl", "1 << 70", "-1",
            "[1.0, 1.0]", "nisa.register_alloc(0)", "list(range(32))", "[255] * 32", "[[2, 32]]", "[[1, 8], [8, 8]]"]
SIZES = [1, 2, 3, 6, 8, 12, 16, 24, 31, 32, 33, 64, 96, 128]


def tile(draw):
    maker = draw.choice("SSSSPPH")
    rank = draw.choice([1, 1, 1, 1, 2, 2, 3])
    sizes = [str(draw.choice(SIZES)) for _ in range(1 + rank)]
    text = f"{maker}({', '.join([*sizes, draw.choice(DTYPES)])})"
    kind = draw.random()
    if kind < 0.1:
        return f"{text}[{draw.choice([0, 0, 16, 32, 64])}:{draw.choice([1, 32, 48, 64, 128])}]"
    if kind < 0.15:
        return f"{text}[:, {draw.choice(['0:1', '::2', '0:8', '4:4', '8:40', '::-1'])}]"
    if kind < 0.18:
        return f"{text}.view({draw.choice(DTYPES)})"
    if kind < 0.21:
        return f"{text}.indirect(S(32, 2, {draw.choice(['u16', 'u32', 'i32'])}), {draw.choice([8, 32])})"
    if kind < 0.24:
        return f"{text}.vector_select({draw.choice([0, 0, 1])}, S({draw.choice(sizes)}, 1, u32))"
    return text


def near(draw, text):
    """The base's tile with one thing about it changed."""
    inside = text[2:-1].split(", ")
    change = draw.random()
    if change < 0.25:
        return draw.choice("SPH") + text[1:]
    if change < 0.6:
        return f"{text[0]}({', '.join([*(part for part in inside if part.isdigit()), draw.choice(DTYPES)])})"
    at = draw.randrange(sum(part.isdigit() for part in inside))
    inside[at] = str(draw.choice(SIZES))
    return f"{text[0]}({', '.join(inside)})"


def argument(draw, base):
    kind = draw.random()
    if kind < 0.5 and base[:2] in ("S(", "P(", "H("):
        return near(draw, base)
    if kind < 0.6:
        return tile(draw)
    if kind < 0.72:
        return "nl." + draw.choice(OPERATORS)
    if kind < 0.82:
        return draw.choice(NUMBERS)
    if kind < 0.92:
        return draw.choice(MEMBERS)
    return draw.choice(NONSENSE)


def call(draw):
    function = draw.choice(sorted(BASE))
    arguments = dict(BASE[function][1])
    for _ in range(draw.choice([0, 1, 1, 1, 2, 2, 3])):
        if arguments:
            name = draw.choice(sorted(arguments))
            arguments[name] = argument(draw, arguments[name])
    if arguments and draw.random() < 0.1:
        del arguments[draw.choice(sorted(arguments))]
    if draw.random() < 0.02:
        arguments["nonsense"] = "1"
    return function, f"nisa.{function}({', '.join(f'{name}={text}' for name, text in arguments.items())})"


def kernel(seed):
    """(text, target, more options of `klr run`)."""
    draw = random.Random(seed)
    function, text = call(draw)
    target = BASE[function][0] if draw.random() < 0.7 else draw.choice(["trn1", "trn2", "trn3"])
    options = ["--lnc", "2"] if function in TWO_CORES and target != "trn1" else []
    return f"{FILLED}    {text}\n    return results()\n".replace("    out = H(1, 1)\n", "    tiles.clear()\n"), target, options
