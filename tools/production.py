"""Runs kernels of a checkout of nki-library, unmodified, and prints a table: kernel, cores, operators, seconds, error.

    tools/production.py DIR [--klr build/klr] [--only NAME]

DIR holds src/nkilib_src. Kernels with arguments that are no tensors are called by a few lines written here. References
are NumPy in float64, written here from the formulas; nothing is taken from the checkout but its kernels.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import ml_dtypes
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BF16 = ml_dtypes.bfloat16
RNG = np.random.default_rng(5)
HEADER = "import nki\nimport nki.isa as nisa\nimport nki.language as nl\n"


def normal(*shape, dtype=BF16, scale=1.0):
    return (RNG.standard_normal(shape) * scale).astype(dtype)


def wide(x):
    return np.asarray(x).astype(np.float64)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def rotated(x, cos, sin):
    """Halves (a, b) of axis 0 give (a cos - b sin, b cos + a sin)."""
    half = x.shape[0] // 2
    a, b = x[:half], x[half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin])


# A case is a function that gives (file:kernel or the text of one, arguments, wanted results, tolerance); a result that is
# not looked at is None. Arguments that are no arrays are written as they stand.
def cumsum():
    x = normal(200, 300, dtype=np.float32)
    return "core/cumsum/cumsum.py", {"x": x}, [wide(x).cumsum(1)], 1e-5


def cascaded_max():
    x = normal(8, 5, 4058, dtype=np.float32)
    return ("core/max/cascaded_max.py", {"input_tensor": x},
            [x.max(2, keepdims=True), x.argmax(2)[..., None]], 0)


def rope(contiguous):
    x, angle = normal(64, 2, 4, 64), RNG.uniform(-3, 3, (32, 2, 64))
    cos, sin = np.cos(angle).astype(BF16), np.sin(angle).astype(BF16)
    whole = wide(x) if contiguous else np.concatenate([wide(x)[0::2], wide(x)[1::2]])
    wanted = rotated(whole, wide(cos)[:, :, None], wide(sin)[:, :, None])
    if not contiguous:
        wanted = np.stack([wanted[:32], wanted[32:]], 1).reshape(64, 2, 4, 64)
    arguments = {"x_in": x, "cos": cos, "sin": sin, "contiguous_layout": contiguous}
    return "core/embeddings/rope.py", arguments, [wanted], 1e-2


def rope_hf():
    q, k = normal(2, 4, 256, 64), normal(2, 2, 256, 64)
    angle = RNG.uniform(-3, 3, (2, 256, 32))
    angle = np.concatenate([angle, angle], -1)
    cos, sin = np.cos(angle).astype(BF16), np.sin(angle).astype(BF16)

    def turn(x):
        x = wide(x)
        return x * wide(cos)[:, None] + np.concatenate([-x[..., 32:], x[..., :32]], -1) * wide(sin)[:, None]

    arguments = {"q": q, "k": k, "q_out": np.zeros_like(q), "k_out": np.zeros_like(k), "cos": cos, "sin": sin}
    return "core/embeddings/rope_hf.py", arguments, [turn(q), turn(k)], 1e-2


def cross_entropy_forward():
    logits, targets = normal(128, 4096), RNG.integers(0, 4096, 128).astype(np.int32)
    lse = np.log(np.exp(wide(logits)).sum(1))
    wanted = [lse - wide(logits)[np.arange(128), targets], lse]
    return ("experimental/loss/cross_entropy.py:cross_entropy_forward",
            {"logits_hbm": logits, "targets_hbm": targets, "chunk_size": 2048}, wanted, 1e-2)


def cross_entropy_backward():
    logits, targets = normal(128, 4096), RNG.integers(0, 4096, 128).astype(np.int32)
    lse = np.log(np.exp(wide(logits)).sum(1)).astype(BF16)
    wanted = np.exp(wide(logits) - wide(lse)[:, None])
    wanted[np.arange(128), targets] -= 1
    arguments = {"logits_hbm": logits, "targets_hbm": targets, "lse_state_hbm": lse, "chunk_size": 2048, "reduction": "sum"}
    return "experimental/loss/cross_entropy.py:cross_entropy_backward", arguments, [wanted], 2e-2


def depthwise_conv1d():
    image, weights = normal(2, 128, 1, 64), normal(128, 1, 1, 4)
    wanted = sum(wide(image)[..., s:s + 61] * wide(weights)[:, :, :, s] for s in range(4))
    arguments = {"img_ref": image, "filter_ref": weights, "feature_group_count": 128}
    return "experimental/conv/depthwise_conv1d.py", arguments, [wanted], 1e-2


def conv1d():
    x, filters = normal(1, 128, 256), normal(3, 128, 96, scale=0.1)
    wanted = sum(np.einsum("bil,io->bol", wide(x)[:, :, k:k + 254], wide(filters)[k]) for k in range(3))
    return "experimental/conv/conv1d.py", {"x_in": x, "filters": filters}, [wanted], 1e-2


def output_projection_tkg():
    attention, weight = normal(128, 2, 4, 1), normal(512, 1024, scale=0.05)
    wanted = np.einsum("dbns,ndh->bsh", wide(attention), wide(weight).reshape(4, 128, 1024)).reshape(2, 1024)
    return "core/output_projection/output_projection_tkg.py", {"attention": attention, "weight": weight}, [wanted], 1e-2


def output_projection_cte():
    attention, weight = normal(1, 4, 128, 256), normal(512, 1024, scale=0.05)
    wanted = np.einsum("bnds,ndh->bsh", wide(attention), wide(weight).reshape(4, 128, 1024))
    return ("core/output_projection/output_projection_cte/output_projection_cte.py", {"attention": attention, "weight": weight},
            [wanted], 1e-2)


def qkv(batch, length):
    def case():
        x, weights = normal(batch, length, 1024), normal(1024, 768, scale=0.05)
        return "core/qkv/qkv.py", {"input": x, "fused_qkv_weights": weights}, [wide(x) @ wide(weights)], 1e-2
    return case


def attention_cte():
    q, k, v = normal(2, 512, 128, scale=0.3), normal(2, 128, 512, scale=0.3), normal(2, 512, 128)
    scores = wide(q) @ wide(k)
    scores[:, np.triu(np.ones((512, 512), bool), 1)] = -np.inf
    return "core/attention/attention_cte.py", {"q": q, "k": k, "v": v}, [softmax(scores) @ wide(v)], 2e-2


def attention_bwd():
    q, k, v, dy = (normal(1, 2, 128, 512, scale=0.5) for _ in range(4))
    q_, k_, v_, dy_ = (wide(x).swapaxes(2, 3) for x in (q, k, v, dy))
    scores = q_ @ k_.swapaxes(2, 3) / np.sqrt(128)
    scores[..., np.triu(np.ones((512, 512), bool), 1)] = -np.inf
    p = softmax(scores)
    o = p @ v_
    lse = np.log(np.exp(scores).sum(-1))
    dv = p.swapaxes(2, 3) @ dy_
    dp = dy_ @ v_.swapaxes(2, 3)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(128)
    wanted = [x.swapaxes(2, 3) for x in (ds @ k_, ds.swapaxes(2, 3) @ q_, dv)]
    arguments = {"q_ref": q, "k_ref": k, "v_ref": v, "o_ref": o.swapaxes(2, 3).astype(BF16), "dy_ref": dy,
                 "lse_ref": lse.reshape(1, 2, 4, 128).swapaxes(2, 3).astype(np.float32).copy(), "use_causal_mask": True,
                 "mixed_precision": True}
    return "core/attention/attention_bwd.py", arguments, wanted, 3e-2


def dynamic_elementwise_add():
    a, b = normal(256, 512), normal(256, 512)
    arguments = {"input_a": a, "input_b": b, "num_m_tiles": np.array([[2]], np.int32)}
    return "experimental/dynamic_shapes/dynamic_elementwise_add.py", arguments, [wide(a) + wide(b)], 1e-2


def find_nonzero_indices():
    x = (RNG.random((2048, 8)) < 0.3).astype(np.float32)
    wanted = np.full((8, 2048), -1)
    for column in range(8):
        found = np.flatnonzero(x[:, column])
        wanted[column, :len(found)] = found
    return "core/subkernels/find_nonzero_indices.py", {"input_tensor": x}, [wanted, (x != 0).sum(0)], 0


def topk_reduce():
    tokens, k, hidden = 16, 4, 512
    x = normal(128, hidden + 2)
    rows, index = RNG.permutation(128)[:tokens * k], np.full(128, -1, np.int32)
    index[rows] = np.repeat(np.arange(tokens), k)
    x.view(np.uint16)[:, hidden:] = index.view(np.uint16).reshape(128, 2)
    wanted = wide(x)[rows, :hidden].reshape(tokens, k, hidden).sum(1)
    return "experimental/collectives/topk_reduce.py", {"input": x, "T": tokens, "K": k}, [wanted], 1e-2


RMSNORM_QUANT = HEADER + """from nkilib.core.rmsnorm.rmsnorm_quant import RmsNormQuantKernelArgs, rmsnorm_quant_kernel


@nki.jit
def k(hidden, ln_w):
    return rmsnorm_quant_kernel(hidden, ln_w, RmsNormQuantKernelArgs())
"""


def rmsnorm_quant():
    x, w = normal(2, 256, 1024), normal(1024)
    y = wide(x) / np.sqrt((wide(x)**2).mean(-1, keepdims=True) + 1e-6) * wide(w)
    y = y.astype(BF16).astype(np.float64)
    scaled = np.concatenate([y / np.abs(y).max(-1, keepdims=True) * 240, np.full((2, 256, 4), np.nan)], -1)
    return RMSNORM_QUANT, {"hidden": x, "ln_w": w}, [scaled], 7e-2


NORM_TKG = HEADER + """from nkilib.core.subkernels.{name} import {name}


@nki.jit
def k(x, gamma{more}):
    out = nl.ndarray((128, 4, 8), x.dtype, nl.shared_hbm)
    {name}(x, gamma, out{more})
    return out
"""


def norm_tkg(name):
    def case(cores):
        x, gamma, beta = normal(4, 1, 1024), normal(1, 1024), normal(1, 1024)
        x_ = wide(x)[:, 0]
        if name == "layernorm_tkg":
            x_ = x_ - x_.mean(1, keepdims=True)
        y = x_ / np.sqrt((x_**2).mean(1, keepdims=True) + 1e-6) * wide(gamma)
        y = y + wide(beta) if name == "layernorm_tkg" else y
        halves = [part.reshape(4, 128, -1).transpose(1, 0, 2) for part in np.split(y, cores, axis=1)]
        more = {"beta": beta} if name == "layernorm_tkg" else {}
        text = NORM_TKG.format(name=name, more=", beta" if more else "")
        return text, {"x": x, "gamma": gamma, **more}, [np.concatenate(halves, axis=2)], 2e-2
    return case


GEN_MASK = HEADER + """from nkilib.core.attention.gen_mask_tkg import gen_mask_tkg_hbm


@nki.jit
def k(pos):
    return gen_mask_tkg_hbm(pos, 4, 2, 1, 1024)
"""


def gen_mask():
    pos = RNG.integers(0, 512, (1, 4)).astype(np.int32)
    return GEN_MASK, {"pos": pos}, [None], 0


ROUTER = HEADER + """from nkilib.core.router_topk.router_topk import router_topk
from nkilib.core.utils.common_types import RouterActFnType


@nki.jit
def k(x, w, b):
    logits = nl.ndarray((128, 64), nl.float32, nl.shared_hbm)
    affinities = nl.ndarray((128, 64), nl.float32, nl.shared_hbm)
    index = nl.ndarray((128, 4), nl.uint32, nl.shared_hbm)
    return router_topk(x, w, b, logits, affinities, index, RouterActFnType.SOFTMAX, 4, 0, 0)
"""


def router():
    x, w, b = normal(1024, 128), normal(1024, 64, scale=0.05), normal(1, 64)
    logits = wide(x).T @ wide(w) + wide(b)
    return ROUTER, {"x": x, "w": w, "b": b}, [logits, np.argsort(-logits, axis=1)[:, :4], softmax(logits)], 1e-5


TOPK = HEADER + """from nkilib.core.topk.rotational_topk import rotational_topk
from nkilib.core.topk.rotational_topk_utils import create_rotational_topk_config, create_topk_config


@nki.jit
def k(x, files):
    topk = create_topk_config(inp_shape=(8, 1, 4096), inp_dtype=nl.float32, k=64, sorted=True, num_programs=nl.num_programs(0))
    return rotational_topk(x, create_rotational_topk_config((8, 4096), topk, files))
"""


def topk(cores, folder):
    stages, rows = 8, 8 // cores
    shift = np.roll(np.eye(stages), 1, axis=0)
    np.save(f"{folder}/turn.npy", np.kron(np.eye(rows), shift).astype(np.float32))
    np.save(f"{folder}/index.npy", np.tile(np.arange(4096, dtype=np.float32).reshape(stages, 512), (rows, 1)))
    files = {f"{stages}_{rows}": f"{folder}/turn.npy", f"4096_{stages}_512_{rows}": f"{folder}/index.npy"}
    x = normal(8, 4096, dtype=np.float32)
    order = np.argsort(-x, axis=1)[:, :64]
    return TOPK, {"x": x, "files": files}, [np.take_along_axis(x, order, 1), order], 0


ATTENTION_TKG = HEADER + """from nkilib.core.attention.attention_tkg import attention_tkg
from nkilib.core.attention.attention_tkg_utils import AttnTKGConfig
from nkilib.core.utils.allocator import SbufManager


@nki.jit
def k(q, k_active, v_active, k_prior, v_prior, mask):
    out = nl.ndarray((4, 2, 128, 1), q.dtype, nl.shared_hbm)
    sbm = SbufManager(0, 180000)
    sbm.open_scope()
    q_tile, k_tile = sbm.alloc_stack((128, 8), q.dtype), sbm.alloc_stack((128, 4), q.dtype)
    nisa.dma_copy(dst=q_tile, src=q)
    nisa.dma_copy(dst=k_tile, src=k_active)
    cfg = AttnTKGConfig(bs=4, q_head=2, s_active=1, curr_sprior=1024, full_sprior=1024, d_head=128, qk_in_sb=True)
    attention_tkg(q_tile, k_tile, v_active, k_prior, v_prior, mask, out, cfg, sbm)
    sbm.close_scope()
    return out
"""


def attention_tkg():
    q, k_active, v_active = normal(128, 8, scale=0.3), normal(128, 4, scale=0.3), normal(4, 1, 1, 128)
    k_prior, v_prior = normal(4, 1, 128, 1024, scale=0.3), normal(4, 1, 1024, 128)
    keys, values = wide(k_prior)[:, 0], wide(v_prior)[:, 0]  # the last position is the active token
    keys[:, :, -1], values[:, -1] = wide(k_active).T, wide(v_active)[:, 0, 0]
    scores = np.einsum("dbh,bds->bhs", wide(q).reshape(128, 4, 2), keys)
    wanted = np.einsum("bhs,bsd->bhd", softmax(scores), values)[..., None]
    arguments = {"q": q, "k_active": k_active, "v_active": v_active, "k_prior": k_prior, "v_prior": v_prior,
                 "mask": np.ones((1024, 4, 2, 1), np.uint8)}
    return ATTENTION_TKG, arguments, [wanted], 2e-2


MOE = HEADER + """from nkilib.experimental.moe.forward.bwmm_shard_on_H import blockwise_mm_baseline_shard_hidden


@nki.jit
def k(hidden, affinities, gate_up, down, ids, experts):
    return blockwise_mm_baseline_shard_hidden(hidden, affinities, gate_up, down, 256, ids, experts)
"""


def moe_shard_on_hidden():
    tokens, experts, blocks = 512, 4, 5
    hidden, affinities = normal(tokens + 1, 512, scale=0.5), RNG.random(((tokens + 1) * experts, 1)).astype(np.float32)
    hidden[tokens] = 0
    gate_up, down = normal(experts, 512, 2, 512, scale=0.05), normal(experts, 512, 512, scale=0.05)
    ids = np.full(blocks * 256, tokens, np.int32)
    ids[:tokens] = RNG.permutation(tokens)
    of_block = np.array([[0], [1], [2], [3], [0]], np.int32)
    wanted = np.zeros((tokens + 1, 512))
    for block in range(blocks):
        rows, e = ids[block * 256:(block + 1) * 256], of_block[block, 0]
        gate, up = (wide(hidden)[rows] @ wide(gate_up)[e, :, i] for i in (0, 1))
        y = (gate / (1 + np.exp(-gate)) * up) @ wide(down)[e]
        np.add.at(wanted, rows, y * affinities.reshape(tokens + 1, experts)[rows, e][:, None])
    wanted[tokens] = np.nan  # padding
    arguments = {"hidden": hidden, "affinities": affinities, "gate_up": gate_up, "down": down, "ids": ids, "experts": of_block}
    return MOE, arguments, [wanted], 4e-2


# name, case, logical cores it is run on, further options
CASES = [
    ("cumsum", cumsum, (1,), ()), ("cascaded_max", cascaded_max, (1, 2), ()), ("rope", lambda: rope(True), (1, 2), ()),
    ("rope, interleaved", lambda: rope(False), (1,), ()), ("rope_hf", rope_hf, (1, 2), ()),
    ("cross_entropy_forward", cross_entropy_forward, (1, 2), ()), ("cross_entropy_backward", cross_entropy_backward, (1, 2), ()),
    ("depthwise_conv1d", depthwise_conv1d, (1, 2), ()), ("conv1d", conv1d, (1, 2), ()),
    ("output_projection_tkg", output_projection_tkg, (1, 2), ()), ("output_projection_cte", output_projection_cte, (1, 2), ()),
    ("qkv, prefill", qkv(1, 256), (1, 2), ()), ("qkv, decoding", qkv(4, 1), (1, 2), ()),
    ("attention_cte", attention_cte, (1, 2), ()), ("attention_bwd", attention_bwd, (1, 2), ()),
    ("attention_tkg", attention_tkg, (1, 2), ()), ("dynamic_elementwise_add", dynamic_elementwise_add, (1,), ()),
    ("find_nonzero_indices", find_nonzero_indices, (1, 2), ("--lenient",)),  # transposes columns that nobody wrote
    ("topk_reduce", topk_reduce, (1, 2), ()), ("rmsnorm_quant", rmsnorm_quant, (1, 2), ()),
    ("rmsnorm_tkg", norm_tkg("rmsnorm_tkg"), (1, 2), ()), ("layernorm_tkg", norm_tkg("layernorm_tkg"), (1, 2), ()),
    ("gen_mask_tkg", gen_mask, (1, 2), ()), ("router_topk", router, (2,), ()), ("rotational_topk", topk, (1, 2), ()),
    ("bwmm_shard_on_H", moe_shard_on_hidden, (2,), ()),
]


# ---- ranks: each has arguments and results of its own

def gathered(ranks, kernel, axis, **more):
    shards = [normal(128, 64) for _ in range(ranks)]
    first = "inp" if axis else "lhs"
    wanted = [[np.concatenate([wide(x) for x in shards], axis)]] * ranks
    return f"experimental/collectives/{kernel}", [{first: x, "tp_degree": ranks, **more} for x in shards], wanted, 1e-6


def multiplied(ranks, in_hbm):
    shards, weights = [normal(64, 128) for _ in range(ranks)], [normal(128, 96) for _ in range(ranks)]
    wanted = [[np.concatenate([wide(x) for x in shards]) @ wide(w)] for w in weights]
    arguments = [{"lhs": x, "rhs": w, "tp_degree": ranks, "num_groups": 1, "force_hbm_cc": in_hbm} for x, w in zip(shards, weights)]
    return "experimental/collectives/fgcc.py:allgather_compute_matmul", arguments, wanted, 1e-2


# name, case of a number of ranks
RANK_CASES = [
    ("allgather_sb2sb", lambda n: gathered(n, "sb2sb_allgather.py:allgather_sb2sb", 1, replica_groups=[list(range(n))])),
    ("allgather_sb2sb_tiled",
     lambda n: gathered(n, "sb2sb_allgather.py:allgather_sb2sb_tiled", 1, replica_groups=[list(range(n))])),
    ("fine_grained_allgather", lambda n: gathered(n, "fg_allgather.py:fine_grained_allgather", 0, num_groups=1)),
    ("fine_grained_allgather, HBM",
     lambda n: gathered(n, "fg_allgather.py:fine_grained_allgather", 0, num_groups=1, force_hbm_cc=True)),
    ("allgather_compute_matmul", lambda n: multiplied(n, False)), ("allgather_compute_matmul, HBM", lambda n: multiplied(n, True)),
]


def word(folder, name, value):
    """NAME=VALUE on the command line."""
    if not isinstance(value, np.ndarray):
        return f"{name}={value!r}"
    if value.dtype == BF16:
        np.save(f"{folder}/{name}.npy", value.view(np.uint16).view("V2"))
    else:
        np.save(f"{folder}/{name}.npy", value)
    return f"{name}=@{folder}/{name}.npy"


def error_of(found, wanted):
    """The largest difference, relative to the largest wanted value; NaN there: not looked at."""
    wanted = np.asarray(wanted, dtype=np.float64).reshape(found.shape)
    looked = ~np.isnan(wanted)
    difference = np.abs(found.astype(np.float64) - wanted)[looked].max()
    return difference / max(np.abs(wanted[looked]).max(), 1e-30)


def judge(klr, sources, case, cores, more):
    """(passed, text of the table's last columns)."""
    with tempfile.TemporaryDirectory() as folder:
        given = {"cores": cores, "folder": folder}
        kernel, arguments, wanted, tolerance = case(*[given[n] for n in case.__code__.co_varnames[:case.__code__.co_argcount]])
        path = f"{sources}/nkilib/{kernel}"
        if "\n" in kernel:
            path = f"{folder}/k.py"
            with open(path, "w", encoding="utf-8") as text:
                text.write(kernel)
        words = [word(folder, name, value) for name, value in arguments.items()]
        start = time.monotonic()
        done = subprocess.run([klr, "run", path, *words, "-I", sources, "--lnc", str(cores), "--out", f"{folder}/out", "--json",
                               *more], capture_output=True, text=True)
        seconds = time.monotonic() - start
        try:
            report = json.loads(done.stdout)
        except json.JSONDecodeError:
            return False, "crash: " + done.stderr[-300:]
        if done.returncode != 0:
            first = next(d for d in report["diagnostics"] if d["severity"] == "error")
            return False, f"{os.path.basename(first.get('file', '?'))}:{first.get('line')}: {first['code']}: {first['message']}"
        found = [np.load(f"{folder}/out/{o['file']}") for o in report["outputs"] if o["role"] == "output"]
        found = found or [np.load(f"{folder}/out/{o['file']}") for o in report["outputs"]]
        if len(found) != len(wanted):
            return False, f"{len(found)} results, {len(wanted)} expected"
        error = max([error_of(got, want) for got, want in zip(found, wanted) if want is not None], default=0)
        return error <= tolerance, f"{report['operators']:8d} operators {seconds:7.2f} s   error {error:.1e}"


def judge_ranks(klr, sources, case, ranks, cores):
    """As judge, of a case with ranks."""
    with tempfile.TemporaryDirectory() as folder:
        kernel, arguments, wanted, tolerance = case(ranks)
        for rank, own in enumerate(arguments):
            os.mkdir(f"{folder}/{rank}")
            words = [word(f"{folder}/{rank}", name, value) for name, value in own.items()]
        words = [w.replace(f"@{folder}/{ranks - 1}/", f"@{folder}/{{rank}}/") for w in words]
        start = time.monotonic()
        done = subprocess.run([klr, "run", f"{sources}/nkilib/{kernel}", *words, "-I", sources, "--lnc", str(cores), "--ranks",
                               str(ranks), "--out", f"{folder}/out"], capture_output=True, text=True)
        seconds = time.monotonic() - start
        if done.returncode != 0:
            return False, next((line for line in done.stderr.splitlines() if line.startswith("error")), done.stderr[-300:])
        error = 0
        for rank in range(ranks):
            with open(f"{folder}/out/rank{rank}/outputs.json", encoding="utf-8") as listed:
                files = [o["file"] for o in json.load(listed)["outputs"]]
            found = [np.load(f"{folder}/out/rank{rank}/{file}") for file in files]
            error = max([error, *(error_of(got, want) for got, want in zip(found, wanted[rank], strict=True))])
        return error <= tolerance, f"{ranks:3d} ranks {seconds:7.2f} s   error {error:.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--klr", default=os.path.join(ROOT, "build", "klr"))
    parser.add_argument("--only", default="", help="kernels whose name contains this")
    options = parser.parse_args()
    passed = failed = 0
    for name, case, all_cores, more in CASES:
        for cores in all_cores if options.only in name else ():
            ok, text = judge(options.klr, os.path.join(options.folder, "src", "nkilib_src"), case, cores, more)
            passed, failed = passed + ok, failed + (not ok)
            print(f"{'ok  ' if ok else 'FAIL'}  {name:26s} {cores} {'core ' if cores == 1 else 'cores'} {text}", flush=True)
    for name, case in RANK_CASES:
        for ranks, cores in [(2, 1), (4, 1), (4, 2), (8, 2)] if options.only in name else ():
            ok, text = judge_ranks(options.klr, os.path.join(options.folder, "src", "nkilib_src"), case, ranks, cores)
            passed, failed = passed + ok, failed + (not ok)
            print(f"{'ok  ' if ok else 'FAIL'}  {name:30s} {cores} {'core ' if cores == 1 else 'cores'} {text}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
