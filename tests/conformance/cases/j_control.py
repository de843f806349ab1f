"""Registers, generations, and two logical cores."""

import numpy as np
from builder import SINCE_TRN2, A, Instruction
from oracles.formats import Data, narrow

# ---- registers

ra, rm, rl, rs = (Instruction(f"register_{what}") for what in ("alloc", "move", "load", "store"))
v = ra.vector("number", "a register made with an integer")
v.step("r = nisa.register_alloc(-123456)", "nisa.register_store(dst=out, src=r)")
v.expect("out", Data("int32", [[-123456 & 0xFFFFFFFF]]))
v = ra.vector("two", "each call makes a register of its own")
v.step("r = nisa.register_alloc(1)", "s = nisa.register_alloc(2)", "nisa.register_move(dst=r, src=7)", "nisa.register_store(dst=out, src=s)")
v.expect("out", Data("int32", [[2]]))
v = rm.vector("constant", "an integer into a register")
v.step("r = nisa.register_alloc()", "nisa.register_move(dst=r, src=2147483647)", "nisa.register_store(dst=out, src=r)")
v.expect("out", Data("int32", [[0x7FFFFFFF]]))
v = rm.vector("register", "a register into another, which keeps its value when the first changes")
v.step("r = nisa.register_alloc(11)", "s = nisa.register_alloc()", "nisa.register_move(dst=s, src=r)", "nisa.register_move(dst=r, src=12)",
       "nisa.register_store(dst=out[:, 0:1], src=s)", "nisa.register_store(dst=out[:, 1:2], src=r)")
v.expect("out", Data("int32", [[11, 12]]))
for dtype, word, value in (("int32", 0x80000001, 0x80000001), ("uint32", 0xFFFFFFFF, 0xFFFFFFFF)):
    v = rl.vector(dtype, f"the element of a {dtype} tile in SBUF")
    v.put("x", Data(dtype, [[word]]))
    v.step("r = nisa.register_alloc()", "nisa.register_load(dst=r, src=x)", "nisa.register_store(dst=out, src=r)")
    v.expect("out", Data("int32", [[value]]))
for dtype, word, value in (("int8", 0x80, 0xFFFFFF80), ("uint8", 0x80, 0x80), ("int16", 0xFFFE, 0xFFFFFFFE), ("uint16", 0xFFFE, 0xFFFE)):
    v = rl.vector(dtype, f"a {dtype} element is extended to 32 bits by its dtype", A, source="docs/numerics.md 9")
    v.put("x", Data(dtype, [[word]]))
    v.step("r = nisa.register_alloc()", "nisa.register_load(dst=r, src=x)", "nisa.register_store(dst=out, src=r)")
    v.expect("out", Data("int32", [[value]]))
v = rl.vector("float32", "a float32 element is kept as a float32")
v.put("x", Data.of("float32", [[-2.5]]))
v.step("r = nisa.register_alloc()", "nisa.register_load(dst=r, src=x)", "nisa.register_store(dst=out, src=r)")
v.expect("out", Data.of("float32", [[-2.5]]))
v = rl.vector("hbm", "the element of a tensor in HBM, one of many")
x = v.put("x", Data("int32", [[5, 6, 7], [8, 9, 10]]), space="hbm")
v.step("r = nisa.register_alloc()", "nisa.register_load(dst=r, src=x[1:2, 2:3])", "nisa.register_store(dst=out, src=r)")
v.expect("out", Data("int32", [[10]]))
for dtype, value in (("uint8", 0x4E), ("int16", 0x614E), ("uint32", 0xBC614E)):
    v = rs.vector(dtype, f"a register of 12345678 to a {dtype} element" + (": the low bits" if dtype != "uint32" else ""))
    v.step("r = nisa.register_alloc(12345678)", "nisa.register_store(dst=out, src=r)")
    v.expect("out", Data(dtype, [[value]]))
v = rs.vector("hbm", "into one element of a tensor in HBM")
x = v.put("out", Data("int32", [[5, 6, 7], [8, 9, 10]]), space="hbm")
v.step("r = nisa.register_alloc(-1)", "nisa.register_store(dst=out[0:1, 1:2], src=r)")
v.expect("out", Data("int32", [[5, 0xFFFFFFFF, 7], [8, 9, 10]]), space="hbm")

# ---- generations

gv = Instruction("get_nc_version")
for target, member, number in (("trn1", "gen2", 2), ("trn2", "gen3", 3), ("trn3", "gen4", 4)):
    v = gv.vector(target, f"the generation {target} is made for is nc_version.{member}", targets=[target])
    v.step(f"value = 1.0 if nisa.get_nc_version() == nisa.nc_version.{member} else 0.0", "nisa.memset(dst=out, value=value)")
    v.expect("out", Data.of("float32", [[1.0]]))
v = gv.vector("order", "generations compare: gen2 comes before what trn2 and trn3 give", targets=SINCE_TRN2)
v.step("value = 1.0 if nisa.get_nc_version().value > nisa.nc_version.gen2.value else 0.0", "nisa.memset(dst=out, value=value)")
v.expect("out", Data.of("float32", [[1.0]]))
gs = Instruction("get_nc_sub_version")
v = gs.vector("first", "the silicon revision is 0, the first, or 1")
v.step("value = 1.0 if nisa.get_nc_sub_version() in (0, 1) else 0.0", "nisa.memset(dst=out, value=value)")
v.expect("out", Data.of("float32", [[1.0]]))

# ---- two cores

sr, cb = Instruction("sendrecv", targets=SINCE_TRN2), Instruction("core_barrier", targets=SINCE_TRN2)
CORE = "core = nl.program_id(0)"
for engine in ("dma", "gpsimd_dma"):
    for dtype in ("float32", "bfloat16", "uint8"):
        v = sr.vector(f"swap_{engine}_{dtype}", f"each core sends its tile of {dtype} and receives that of the other; by {engine}", cores=2)
        x = v.random("x", dtype, (2, 32, 8), space="hbm", bits=True)
        v.step(CORE, f"mine = nl.ndarray((32, 8), dtype=nl.{dtype}, buffer=nl.sbuf)", f"theirs = nl.ndarray((32, 8), dtype=nl.{dtype}, buffer=nl.sbuf)",
               "nisa.dma_copy(dst=mine, src=x[core, :, :])",
               f"nisa.sendrecv(src=mine, dst=theirs, send_to_rank=1 - core, recv_from_rank=1 - core, pipe_id=0, dma_engine=nisa.dma_engine.{engine})",
               "nisa.dma_copy(dst=out[core, :, :], src=theirs)")
        v.expect("out", Data(dtype, x.words[::-1]), space="hbm")
v = sr.vector("twice", "two exchanges with pipes of their own", cores=2)
x = v.random("x", "float32", (2, 16, 4), space="hbm", integers=(-99, 99))
v.step(CORE, "mine = nl.ndarray((16, 4), dtype=nl.float32, buffer=nl.sbuf)", "theirs = nl.ndarray((16, 4), dtype=nl.float32, buffer=nl.sbuf)",
       "back = nl.ndarray((16, 4), dtype=nl.float32, buffer=nl.sbuf)", "nisa.dma_copy(dst=mine, src=x[core, :, :])",
       "nisa.sendrecv(src=mine, dst=theirs, send_to_rank=1 - core, recv_from_rank=1 - core, pipe_id=0)",
       "nisa.tensor_tensor(dst=theirs, data1=theirs, data2=mine, op=nl.subtract)",
       "nisa.sendrecv(src=theirs, dst=back, send_to_rank=1 - core, recv_from_rank=1 - core, pipe_id=1)",
       "nisa.dma_copy(dst=out[core, :, :], src=back)")
v.expect("out", Data("float32", narrow(np.stack([x.f32[0] - x.f32[1], x.f32[1] - x.f32[0]]), "float32")), space="hbm")
v = cb.vector("handed_over", "what a core wrote to shared HBM before the barrier, the other reads behind it", cores=2)
x = v.random("x", "float32", (2, 16, 4), space="hbm", bits=True)
v.step(CORE, "buffer = nl.ndarray((2, 16, 4), dtype=nl.float32, buffer=nl.shared_hbm)", "mine = nl.ndarray((16, 4), dtype=nl.float32, buffer=nl.sbuf)",
       "nisa.dma_copy(dst=mine, src=x[core, :, :])", "nisa.dma_copy(dst=buffer[core, :, :], src=mine)",
       "nisa.core_barrier(data=buffer, cores=(0, 1))", "nisa.dma_copy(dst=mine, src=buffer[1 - core, :, :])",
       "nisa.dma_copy(dst=out[core, :, :], src=mine)")
v.expect("out", Data("float32", x.words[::-1]), space="hbm")
