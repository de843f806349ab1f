"""Element types, memories, operators without a function, sizes of the machine, and what older versions had."""

import _klr

# ---- element types
bool_ = _klr.dtype("bool_")
bool = bool_
int8 = _klr.dtype("int8")
int16 = _klr.dtype("int16")
int32 = _klr.dtype("int32")
uint8 = _klr.dtype("uint8")
uint16 = _klr.dtype("uint16")
uint32 = _klr.dtype("uint32")
float16 = _klr.dtype("float16")
bfloat16 = _klr.dtype("bfloat16")
tfloat32 = _klr.dtype("tfloat32")
float32 = _klr.dtype("float32")
float8_e4m3 = _klr.dtype("float8_e4m3")
float8_e4m3fn = _klr.dtype("float8_e4m3fn")
float8_e5m2 = _klr.dtype("float8_e5m2")
float8_e8m0fnu = _klr.dtype("float8_e8m0fnu")
float8_e5m2_x4 = _klr.dtype("float8_e5m2_x4")
float8_e4m3fn_x4 = _klr.dtype("float8_e4m3fn_x4")
float4_e2m1fn_x4 = _klr.dtype("float4_e2m1fn_x4")

# ---- memories
sbuf = _klr.memory("sbuf")  # on chip: 128 partitions, which all engines and DMA reach
psum = _klr.memory("psum")  # on chip: 128 partitions of 8 banks, where the tensor engine adds its products; no DMA, no gpsimd
hbm = _klr.memory("hbm")  # of the device, for results and what one core uses; DMA alone reaches it
private_hbm = _klr.memory("private_hbm")  # of the device, each logical core's own
shared_hbm = _klr.memory("shared_hbm")  # of the device, one for all logical cores of a kernel


class MemoryRegion:
    """The memories by name: `nl.MemoryRegion.sbuf` is `nl.sbuf`."""

    sbuf = sbuf
    psum = psum
    private_hbm = private_hbm
    shared_hbm = shared_hbm


# ---- operators that are no functions of this module
bypass = _klr.operator("bypass")
average = _klr.operator("average")
prelu = _klr.operator("prelu")


class tile_size:
    """Sizes of the target's memories and engines."""

    pmax = _klr.tile_size("pmax")
    psum_fmax = _klr.tile_size("psum_fmax")
    psum_bank_fmax = _klr.tile_size("psum_bank_fmax")
    psum_bank_fmax_bytes = _klr.tile_size("psum_bank_fmax_bytes")
    psum_num_banks = _klr.tile_size("psum_num_banks")
    psum_min_align = _klr.tile_size("psum_min_align")
    gemm_stationary_fmax = _klr.tile_size("gemm_stationary_fmax")
    gemm_moving_fmax = _klr.tile_size("gemm_moving_fmax")
    bn_stats_fmax = _klr.tile_size("bn_stats_fmax")
    sbuf_size_bytes = _klr.tile_size("sbuf_size_bytes")
    sbuf_fmax_bytes = _klr.tile_size("sbuf_fmax_bytes")
    sbuf_fmax = _klr.tile_size("sbuf_fmax")
    sbuf_min_align = _klr.tile_size("sbuf_min_align")
    total_available_sbuf_size = _klr.tile_size("total_available_sbuf_size")


# Base of classes whose fields are their class-level names, in order, set by a generated initialiser.
NKIObject = _klr.NKIObject

# What nl.ndarray gives, for annotations and isinstance; and what nl.float32 is.
NkiTensor = _klr.NkiTensor
dtype = _klr.DType
DType = _klr.DType

# ---- the first version of NKI
mgrid = _klr.removed("nl.mgrid", "index tensors with slices, `t[i * 128:(i + 1) * 128, :]`, or with `t.ap(pattern)`")
arange = _klr.removed("nl.arange", "index tensors with slices or `nl.ds(start, size)`; values come from `nisa.iota`")
par_dim = _klr.removed("nl.par_dim", "the first dimension of a tensor on chip is the partition: leave the mark out")
spmd_dim = _klr.removed("nl.spmd_dim", "launch on logical cores with `kernel[2](...)`")
nc = _klr.removed("nl.nc", "launch on logical cores with `kernel[2](...)`")
loop_reduce = _klr.removed("nl.loop_reduce", "accumulate with `nisa.tensor_tensor(dst=total, data1=total, data2=x, op=nl.add)`")
atomic_rmw = _klr.removed("nl.atomic_rmw", "`nisa.dma_compute(dst, [dst, src], nl.add)` adds in memory")
simulate_kernel = _klr.removed("nl.simulate_kernel", "`klr run FILE` runs a kernel")


def is_sbuf(buffer):
    """Whether a memory is SBUF."""
    return buffer == sbuf


def is_psum(buffer):
    """Whether a memory is PSUM."""
    return buffer == psum


def is_on_chip(buffer):
    """Whether a memory is SBUF or PSUM."""
    return buffer == sbuf or buffer == psum


def is_hbm(buffer):
    """Whether a memory is HBM of any kind."""
    return buffer == hbm or buffer == private_hbm or buffer == shared_hbm
