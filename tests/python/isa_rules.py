"""A valid call of every function of nki.isa, and the kernels of the rules' tests made of them.

`BASE` has the target a function is tried on and an expression for each parameter of one call that breaks no rule. `source`
makes a kernel of it with some arguments replaced. S, P and H make a tile in SBUF, PSUM and HBM: `S(32, 64, bf16)`.
"""

PRELUDE = '''import nki
import nki.isa as nisa
import nki.language as nl
from nki.isa import dge_mode, dma_engine, engine, matmul_perf_mode, oob_mode, reduce_cmd

f32, tf32, bf16, f16 = nl.float32, nl.tfloat32, nl.bfloat16, nl.float16
e4m3, e5m2, e4m3fn = nl.float8_e4m3, nl.float8_e5m2, nl.float8_e4m3fn
i8, i16, i32, u8, u16, u32 = nl.int8, nl.int16, nl.int32, nl.uint8, nl.uint16, nl.uint32
x4_e5m2, x4_e4m3fn, x4_fp4, e8m0 = nl.float8_e5m2_x4, nl.float8_e4m3fn_x4, nl.float4_e2m1fn_x4, nl.float8_e8m0fnu


def tile(buffer, sizes):
    dtype = f32 if isinstance(sizes[-1], int) else sizes[-1]
    return nl.ndarray(sizes if isinstance(sizes[-1], int) else sizes[:-1], dtype=dtype, buffer=buffer)


def S(*sizes):
    return tile(nl.sbuf, sizes)


def P(*sizes):
    return tile(nl.psum, sizes)


def H(*sizes):
    return tile(nl.shared_hbm, sizes)


def rows(count, step=1, dtype=u32):
    """A column of row numbers, as a vector_offset takes it."""
    index = S(count, 1, dtype)
    nisa.iota(index, [[0, 1]], 0, step)
    return index


@nki.jit
def k():
    out = H(1, 1)
'''

BASE = {
    "dma_copy": ("trn3", dict(dst="S(32, 64)", src="H(32, 64)", priority="0", oob_mode="oob_mode.error",
                              dge_mode="dge_mode.hwdge", engine="engine.sync")),
    "dma_transpose": ("trn3", dict(dst="S(64, 16, bf16)", src="H(16, 64, bf16)", axes="(1, 0)", priority="0",
                                   dge_mode="dge_mode.hwdge", oob_mode="oob_mode.error")),
    "dma_compute": ("trn2", dict(dst="S(32, 64)", srcs="[S(32, 64), H(32, 64)]", reduce_op="nl.add", scales="[1.0, 1.0]",
                                 unique_indices="True", oob_mode="oob_mode.error")),
    "tensor_copy": ("trn2", dict(dst="S(32, 64)", src="S(32, 64)", engine="engine.vector")),
    "memset": ("trn2", dict(dst="S(32, 64)", value="0.0", engine="engine.vector")),
    "tensor_copy_predicated": ("trn2", dict(dst="S(32, 64)", src="S(32, 64)", predicate="S(32, 64, u8)",
                                            reverse_pred="False")),
    "iota": ("trn2", dict(dst="S(32, 64, i32)", pattern="[[1, 64]]", offset="0", channel_multiplier="64")),
    "affine_select": ("trn2", dict(dst="S(32, 64)", pattern="[[-1, 64]]", channel_multiplier="1", on_true_tile="S(32, 64)",
                                   on_false_value="0.0", cmp_op="nl.greater_equal", offset="0")),
    "nc_transpose": ("trn2", dict(dst="S(32, 32)", data="S(32, 32)", engine="engine.vector")),
    "nc_stream_shuffle": ("trn2", dict(dst="S(32, 64)", src="S(32, 64)", shuffle_mask="list(range(32))")),
    "local_gather": ("trn2", dict(dst="S(32, 64)", src_buffer="S(32, 100)", index="S(32, 4, u16)", num_elem_per_idx="1",
                                  num_valid_indices="64")),
    "nc_n_gather": ("trn2", dict(dst="S(32, 8)", data="S(32, 64)", indices="S(32, 8, u32)")),
    "nc_matmul": ("trn2", dict(dst="P(32, 64)", stationary="S(64, 32, bf16)", moving="S(64, 64, bf16)",
                               is_stationary_onezero="False", is_moving_onezero="False", is_transpose="False",
                               accumulate="False", tile_position="(0, 0)", tile_size="(64, 64)",
                               perf_mode="matmul_perf_mode.none")),
    "nc_matmul_mx": ("trn3", dict(dst="P(32, 64)", stationary="S(64, 32, x4_e4m3fn)", moving="S(64, 64, x4_e4m3fn)",
                                  stationary_scale="S(64, 32, u8)", moving_scale="S(64, 64, u8)", tile_position="(0, 0)",
                                  tile_size="(64, 128)", accumulate="False")),
    "tensor_tensor": ("trn2", dict(dst="S(32, 64)", data1="S(32, 64)", data2="S(32, 64)", op="nl.add",
                                   engine="engine.vector")),
    "tensor_scalar": ("trn2", dict(dst="S(32, 64)", data="S(32, 64)", op0="nl.multiply", operand0="S(32, 1)",
                                   reverse0="False", op1="nl.add", operand1="S(32, 1)", reverse1="False",
                                   engine="engine.vector")),
    "scalar_tensor_tensor": ("trn2", dict(dst="S(32, 64)", data="S(32, 64)", op0="nl.multiply", operand0="S(32, 1)",
                                          op1="nl.add", operand1="S(32, 64)", reverse0="False", reverse1="False")),
    "tensor_tensor_scan": ("trn2", dict(dst="S(32, 64)", data0="S(32, 64)", data1="S(32, 64)", initial="S(32, 1)",
                                        op0="nl.multiply", op1="nl.add", reverse0="False", reverse1="False")),
    "tensor_scalar_cumulative": ("trn2", dict(dst="S(32, 64)", src="S(32, 64)", op0="nl.multiply", op1="nl.add",
                                              imm0="S(32, 1)", imm1="S(32, 1)", reduce_cmd="reduce_cmd.load_reduce")),
    "tensor_reduce": ("trn2", dict(dst="S(32, 1)", op="nl.add", data="S(32, 64)", axis="1", negate="False",
                                   keepdims="False")),
    "tensor_scalar_reduce": ("trn2", dict(dst="S(32, 64)", data="S(32, 64)", op0="nl.multiply", operand0="S(32, 1)",
                                          reduce_op="nl.add", reduce_res="S(32, 1)", reverse0="False",
                                          reduce_cmd="reduce_cmd.load_reduce", reduce_init="S(32, 1)",
                                          reduce_res_negate="False")),
    "tensor_partition_reduce": ("trn2", dict(dst="S(1, 64)", op="nl.add", data="S(32, 64)")),
    "select_reduce": ("trn2", dict(dst="S(32, 64)", predicate="S(32, 64, u8)", on_true="S(32, 64)", on_false="S(32, 1)",
                                   reduce_res="S(32, 1)", reduce_cmd="reduce_cmd.reset_reduce", reduce_op="nl.maximum",
                                   reverse_pred="False")),
    "range_select": ("trn2", dict(dst="S(32, 64)", on_true_tile="S(32, 64)", comp_op0="nl.greater_equal",
                                  comp_op1="nl.less", bound0="S(32, 1)", bound1="S(32, 1)",
                                  reduce_cmd="reduce_cmd.reset_reduce", reduce_res="S(32, 1)", reduce_op="nl.maximum",
                                  range_start="0", on_false_value="-3.4028235e38")),
    "exponential": ("trn3", dict(dst="S(32, 64)", src="S(32, 64)", max_value="S(32, 1)", reduce_res="S(32, 1)",
                                 reduce_cmd="reduce_cmd.load_reduce", reduce_init="S(32, 1)")),
    "reciprocal": ("trn2", dict(dst="S(32, 64)", data="S(32, 64)")),
    "max8": ("trn2", dict(dst="S(32, 8)", src="S(32, 64)")),
    "nc_find_index8": ("trn2", dict(dst="S(32, 8, u32)", data="S(32, 64)", vals="S(32, 8)")),
    "nc_match_replace8": ("trn2", dict(dst="S(32, 64)", data="S(32, 64)", vals="S(32, 8)", imm="0.0",
                                       dst_idx="S(32, 8, u32)")),
    "bn_stats": ("trn2", dict(dst="S(32, 6)", data="S(32, 64)")),
    "bn_aggr": ("trn2", dict(dst="S(32, 2)", data="S(32, 12)")),
    "quantize_mx": ("trn3", dict(dst="S(64, 16, x4_e4m3fn)", src="S(64, 64, bf16)", dst_scale="S(64, 16, u8)")),
    "dropout": ("trn2", dict(dst="S(32, 64)", data="S(32, 64)", prob="S(32, 1)")),
    "rng": ("trn2", dict(dst="S(32, 64, u32)", engine="engine.vector")),
    "rand2": ("trn3", dict(dst="S(32, 64)", min="S(32, 1)", max="S(32, 1)")),
    "set_rng_seed": ("trn2", dict(src_seeds="S(1, 1, u32)")),
    "rand_set_state": ("trn2", dict(src_seeds="S(32, 6, u32)", engine="engine.gpsimd")),
    "rand_get_state": ("trn2", dict(dst="S(32, 6, u32)", engine="engine.gpsimd")),
    "activation": ("trn2", dict(dst="S(32, 64)", op="nl.exp", data="S(32, 64)", bias="S(32, 1)", scale="S(32, 1)",
                                reduce_op="nl.add", reduce_res="S(32, 1)", reduce_cmd="reduce_cmd.reset_reduce")),
    "activation_reduce": ("trn2", dict(dst="S(32, 64)", op="nl.exp", data="S(32, 64)", reduce_op="nl.add",
                                       reduce_res="S(32, 1)", bias="S(32, 1)", scale="S(32, 1)")),
    "activate2": ("trn3", dict(dst="S(32, 64)", op="nl.exp", data="S(32, 64)", imm0="S(32, 1)", imm1="S(32, 1)",
                               op0="nl.multiply", op1="nl.add", relu_param="S(32, 1)", reverse0="False", reverse1="False",
                               reduce_op="nl.add", reduce_res="S(32, 1)", reduce_cmd="reduce_cmd.reset_reduce")),
    "sequence_bounds": ("trn2", dict(dst="S(1, 2, 64)", segment_ids="S(1, 64)")),
    "nonzero_with_count": ("trn2", dict(dst="S(128, 65, i32)", src="S(128, 64)", index_offset="0", padding_val="-1")),
    "topk": ("trn2", dict(val_dst="S(32, 8, bf16)", idx_dst="S(32, 8, u32)", src="S(32, 4, bf16)", n="64")),
    "core_barrier": ("trn2", dict(data="H(32, 64)", cores="(0, 1)", engine="engine.gpsimd")),
    "sendrecv": ("trn2", dict(src="S(32, 64)", dst="S(32, 64)", send_to_rank="1 - nl.program_id(0)",
                              recv_from_rank="1 - nl.program_id(0)", pipe_id="0", dma_engine="dma_engine.dma")),
    "register_move": ("trn2", dict(dst="nisa.register_alloc(0)", src="nisa.register_alloc(1)")),
    "register_load": ("trn2", dict(dst="nisa.register_alloc(0)", src="S(1, 1, i32)")),
    "register_store": ("trn2", dict(dst="S(1, 1, i32)", src="nisa.register_alloc(1)")),
    "register_alloc": ("trn2", dict(x="1")),
    "get_nc_version": ("trn2", {}),
    "get_nc_sub_version": ("trn2", {}),
}

TWO_CORES = {"core_barrier", "sendrecv"}


def call(function, **changes):
    """The base call with some arguments changed; None leaves one out."""
    arguments = {**BASE[function][1], **changes}
    return f"nisa.{function}({', '.join(f'{name}={text}' for name, text in arguments.items() if text is not None)})"


def source(function, setup="", after="", **changes):
    """A kernel of that one call, and the line the call is on."""
    before = PRELUDE + "".join(f"    {line}\n" for line in setup.splitlines())
    text = before + f"    {call(function, **changes)}\n" + "".join(f"    {line}\n" for line in after.splitlines())
    return text + "    return out\n", before.count("\n") + 1
