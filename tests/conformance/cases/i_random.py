"""rng, rand2, dropout, set_rng_seed, rand_set_state, rand_get_state."""

import numpy as np
from builder import ALL, SINCE_TRN2, TRN3, A, Instruction
from oracles.formats import Data, narrow
from oracles.generators import Lanes, between

BITS = "docs/numerics.md 10"
SEED = "nisa.set_rng_seed(src_seeds=seed)"


def same(v, names=("a", "b")):
    """Steps after which `out` is zero where two tiles of bits agree."""
    v.step(f"nisa.tensor_tensor(dst=out, data1={names[0]}, data2={names[1]}, op=nl.bitwise_xor)")


def seeded(v, value=5):
    v.put("seed", Data("uint32", [[value]]))


# ---- rng

rg = Instruction("rng")
for dtype in ("uint8", "int8", "uint16", "int16", "int32"):
    v = rg.vector(f"low_bits_{dtype}", f"{dtype} elements are the low bits of what uint32 elements get after the same seed")
    seeded(v)
    v.tile("a", "uint32", (4, 8)), v.tile("b", dtype, (4, 8)), v.tile("c", dtype, (4, 8))
    bits = {"8": 8, "6": 16, "2": 32}[dtype[-1]]
    v.step(SEED, "nisa.rng(dst=a)", SEED, "nisa.rng(dst=b)",
           f"nisa.tensor_scalar(dst=wide, data=b, op0=nl.bitwise_and, operand0={(1 << bits) - 1 if bits < 32 else -1})",
           f"nisa.tensor_scalar(dst=a, data=a, op0=nl.bitwise_and, operand0={(1 << bits) - 1})")
    v.tile("wide", "uint32", (4, 8))
    if bits == 32:
        v.document["steps"][-2:] = ["nisa.tensor_copy(dst=wide, src=b.view(nl.uint32))"]
    same(v, ("a", "wide"))
    v.expect("out", Data("uint32", np.zeros((4, 8))))
v = rg.vector("bits_vector", "the vector engine's generators after seed 5: element i from generator i mod 4", A, source=BITS)
seeded(v)
v.step(SEED, "nisa.rng(dst=out)")
v.expect("out", Data("uint32", Lanes("vector", 5).bits(3, 9)))
v = rg.vector("bits_two_instructions", "a second instruction draws on, beginning with generator 0 again", A, source=BITS)
seeded(v, 0xFFFFFFFF)
lanes = Lanes("vector", 0xFFFFFFFF)
v.step(SEED, "nisa.rng(dst=out)", "nisa.rng(dst=second)")
v.expect("out", Data("uint16", lanes.bits(2, 6) & 0xFFFF))
v.expect("second", Data("uint32", lanes.bits(2, 5)))
v = rg.vector("bits_gpsimd", "GpSimd's generators, one a lane, from a state that is set: XORWOW", A, source="nki.isa.rng: XORWOW; order of the words: " + BITS,
              targets=SINCE_TRN2)
state = v.random("state", "uint32", (5, 6), bits=True)
lanes = Lanes("gpsimd")
lanes.load(state.words)
v.step("nisa.rand_set_state(src_seeds=state, engine=nisa.engine.gpsimd)", "nisa.rng(dst=out, engine=nisa.engine.gpsimd)")
v.expect("out", Data("uint32", lanes.bits(5, 7)))
v = rg.vector("psum", "dst may be in PSUM on the vector engine", A, source=BITS)
seeded(v)
v.step(SEED, "nisa.rng(dst=out, engine=nisa.engine.vector)")
v.expect("out", Data("uint32", Lanes("vector", 5).bits(2, 4)), space="psum")

# ---- set_rng_seed

ss = Instruction("set_rng_seed")
v = ss.vector("same_seed", "the same seed gives the same numbers again")
seeded(v)
v.tile("a", "uint32", (8, 12)), v.tile("b", "uint32", (8, 12))
v.step(SEED, "nisa.rng(dst=a)", SEED, "nisa.rng(dst=b)")
same(v)
v.expect("out", Data("uint32", np.zeros((8, 12))))
for value in (0, 1, 0x80000000):
    v = ss.vector(f"seed_{value}", f"seed {value}: words of SplitMix64 for each generator of each lane", A, source=BITS)
    seeded(v, value)
    v.step(SEED, "nisa.rng(dst=out)")
    v.expect("out", Data("uint32", Lanes("vector", value).bits(2, 8)))
v = ss.vector("int32_in_psum", "the seed is any 32-bit value, in SBUF or PSUM; bits count", A, source=BITS)
v.put("seed", Data("int32", [[0xFFFFFFFE]]), space="psum")
v.step(SEED, "nisa.rng(dst=out)")
v.expect("out", Data("uint32", Lanes("vector", 0xFFFFFFFE).bits(2, 4)))

# ---- rand_set_state, rand_get_state

for name, engine, words, targets in (("gpsimd", "gpsimd", 6, SINCE_TRN2), ("vector", "vector", 24, TRN3)):
    st = Instruction.every.get("rand_set_state") or Instruction("rand_set_state")
    v = st.vector(f"{name}_round_trip", f"what is set is got back: {words} words a lane of {name}", targets=targets)
    state = v.random("state", "uint32", (128, words), bits=True)
    v.step(f"nisa.rand_set_state(src_seeds=state, engine=nisa.engine.{engine})", f"nisa.rand_get_state(dst=out, engine=nisa.engine.{engine})")
    v.expect("out", state)
    v = st.vector(f"{name}_rewinds", "a state that is set again gives the same numbers again", targets=targets)
    v.tile("state", "uint32", (4, words)), v.tile("a", "uint32", (4, 10)), v.tile("b", "uint32", (4, 10))
    draw = f"nisa.rng(dst={{}}, engine=nisa.engine.{engine})"
    v.step(f"nisa.rand_get_state(dst=state, engine=nisa.engine.{engine})", draw.format("a"),
           f"nisa.rand_set_state(src_seeds=state, engine=nisa.engine.{engine})", draw.format("b"))
    same(v)
    v.expect("out", Data("uint32", np.zeros((4, 10))))
    gt = Instruction.every.get("rand_get_state") or Instruction("rand_get_state")
    v = gt.vector(f"{name}_after_drawing", f"the words after 10 numbers, in the order x y z w v d: {name}", A, source=BITS, targets=targets)
    state = v.random("state", "uint32", (3, words), bits=True)
    lanes = Lanes(engine)
    lanes.load(state.words)
    v.tile("a", "uint32", (3, 10))
    v.step(f"nisa.rand_set_state(src_seeds=state, engine=nisa.engine.{engine})", draw.format("a"),
           f"nisa.rand_get_state(dst=out, engine=nisa.engine.{engine})")
    lanes.bits(3, 10)
    v.expect("out", Data("uint32", lanes.words(3)))
v = gt.vector("vector_psum", "since NeuronCore-v4 the vector engine's words may go to PSUM", A, source=BITS, targets=TRN3)
seeded(v)
v.step(SEED, "nisa.rand_get_state(dst=out, engine=nisa.engine.vector)")
v.expect("out", Data("uint32", Lanes("vector", 5).words(4)), space="psum")

# ---- rand2

r2 = Instruction("rand2", targets=TRN3)
v = r2.vector("range", "every number lies from min to max")
seeded(v)
v.tile("r", "float32", (128, 40)), v.tile("low", "float32", (128, 40))
v.step(SEED, "nisa.rand2(dst=r, min=-2.0, max=3.0)", "nisa.tensor_scalar(dst=low, data=r, op0=nl.greater_equal, operand0=-2.0)",
       "nisa.tensor_scalar(dst=r, data=r, op0=nl.less_equal, operand0=3.0)",
       "nisa.tensor_tensor(dst=r, data1=r, data2=low, op=nl.logical_and)", "nisa.tensor_reduce(dst=out, op=nl.add, data=r, axis=1)")
v.expect("out", Data.of("float32", np.full((128, 1), 40.0)))
for dtype in ("float32", "bfloat16", "float8_e4m3", "int16", "uint8"):
    v = r2.vector(f"bits_{dtype}", f"min + u * (max - min) in float32, u the top 24 of 32 bits; converted to {dtype}", A, source=BITS)
    seeded(v)
    v.step(SEED, "nisa.rand2(dst=out, min=0.5, max=100.25)")
    v.expect("out", Data(dtype, narrow(between(0.5, 100.25, Lanes("vector", 5).uniform(3, 9)), dtype)))
v = r2.vector("columns", "min and max may be columns", A, source=BITS)
seeded(v)
a, b = v.put("a", Data.of("float32", [[0.0], [-1.0], [5.0]])), v.put("b", Data.of("float32", [[1.0], [1.0], [5.5]]))
v.step(SEED, "nisa.rand2(dst=out, min=a, max=b)")
v.expect("out", Data("float32", narrow(between(a.f32, b.f32, Lanes("vector", 5).uniform(3, 6)), "float32")))

# ---- dropout

dr = Instruction("dropout")
for dtype in ("float32", "bfloat16", "int32"):
    for prob in ("0.0", "1.0"):
        v = dr.vector(f"prob_{prob[0]}_{dtype}", f"probability {prob}: {'every element is kept as it is' if prob == '0.0' else 'all become zero'}, {dtype}")
        x = v.random("x", dtype, (6, 9), **({"floats": (-3, 3)} if "float" in dtype else {"integers": (1, 10 ** 6)}))
        v.step(f"nisa.dropout(dst=out, data=x, prob={prob})")
        v.expect("out", x if prob == "0.0" else Data(dtype, np.zeros((6, 9))))
v = dr.vector("column", "a column of probabilities: each partition has its own")
x, a = v.random("x", "float32", (4, 9), floats=(-3, 3)), v.put("a", Data.of("float32", [[0.0], [1.0], [1.0], [0.0]]))
v.step("nisa.dropout(dst=out, data=x, prob=a)")
v.expect("out", Data("float32", x.words * np.array([[1], [0], [0], [1]], np.uint32)))
v = dr.vector("kept_or_zero", "an element is kept as it is, unscaled, or zero: out * (out - x) is 0 everywhere")
x = v.random("x", "float32", (16, 32), floats=(-3, 3))
v.tile("y", "float32", (16, 32))
v.step("nisa.dropout(dst=y, data=x, prob=0.4)", "nisa.scalar_tensor_tensor(dst=z, data=y, op0=nl.multiply, operand0=1.0, op1=nl.subtract, operand1=x)",
       "nisa.tensor_tensor(dst=out, data1=y, data2=z, op=nl.multiply)", "nisa.tensor_scalar(dst=out, data=out, op0=nl.abs, operand0=None)")
v.tile("z", "float32", (16, 32))
v.expect("out", Data.of("float32", np.zeros((16, 32))))
v = dr.vector("bits", "dropped where the element's uniform number is below the probability", A, source=BITS)
seeded(v)
x = v.random("x", "float32", (3, 20), floats=(-3, 3))
v.step(SEED, "nisa.dropout(dst=out, data=x, prob=0.4)")
v.expect("out", Data("float32", np.where(Lanes("vector", 5).uniform(3, 20) < np.float32(0.4), 0, x.words)))
