"""Every class of operator against NumPy doing the same to the same arrays, one thread each.

A kernel loads its tiles and runs one instruction a few and then many times; the difference of the two runs, divided by the
difference in number, leaves out what starting, loading and tracing cost. rows() gives (name, our seconds, the peer's name,
the peer's seconds).

    bench_classes.py build/klr [PART OF A NAME]
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy loads it
import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402

P, N = 128, 512
FEW, ROUNDS = 2, 12  # short runs, many of them: some are not interrupted
LEAST_SECONDS = 1.5e-3  # that the difference of two runs should take

DTYPES = {"f32": (np.float32, "float32"), "bf16": (ml_dtypes.bfloat16, "bfloat16"), "f16": (np.float16, "float16"),
          "fp8": (ml_dtypes.float8_e4m3fn, "float8_e4m3fn"), "e5": (ml_dtypes.float8_e5m2, "float8_e5m2"),
          "tf32": (np.float32, "tfloat32"), "i32": (np.int32, "int32"), "u32": (np.uint32, "uint32"),
          "u16": (np.uint16, "uint16"), "i16": (np.int16, "int16"), "i8": (np.int8, "int8"), "u8": (np.uint8, "uint8"),
          "x4": (np.uint32, "float8_e4m3fn_x4")}

KERNEL = """import nki
import nki.isa as nisa
import nki.language as nl


def load(source, buffer, dtype):
    tile = nl.ndarray(source.shape, dtype=dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=source)
    if buffer == "sbuf":
        return tile
    copy = nl.ndarray(source.shape, dtype=dtype, buffer=nl.psum)
    nisa.tensor_copy(dst=copy, src=tile)
    return copy


def hbm(source):
    copy = nl.ndarray(source.shape, dtype=source.dtype, buffer=nl.hbm)
    nisa.dma_copy(dst=copy, src=source)
    return copy


@nki.jit
def repeated({parameters}, times):
{loads}
{setup}
    for _ in range(times):
        {step}
    done = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.sbuf)
    nisa.memset(done, 0)
    out = nl.ndarray((1, 1), dtype=nl.int32, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=done)
    return out
"""


class Tiles:
    """The arrays of a row, by name; what the kernel gets and the peer works on."""


def fill(rng, dtype, shape, what):
    if what == "ones":
        return np.ones(shape, dtype)
    if what == "identity":
        return np.eye(*shape, dtype=dtype)
    if what == "rows":  # a permutation of row numbers
        return rng.permutation(shape[0]).reshape(shape).astype(dtype)
    if what == "places":  # of elements of a row of N
        return rng.integers(0, N, shape).astype(dtype)
    if what == "bits":
        return rng.integers(0, 2, shape).astype(dtype)
    if what == "positive":
        return (rng.random(shape) + 0.5).astype(dtype)
    if what == "runs":
        return np.sort(rng.integers(1, 64, shape), axis=-1).astype(dtype)
    if what == "scales":
        return np.full(shape, 127, dtype)
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        return rng.integers(info.min // 2, info.max // 2, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def make_tiles(spec):
    """`a:f32` is a tile of 128 x 512; `b:u16[128,32]=places@psum` says all that can be said. Gives arrays and loads."""
    rng, arrays, loads = np.random.default_rng(0), Tiles(), []
    for word in spec.split():
        name, dtype, shape, what, place = re.fullmatch(r"(\w+):(\w+)(?:\[([\d,]+)\])?(?:=(\w+))?(?:@(\w+))?", word).groups()
        shape = tuple(int(size) for size in shape.split(",")) if shape else (P, N)
        setattr(arrays, name, fill(rng, DTYPES[dtype][0], shape, what))
        loads.append((name, dtype, place or "sbuf"))
    return arrays, loads


def save(folder, name, array, dtype):
    """An argument of klr for an array."""
    path = os.path.join(folder, name + ".npy")
    if dtype in ("bf16", "fp8", "e5", "tf32"):
        np.save(path, array.astype(np.float32))
        return f"{name}=@{path}:{DTYPES[dtype][1]}"
    if dtype == "x4":
        np.save(path, array)
        return f"{name}=@{path}"
    np.save(path, array)
    return f"{name}=@{path}"


def write_kernel(path, loads, setup, step):
    lines = []
    for name, dtype, place in loads:
        lines.append(f"    {name} = " + (f"hbm({name})" if place == "hbm" else f'load({name}, "{place}", nl.{DTYPES[dtype][1]})'
                                         if dtype != "x4" else f"load({name}, 'sbuf', nl.uint32).view(nl.float8_e4m3fn_x4)"))
    with open(path, "w", encoding="utf-8") as file:
        file.write(KERNEL.format(parameters=", ".join(name for name, _, _ in loads), loads="\n".join(lines),
                                 setup="\n".join("    " + line for line in setup.splitlines()), step=step))


class Failed(Exception):
    pass


def run_seconds(command, times):
    """What klr says the run itself took, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        result = subprocess.run(command + [f"times={times}"], capture_output=True, text=True)
        if result.returncode:
            raise Failed(json.loads(result.stdout)["diagnostics"][0]["message"])
        best = min(best, json.loads(result.stdout)["seconds"]["run"])
    return best


def our_seconds(klr, spec, setup, step):
    arrays, loads = make_tiles(spec)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "kernel.py")
        write_kernel(path, loads, setup, step)
        command = [klr, "run", path, "--threads", "1", "--target", "trn3", "--json"]
        command += [save(folder, name, getattr(arrays, name), dtype) for name, dtype, _ in loads]
        few, count = run_seconds(command, FEW), 16
        while True:
            seconds = run_seconds(command, FEW + count) - few
            if seconds >= LEAST_SECONDS or count >= 400:
                return max(seconds, 1e-9) / count
            count = min(400, max(count * 2, int(count * 1.3 * LEAST_SECONDS / max(seconds, 1e-5))))


def peer_seconds(function):
    function()
    start = time.perf_counter()
    function()
    calls = max(1, int(1e-3 / (time.perf_counter() - start)))
    times = []
    for _ in range(60):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        times.append((time.perf_counter() - start) / calls)
        if sum(times) * calls > 0.5:
            break
    return min(times)


# ---- what NumPy has no one function for
def erf(x):
    """The rational approximation of Abramowitz and Stegun 7.1.26, what NumPy programs use."""
    t = 1 / (1 + np.float32(0.3275911) * np.abs(x))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * np.float32(1.061405429)))))
    return np.sign(x) * (1 - poly * np.exp(-x * x))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def top8(x):
    return -np.sort(-np.partition(x, N - 8, axis=1)[:, N - 8:], axis=1)


def scan(a, b):
    state, out = np.zeros(P, np.float32), np.empty_like(a)
    for i in range(a.shape[1]):
        state = a[:, i] * state + b[:, i]
        out[:, i] = state
    return out


def quantized(x):
    """Shared exponents of groups of 8 rows by 4 elements, and elements of 8 bits."""
    groups = x.reshape(P // 8, 8, -1, 4)
    exponent = np.frexp(np.abs(groups).max(axis=(1, 3), keepdims=True))[1] - 9
    return np.ldexp(groups, -exponent).astype(ml_dtypes.float8_e4m3fn), exponent


def scaled(x, scale):
    return x * scale


F, B = "a:f32 b:f32 d:f32", "a:bf16 b:bf16 d:bf16"

# (name, tiles, setup, step, peer, what the peer runs on the tiles, least ratio)
ROWS = [
    # ---- elementwise
    ("tensor_tensor add f32", F, "", "nisa.tensor_tensor(d, a, b, nl.add)", lambda t: np.add(t.a, t.b, out=t.d)),
    ("tensor_tensor add bf16", B, "", "nisa.tensor_tensor(d, a, b, nl.add)", lambda t: np.add(t.a, t.b, out=t.d)),
    ("tensor_tensor add f16", "a:f16 b:f16 d:f16", "", "nisa.tensor_tensor(d, a, b, nl.add)",
     lambda t: np.add(t.a, t.b, out=t.d)),
    ("tensor_tensor f32 + bf16 to bf16", "a:f32 b:bf16 d:bf16", "", "nisa.tensor_tensor(d, a, b, nl.add)",
     lambda t: np.add(t.a, t.b.astype(np.float32)).astype(ml_dtypes.bfloat16)),
    ("tensor_tensor maximum f32", F, "", "nisa.tensor_tensor(d, a, b, nl.maximum)", lambda t: np.maximum(t.a, t.b, out=t.d)),
    ("tensor_tensor divide f32", F, "", "nisa.tensor_tensor(d, a, b, nl.divide)", lambda t: np.divide(t.a, t.b, out=t.d)),
    ("tensor_tensor greater f32", F, "", "nisa.tensor_tensor(d, a, b, nl.greater)", lambda t: np.greater(t.a, t.b)),
    ("tensor_tensor power f32", "a:f32=positive b:f32 d:f32", "",
     "nisa.tensor_tensor(d, a, b, nl.power, engine=nisa.engine.gpsimd)", lambda t: np.power(t.a, t.b, out=t.d)),
    ("tensor_tensor add int32", "a:i32 b:i32 d:i32", "", "nisa.tensor_tensor(d, a, b, nl.add)",
     lambda t: np.add(t.a, t.b, out=t.d)),
    ("tensor_tensor add int16", "a:i16 b:i16 d:i16", "", "nisa.tensor_tensor(d, a, b, nl.add)",
     lambda t: np.add(t.a, t.b, out=t.d)),
    ("tensor_tensor bitwise_and uint32", "a:u32 b:u32 d:u32", "", "nisa.tensor_tensor(d, a, b, nl.bitwise_and)",
     lambda t: np.bitwise_and(t.a, t.b, out=t.d)),
    ("tensor_tensor add, every second element", "a:f32[128,1024] b:f32[128,1024] d:f32", "",
     "nisa.tensor_tensor(d, a[:, 0:1024:2], b[:, 1:1024:2], nl.add)",
     lambda t: np.add(t.a[:, ::2], t.b[:, 1::2], out=t.d)),
    ("tensor_tensor add, turned free dimensions", "a:f32[128,16,32] b:f32[128,32,16] d:f32[128,32,16]", "",
     "nisa.tensor_tensor(d, a.ap([[512, 128], [1, 32], [32, 16]]), b, nl.add)",
     lambda t: np.add(t.a.transpose(0, 2, 1), t.b, out=t.d)),
    ("tensor_tensor multiply, repeated operand", "a:f32[128,16,32] b:f32[128,16] d:f32[128,16,32]", "",
     "nisa.tensor_tensor(d, a, b.ap([[16, 128], [1, 16], [0, 32]]), nl.multiply)",
     lambda t: np.multiply(t.a, t.b[:, :, None], out=t.d)),
    ("tensor_tensor multiply, repeated row", "a:f32[128,16,32] b:f32[128,32] d:f32[128,16,32]", "",
     "nisa.tensor_tensor(d, a, b.ap([[32, 128], [0, 16], [1, 32]]), nl.multiply)",
     lambda t: np.multiply(t.a, t.b[:, None, :], out=t.d)),
    ("tensor_scalar multiply, add f32", "a:f32 d:f32", "",
     "nisa.tensor_scalar(d, a, nl.multiply, 2.5, op1=nl.add, operand1=1.5)",
     lambda t: np.add(np.multiply(t.a, np.float32(2.5), out=t.d), np.float32(1.5), out=t.d)),
    ("tensor_scalar subtract, multiply, (P,1)", "a:f32 d:f32 s:f32[128,1]", "",
     "nisa.tensor_scalar(d, a, nl.subtract, s, op1=nl.multiply, operand1=s)",
     lambda t: np.multiply(np.subtract(t.a, t.s, out=t.d), t.s, out=t.d)),
    ("tensor_scalar multiply bf16", "a:bf16 d:bf16", "", "nisa.tensor_scalar(d, a, nl.multiply, 2.5)",
     lambda t: np.multiply(t.a, ml_dtypes.bfloat16(2.5), out=t.d)),
    ("tensor_scalar shift, and, uint32", "a:u32 d:u32", "",
     "nisa.tensor_scalar(d, a, nl.right_shift, 3, op1=nl.bitwise_and, operand1=255)",
     lambda t: np.bitwise_and(np.right_shift(t.a, 3, out=t.d), 255, out=t.d)),
    ("tensor_scalar shift uint8", "a:u8 d:u8", "", "nisa.tensor_scalar(d, a, nl.left_shift, 2)",
     lambda t: np.left_shift(t.a, 2, out=t.d)),
    ("tensor_scalar greater_equal", "a:f32 d:f32", "", "nisa.tensor_scalar(d, a, nl.greater_equal, 0.5)",
     lambda t: np.greater_equal(t.a, np.float32(0.5)).astype(np.float32)),
    ("tensor_scalar add, power -0.5", "a:f32=positive d:f32", "",
     "nisa.tensor_scalar(d, a, nl.add, 1e-6, op1=nl.power, operand1=-0.5)",
     lambda t: np.power(t.a + np.float32(1e-6), np.float32(-0.5), out=t.d)),
    ("tensor_scalar add, rsqrt", "a:f32=positive d:f32", "",
     "nisa.tensor_scalar(d, a, nl.add, 1e-6, op1=nl.rsqrt, operand1=0.0)",
     lambda t: np.divide(np.float32(1), np.sqrt(t.a + np.float32(1e-6)), out=t.d)),
    ("scalar_tensor_tensor f32", "a:f32 b:f32 d:f32 s:f32[128,1]", "",
     "nisa.scalar_tensor_tensor(d, a, nl.multiply, s, nl.add, b)",
     lambda t: np.add(np.multiply(t.a, t.s, out=t.d), t.b, out=t.d)),
    ("reciprocal f32", "a:f32 d:f32", "", "nisa.reciprocal(d, a)", lambda t: np.divide(np.float32(1), t.a, out=t.d)),
    # ---- activations
    ("activation exp f32", "a:f32 d:f32", "", "nisa.activation(d, nl.exp, a)", lambda t: np.exp(t.a, out=t.d)),
    ("activation exp, scale, bias, bf16", "a:f32 d:bf16 s:f32[128,1]", "",
     "nisa.activation(d, nl.exp, a, bias=s, scale=0.5)",
     lambda t: np.exp(t.a * np.float32(0.5) + t.s).astype(ml_dtypes.bfloat16)),
    ("activation tanh", "a:f32 d:f32", "", "nisa.activation(d, nl.tanh, a)", lambda t: np.tanh(t.a, out=t.d)),
    ("activation sigmoid", "a:f32 d:f32", "", "nisa.activation(d, nl.sigmoid, a)", lambda t: sigmoid(t.a)),
    ("activation silu", "a:f32 d:f32", "", "nisa.activation(d, nl.silu, a)", lambda t: t.a * sigmoid(t.a)),
    ("activation gelu", "a:f32 d:f32", "", "nisa.activation(d, nl.gelu, a)",
     lambda t: t.a * np.float32(0.5) * (1 + erf(t.a * np.float32(2**-0.5)))),
    ("activation erf", "a:f32 d:f32", "", "nisa.activation(d, nl.erf, a)", lambda t: erf(t.a)),
    ("activation log", "a:f32=positive d:f32", "", "nisa.activation(d, nl.log, a)", lambda t: np.log(t.a, out=t.d)),
    ("activation sin", "a:f32 d:f32", "nisa.tensor_scalar(a, a, nl.minimum, 3.1, op1=nl.maximum, operand1=-3.1)",
     "nisa.activation(d, nl.sin, a)", lambda t: np.sin(t.a, out=t.d)),
    ("activation sqrt", "a:f32=positive d:f32", "", "nisa.activation(d, nl.sqrt, a)", lambda t: np.sqrt(t.a, out=t.d)),
    ("activation rsqrt", "a:f32=positive d:f32", "", "nisa.activation(d, nl.rsqrt, a)",
     lambda t: np.divide(np.float32(1), np.sqrt(t.a), out=t.d)),
    ("activation softplus", "a:f32 d:f32", "", "nisa.activation(d, nl.softplus, a)", lambda t: np.log1p(np.exp(t.a))),
    ("activation mish", "a:f32 d:f32", "", "nisa.activation(d, nl.mish, a)",
     lambda t: t.a * np.tanh(np.log1p(np.exp(t.a)))),
    ("activation arctan", "a:f32 d:f32", "nisa.tensor_scalar(a, a, nl.minimum, 1.5, op1=nl.maximum, operand1=-1.5)",
     "nisa.activation(d, nl.arctan, a)", lambda t: np.arctan(t.a, out=t.d)),
    ("activation relu", "a:f32 d:f32", "", "nisa.activation(d, nl.relu, a)", lambda t: np.maximum(t.a, 0, out=t.d)),
    ("activation square", "a:f32 d:f32", "", "nisa.activation(d, nl.square, a)", lambda t: np.square(t.a, out=t.d)),
    ("activation gelu_dx", "a:f32 d:f32", "", "nisa.activation(d, nl.gelu_dx, a)",
     lambda t: (1 + erf(t.a * np.float32(2**-0.5))) / 2 + t.a * np.exp(-t.a * t.a / 2) * np.float32(0.3989423)),
    ("activation_reduce exp, add", "a:f32 d:bf16 s:f32[128,1] r:f32[128,1]", "",
     "nisa.activation_reduce(d, nl.exp, a, reduce_op=nl.add, reduce_res=r, bias=s)",
     lambda t: (lambda e: (e.astype(ml_dtypes.bfloat16), e.sum(axis=1)))(np.exp(t.a + t.s))),
    ("activate2 exp", "a:f32 d:f32", "",
     "nisa.activate2(d, nl.exp, a, imm0=0.5, imm1=-1.0, op0=nl.multiply, op1=nl.add)",
     lambda t: np.exp(t.a * np.float32(0.5) - 1)),
    ("exponential, with its sum", "a:f32 d:bf16 s:f32[128,1] r:f32[128,1]", "",
     "nisa.exponential(d, a, max_value=s, reduce_res=r, reduce_cmd=nisa.reduce_cmd.reset_reduce)",
     lambda t: (lambda e: (e.astype(ml_dtypes.bfloat16), e.sum(axis=1)))(np.exp(t.a - t.s))),
    # ---- reductions and recurrences
    ("tensor_reduce add f32", "a:f32 r:f32[128,1]", "", "nisa.tensor_reduce(r, nl.add, a, axis=1)",
     lambda t: np.sum(t.a, axis=1)),
    ("tensor_reduce maximum bf16", "a:bf16 r:bf16[128,1]", "", "nisa.tensor_reduce(r, nl.maximum, a, axis=1)",
     lambda t: np.max(t.a, axis=1)),
    ("tensor_reduce add, 16 groups of 32", "a:f32[128,16,32] r:f32[128,16]", "",
     "nisa.tensor_reduce(r, nl.add, a, axis=2)", lambda t: np.sum(t.a, axis=2)),
    ("tensor_reduce add, turned: 32 groups of 16", "a:f32[128,16,32] r:f32[128,32]", "",
     "nisa.tensor_reduce(r, nl.add, a.ap([[512, 128], [1, 32], [32, 16]]), axis=2)", lambda t: np.sum(t.a, axis=1)),
    ("tensor_reduce add, turned bf16", "a:bf16[128,16,32] r:f32[128,32]", "",
     "nisa.tensor_reduce(r, nl.add, a.ap([[512, 128], [1, 32], [32, 16]]), axis=2)",
     lambda t: np.sum(t.a, axis=1, dtype=np.float32)),
    ("tensor_reduce bitwise_or uint32", "a:u32 r:u32[128,1]", "", "nisa.tensor_reduce(r, nl.bitwise_or, a, axis=1)",
     lambda t: np.bitwise_or.reduce(t.a, axis=1)),
    ("tensor_partition_reduce add", "a:f32 r:f32[1,512]", "", "nisa.tensor_partition_reduce(r, nl.add, a)",
     lambda t: np.sum(t.a, axis=0)),
    ("tensor_scalar_reduce multiply, add", "a:f32 d:f32 r:f32[128,1]", "",
     "nisa.tensor_scalar_reduce(d, a, nl.multiply, 2.0, nl.add, r)",
     lambda t: np.sum(np.multiply(t.a, np.float32(2), out=t.d), axis=1)),
    ("tensor_tensor_scan multiply, add", F, "", "nisa.tensor_tensor_scan(d, a, b, 0.0, nl.multiply, nl.add)",
     lambda t: scan(t.a, t.b)),
    ("tensor_scalar_cumulative add", "a:f32 d:f32", "",
     "nisa.tensor_scalar_cumulative(d, a, nl.multiply, nl.add, 2.0)",
     lambda t: np.cumsum(np.multiply(t.a, np.float32(2), out=t.d), axis=1, out=t.d)),
    ("bn_stats", "a:f32 r:f32[128,6]", "", "nisa.bn_stats(r, a)",
     lambda t: (np.mean(t.a[:, ::2], axis=1), np.var(t.a[:, ::2], axis=1), np.mean(t.a[:, 1::2], axis=1),
                np.var(t.a[:, 1::2], axis=1))),
    ("bn_aggr of 8 triples", "a:f32[128,24]=positive r:f32[128,2]", "", "nisa.bn_aggr(r, a)",
     lambda t: ((t.a[:, ::3] * t.a[:, 1::3]).sum(axis=1) / t.a[:, ::3].sum(axis=1),
                (t.a[:, 2::3] + t.a[:, ::3] * t.a[:, 1::3] ** 2).sum(axis=1))),
    # ---- selections and patterns
    ("select_reduce", "a:f32 b:u8=bits d:f32 r:f32[128,1]", "",
     "nisa.select_reduce(d, b, a, -1.0, reduce_res=r, reduce_cmd=nisa.reduce_cmd.reset_reduce)",
     lambda t: np.max(np.where(t.b, t.a, np.float32(-1)), axis=1)),
    ("range_select", "a:f32 d:f32 low:f32[128,1] high:f32[128,1]=positive r:f32[128,1]",
     "nisa.tensor_scalar(high, high, nl.multiply, 300.0)",
     "nisa.range_select(d, a, nl.greater_equal, nl.less, low, high, reduce_res=r)",
     lambda t: (lambda i: np.max(np.where((i >= t.low) & (i < t.high), t.a, np.float32(-3e38)), axis=1))(
         np.arange(N, dtype=np.float32))),
    ("affine_select", "a:f32 d:f32", "",
     "nisa.affine_select(d, [[-1, 512]], 1, a, 0.0, cmp_op=nl.greater_equal, offset=100)",
     lambda t: np.where(np.arange(P)[:, None] - np.arange(N) + 100 >= 0, t.a, np.float32(0))),
    ("tensor_copy_predicated", "a:f32 b:u8=bits d:f32", "", "nisa.tensor_copy_predicated(d, a, b)",
     lambda t: np.copyto(t.d, t.a, where=t.b != 0)),
    ("iota int32", "d:i32", "", "nisa.iota(d, [[1, 512]], channel_multiplier=512)",
     lambda t: np.add(np.arange(P, dtype=np.int32)[:, None] * N, np.arange(N, dtype=np.int32), out=t.d)),
    ("iota f32", "d:f32", "", "nisa.iota(d, [[1, 512]], channel_multiplier=512)",
     lambda t: (np.arange(P, dtype=np.int32)[:, None] * N + np.arange(N, dtype=np.int32)).astype(np.float32)),
    ("memset f32", "d:f32", "", "nisa.memset(d, 1.5)", lambda t: t.d.fill(1.5)),
    ("memset bf16, every second element", "d:bf16[128,1024]", "", "nisa.memset(d[:, 0:1024:2], 1.5)",
     lambda t: t.d[:, ::2].fill(1.5)),
    # ---- the eights
    ("max8", "a:f32 r:f32[128,8]", "", "nisa.max8(r, a)", lambda t: top8(t.a)),
    ("nc_find_index8", "a:f32 r:f32[128,8] j:u32[128,8]", "nisa.max8(r, a)", "nisa.nc_find_index8(j, a, r)",
     lambda t: np.argpartition(t.a, N - 8, axis=1)[:, N - 8:]),
    ("nc_match_replace8", "a:f32 d:f32 r:f32[128,8]", "nisa.max8(r, a)", "nisa.nc_match_replace8(d, a, r, 0.0)",
     lambda t: np.put_along_axis(t.d, np.argpartition(t.a, N - 8, axis=1)[:, N - 8:], 0, axis=1)),
    # ---- copies and conversions
    ("tensor_copy f32", "a:f32 d:f32", "", "nisa.tensor_copy(d, a)", lambda t: np.copyto(t.d, t.a)),
    ("tensor_copy f32 to bf16", "a:f32 d:bf16", "", "nisa.tensor_copy(d, a)",
     lambda t: t.a.astype(ml_dtypes.bfloat16)),
    ("tensor_copy bf16 to f32", "a:bf16 d:f32", "", "nisa.tensor_copy(d, a)", lambda t: t.a.astype(np.float32)),
    ("tensor_copy f32 to f16", "a:f32 d:f16", "", "nisa.tensor_copy(d, a)", lambda t: t.a.astype(np.float16)),
    ("tensor_copy f32 to fp8", "a:f32 d:fp8", "", "nisa.tensor_copy(d, a)",
     lambda t: t.a.astype(ml_dtypes.float8_e4m3fn)),
    ("tensor_copy fp8 to bf16", "a:fp8 d:bf16", "", "nisa.tensor_copy(d, a)",
     lambda t: t.a.astype(np.float32).astype(ml_dtypes.bfloat16)),
    ("tensor_copy f32 to int32", "a:f32 d:i32", "", "nisa.tensor_copy(d, a)", lambda t: np.rint(t.a).astype(np.int32)),
    ("tensor_copy f32 to int8", "a:f32 d:i8", "", "nisa.tensor_copy(d, a)", lambda t: np.rint(t.a).astype(np.int8)),
    ("tensor_copy int32 to f32", "a:i32 d:f32", "", "nisa.tensor_copy(d, a)", lambda t: t.a.astype(np.float32)),
    ("tensor_copy, turned free dimensions, bf16", "a:bf16[128,16,32] d:bf16[128,32,16]", "",
     "nisa.tensor_copy(d, a.ap([[512, 128], [1, 32], [32, 16]]))", lambda t: np.copyto(t.d, t.a.transpose(0, 2, 1))),
    ("tensor_copy, every second element", "a:f32[128,1024] d:f32", "", "nisa.tensor_copy(d, a[:, 0:1024:2])",
     lambda t: np.copyto(t.d, t.a[:, ::2])),
    # ---- transposes, shuffles, gathers
    ("nc_transpose 128x128 f32, tensor engine", "a:f32[128,128] d:f32[128,128]@psum", "",
     "nisa.nc_transpose(d, a, engine=nisa.engine.tensor)", lambda t: np.copyto(t.d, t.a.T)),
    ("nc_transpose 128x128 bf16, tensor engine", "a:bf16[128,128] d:bf16[128,128]@psum", "",
     "nisa.nc_transpose(d, a, engine=nisa.engine.tensor)", lambda t: np.copyto(t.d, t.a.T)),
    ("nc_transpose 32x32 f32, vector engine", "a:f32[32,32] d:f32[32,32]", "",
     "nisa.nc_transpose(d, a, engine=nisa.engine.vector)", lambda t: np.copyto(t.d, t.a.T)),
    ("nc_matmul is_transpose bf16", "a:bf16[128,128] i:bf16[128,128]=identity d:bf16[128,128]@psum", "",
     "nisa.nc_matmul(d, a, i, is_transpose=True)", lambda t: np.copyto(t.d, t.a.T)),
    ("dma_transpose 512x128 bf16", "a:bf16[512,128]@hbm d:bf16[128,512]", "", "nisa.dma_transpose(d, a)",
     lambda t: np.copyto(t.d, t.a.T)),
    ("nc_stream_shuffle", "a:f32 d:f32", "mask = [(i * 5 + 3) % 32 for i in range(32)]",
     "nisa.nc_stream_shuffle(d, a, mask)",
     lambda t: np.take(t.a, [32 * (i // 32) + (i * 5 + 3) % 32 for i in range(P)], axis=0, out=t.d)),
    ("nc_n_gather", "a:f32 i:u32=places d:f32", "", "nisa.nc_n_gather(d, a, i)",
     lambda t: np.take_along_axis(t.a, t.i.astype(np.int64), axis=1)),
    ("local_gather", "a:f32 i:u16[128,32]=places d:f32", "", "nisa.local_gather(d, a, i)",
     lambda t: np.take_along_axis(t.a, np.repeat(t.i.reshape(8, 1, 512).astype(np.int64), 16, axis=1).reshape(P, N), axis=1)),
    ("sequence_bounds", "a:i32[1,512]=runs r:i32[1,2,512]", "", "nisa.sequence_bounds(r, a)",
     lambda t: (np.searchsorted(t.a[0], t.a[0]), np.searchsorted(t.a[0], t.a[0], "right"))),
    ("nonzero_with_count", "a:i32=bits r:i32[128,513]", "", "nisa.nonzero_with_count(r, a)",
     lambda t: [np.nonzero(t.a[p]) for p in range(0, P, 16)]),
    # ---- DMA
    ("dma_copy 128x512 f32", "a:f32@hbm d:f32", "", "nisa.dma_copy(d, a)", lambda t: np.copyto(t.d, t.a)),
    ("dma_copy, part of rows", "a:f32[128,1024]@hbm d:f32", "", "nisa.dma_copy(d, a[:, 256:768])",
     lambda t: np.copyto(t.d, t.a[:, 256:768])),
    ("dma_copy, every second element", "a:f32[128,1024]@hbm d:f32", "", "nisa.dma_copy(d, a[:, 0:1024:2])",
     lambda t: np.copyto(t.d, t.a[:, ::2])),
    ("dma_copy, transposed", "a:f32[512,128]@hbm d:f32", "", "nisa.dma_copy(d, a.ap([[1, 128], [128, 512]]))",
     lambda t: np.copyto(t.d, t.a.T)),
    ("dma_copy, blocks of rows", "a:bf16[2048,128]@hbm d:bf16[128,16,128]", "",
     "nisa.dma_copy(d, a.ap([[128, 128], [16384, 16], [1, 128]]))",
     lambda t: np.copyto(t.d, t.a.reshape(16, 128, 128).transpose(1, 0, 2))),
    ("dma_copy, another shape", "a:f32[512,128]@hbm d:f32[128,512]", "", "nisa.dma_copy(d, a)",
     lambda t: np.copyto(t.d, t.a.reshape(128, 512))),
    ("dma_copy f32 to bf16", "a:f32@hbm d:bf16", "", "nisa.dma_copy(d, a)", lambda t: t.a.astype(ml_dtypes.bfloat16)),
    ("dma_copy, rows gathered by index", "a:f32[1024,512]@hbm i:i32[128,1]=rows d:f32", "",
     "nisa.dma_copy(d, a.ap([[512, 128], [1, 512]], vector_offset=i, indirect_dim=0))",
     lambda t: np.take(t.a, t.i[:, 0], axis=0, out=t.d)),
    ("dma_copy, rows scattered by index", "a:f32[1024,512]@hbm i:i32[128,1]=rows d:f32", "",
     "nisa.dma_copy(a.ap([[512, 128], [1, 512]], vector_offset=i, indirect_dim=0), d)",
     lambda t: t.a.__setitem__(t.i[:, 0], t.d)),
    ("dma_compute of two", "a:f32@hbm b:f32@hbm d:f32", "", "nisa.dma_compute(d, [a, b], nl.add)",
     lambda t: np.add(t.a, t.b, out=t.d)),
    # ---- the tensor engine
    ("nc_matmul f32", "s:f32[128,128] a:f32 d:f32@psum", "", "nisa.nc_matmul(d, s, a, accumulate=False)",
     lambda t: np.matmul(t.s.T, t.a, out=t.d)),
    ("nc_matmul f32, added", "s:f32[128,128] a:f32 d:f32@psum", "", "nisa.nc_matmul(d, s, a, accumulate=True)",
     lambda t: np.add(t.d, np.matmul(t.s.T, t.a), out=t.d)),
    ("nc_matmul bf16 (peer f32)", "s:bf16[128,128] a:bf16 d:f32@psum", "", "nisa.nc_matmul(d, s, a, accumulate=False)",
     lambda t: np.matmul(t.sf.T, t.af, out=t.d)),
    ("nc_matmul f16 (peer f32)", "s:f16[128,128] a:f16 d:f32@psum", "", "nisa.nc_matmul(d, s, a, accumulate=False)",
     lambda t: np.matmul(t.sf.T, t.af, out=t.d)),
    ("nc_matmul fp8 (peer f32)", "s:fp8[128,128] a:fp8 d:f32@psum", "", "nisa.nc_matmul(d, s, a, accumulate=False)",
     lambda t: np.matmul(t.sf.T, t.af, out=t.d)),
    ("nc_matmul tf32 (peer f32)", "s:tf32[128,128] a:tf32 d:f32@psum", "", "nisa.nc_matmul(d, s, a, accumulate=False)",
     lambda t: np.matmul(t.s.T, t.a, out=t.d)),
    ("nc_matmul fp8 double_row (peer f32)", "s:e5[128,2,128] a:e5[128,2,512] d:f32@psum", "",
     "nisa.nc_matmul(d, s, a, accumulate=False, perf_mode=nisa.matmul_perf_mode.double_row)",
     lambda t: np.matmul(t.sf.reshape(256, 128).T, t.af.reshape(256, 512), out=t.d)),
    ("nc_matmul bf16, tiled 32x32 (peer f32)", "s:bf16[32,32] a:bf16[32,512] d:f32[32,512]@psum", "",
     "nisa.nc_matmul(d, s, a, accumulate=False, tile_position=(0, 0), tile_size=(32, 32))",
     lambda t: np.matmul(t.sf.T, t.af, out=t.d)),
    ("nc_matmul_mx fp8 (peer f32)",
     "s:x4[128,128]=ones a:x4[128,512]=ones ss:u8[128,128]=scales as_:u8[128,512]=scales d:f32@psum", "",
     "nisa.nc_matmul_mx(d, s, a, ss, as_, accumulate=False)", lambda t: np.matmul(t.wide_s.T, t.wide_a, out=t.d)),
    ("quantize_mx bf16", "a:bf16 q:x4[128,128]=ones c:u8[128,128]", "", "nisa.quantize_mx(q, a, c)",
     lambda t: quantized(t.a.astype(np.float32))),
    # ---- random numbers
    ("rng uint32", "d:u32", "", "nisa.rng(d)", lambda t: t.random.integers(0, 2**32, (P, N), np.uint32)),
    ("rng uint32, gpsimd", "d:u32", "", "nisa.rng(d, engine=nisa.engine.gpsimd)",
     lambda t: t.random.integers(0, 2**32, (P, N), np.uint32)),
    ("rand2 f32", "d:f32", "", "nisa.rand2(d, -1.0, 1.0)",
     lambda t: t.random.random((P, N), np.float32) * np.float32(2) - np.float32(1)),
    ("dropout f32", "a:f32 d:f32", "", "nisa.dropout(d, a, 0.3)",
     lambda t: np.where(t.random.random((P, N), np.float32) < 0.3, np.float32(0), t.a)),
]


def peer_tiles(spec):
    tiles, _ = make_tiles(spec)
    for name in ("s", "a"):
        array = getattr(tiles, name, None)
        if array is not None:
            setattr(tiles, name + "f", array.astype(np.float32))
    if hasattr(tiles, "as_"):
        tiles.wide_s, tiles.wide_a = np.ones((512, 128), np.float32), np.ones((512, 512), np.float32)
    tiles.random = np.random.default_rng(0)
    return tiles


def rows(klr, wanted=""):
    for name, spec, setup, step, function in ROWS:
        if wanted not in name:
            continue
        tiles = peer_tiles(spec)
        with np.errstate(all="ignore"):
            theirs = peer_seconds(lambda: function(tiles))
        try:
            yield name, our_seconds(klr, spec, setup, step), "NumPy", theirs
        except Failed as reason:
            yield f"{name}: not measured ({reason})", None, "NumPy", theirs


def main():
    for name, ours, peer, theirs in rows(os.path.abspath(sys.argv[1]), *sys.argv[2:3]):
        if ours is None:
            print(name, flush=True)
        else:
            print(f"{name:45} {ours * 1e6:10.2f} us  {peer} {theirs * 1e6:10.2f} us  {theirs / ours:6.2f}", flush=True)


if __name__ == "__main__":
    main()
