"""Random operators against the generator written again here: state, seeds, and what is drawn in which order."""
import ml_dtypes
import numpy as np
import pytest
from conftest import run_klr

MASK = 0xFFFFFFFF

KERNELS = """
import nki
import nki.isa as nisa
import nki.language as nl


def load(x):
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    return tile


def store(tile):
    out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=tile)
    return out


def seed_with(value):
    seed = nl.ndarray((1, 1), dtype=nl.uint32, buffer=nl.sbuf)
    nisa.memset(seed, value)
    nisa.set_rng_seed(seed)


def bits(partitions, columns, dtype, engine):
    tile = nl.ndarray((partitions, columns), dtype=dtype, buffer=nl.sbuf)
    nisa.rng(tile, engine=engine)
    return tile


@nki.jit
def rng(partitions, columns, dtype=nl.uint32, engine=nisa.engine.vector, seed=None, before=0):
    if seed is not None:
        seed_with(seed)
    if before:
        bits(partitions, before, nl.uint32, engine)
    return store(bits(partitions, columns, dtype, engine))


@nki.jit
def rand2(like, low, high, seed=5):
    seed_with(seed)
    tile = nl.ndarray(like.shape, dtype=like.dtype, buffer=nl.sbuf)
    nisa.rand2(tile, low, high)
    return store(tile)


@nki.jit
def rand2_by_row(like, low, high):
    seed_with(5)
    tile = nl.ndarray(like.shape, dtype=like.dtype, buffer=nl.sbuf)
    nisa.rand2(tile, load(low), load(high))
    return store(tile)


@nki.jit
def dropout(x, prob, seed=5):
    seed_with(seed)
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dropout(tile, load(x), prob)
    return store(tile)


@nki.jit
def dropout_by_row(x, prob):
    seed_with(5)
    tile = load(x)
    nisa.dropout(tile, tile, load(prob))
    return store(tile)


@nki.jit
def from_state(state, columns, engine):
    nisa.rand_set_state(load(state), engine=engine)
    return store(bits(state.shape[0], columns, nl.uint32, engine))


@nki.jit
def rewind(partitions, columns, words, engine):
    # Draws, goes back to the state before, draws again, and says where it stands then.
    state = nl.ndarray((partitions, words), dtype=nl.uint32, buffer=nl.sbuf)
    nisa.rand_get_state(state, engine=engine)
    first = bits(partitions, columns, nl.uint32, engine)
    nisa.rand_set_state(state, engine=engine)
    second = bits(partitions, columns, nl.uint32, engine)
    nisa.rand_get_state(state, engine=engine)
    out = nl.ndarray((partitions, columns * 2 + words), dtype=nl.uint32, buffer=nl.sbuf)
    nisa.tensor_copy(out[:, :columns], first)
    nisa.tensor_copy(out[:, columns:2 * columns], second)
    nisa.tensor_copy(out[:, 2 * columns:], state)
    return store(out)
"""


class Xorwow:
    """Marsaglia's xorwow: x, y, z, w, v shifted along, d counting."""

    def __init__(self, words):
        self.x, self.y, self.z, self.w, self.v, self.d = map(int, words)

    def words(self):
        return [self.x, self.y, self.z, self.w, self.v, self.d]

    def next(self):
        t = self.x ^ self.x >> 2
        self.x, self.y, self.z, self.w = self.y, self.z, self.w, self.v
        self.v = (self.v ^ self.v << 4 ^ t ^ t << 1) & MASK
        self.d = (self.d + 362437) & MASK
        return (self.v + self.d) & MASK

    def uniform(self):
        return np.float32(self.next() >> 8) * np.float32(2.0**-24)


def seeded(seed, number):
    """Six words of SplitMix64, low half first."""
    counter, words = seed << 32 | number, []
    for _ in range(3):
        counter = (counter + 0x9E3779B97F4A7C15) % 2**64
        z = (counter ^ counter >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        z ^= z >> 31
        words += [z & MASK, z >> 32]
    words[0] |= 1
    return Xorwow(words)


class Engine:
    """The generators of an engine: 4 a lane for the vector engine, 1 for GpSimd."""

    def __init__(self, name, seed=0):
        self.each = 4 if name == "vector" else 1
        first = 0 if name == "vector" else 512
        self.lanes = [[seeded(seed, first + self.each * p + g) for g in range(self.each)] for p in range(128)]

    def draw(self, partitions, columns, method=Xorwow.next):
        return np.array([[method(self.lanes[p][i % self.each]) for i in range(columns)] for p in range(partitions)])

    def state(self, partitions):
        return np.array([sum((g.words() for g in self.lanes[p]), []) for p in range(partitions)], dtype=np.uint32)


@pytest.fixture
def run(tmp_path):
    file = tmp_path / "kernels.py"
    file.write_text(KERNELS)

    def run(kernel, *options, expect=0, target="trn3", **arguments):
        words = []
        for name, value in arguments.items():
            if isinstance(value, np.ndarray):
                value = value, ""
            if isinstance(value, tuple):
                np.save(tmp_path / f"{name}.npy", value[0])
                value = f"@{tmp_path / name}.npy{value[1]}"
            words.append(f"{name}={value}")
        result = run_klr("run", f"{file}:{kernel}", *words, "--target", target, "--out", tmp_path / "out", *options)
        assert result.returncode == expect, result.stderr
        if expect:
            return result.stderr
        array, = [np.load(path) for path in (tmp_path / "out").glob("*.npy")]
        return array

    return run


@pytest.mark.parametrize("engine", ["vector", "gpsimd"])
@pytest.mark.parametrize("partitions, columns", [(1, 1), (5, 7), (128, 33)])
def test_bits(run, engine, partitions, columns):
    result = run("rng", partitions=partitions, columns=columns, engine=f"nisa.engine.{engine}")
    np.testing.assert_array_equal(result, Engine(engine).draw(partitions, columns))


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_seeds(run, seed):
    result = run("rng", partitions=3, columns=9, seed=seed)
    np.testing.assert_array_equal(result, Engine("vector", seed).draw(3, 9))
    assert (result == run("rng", partitions=3, columns=9, seed=seed)).all()


def test_seeds_leave_gpsimd_alone(run):
    words = dict(partitions=2, columns=5, engine="nisa.engine.gpsimd")
    assert (run("rng", **words) == run("rng", seed=77, **words)).all()


def test_numbers_do_not_repeat(run):
    first = run("rng", partitions=128, columns=64)
    assert len(np.unique(first)) > first.size - 20  # of 8192 draws from 2^32, hardly two are equal
    ones = np.unpackbits(first.view(np.uint8)).mean()
    assert abs(ones - 0.5) < 0.005


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32"])
def test_narrow_integers_are_the_low_bits(run, dtype):
    result = run("rng", partitions=4, columns=10, dtype=f"nl.{dtype}")
    want = Engine("vector").draw(4, 10).astype(np.uint32).astype(dtype)
    assert result.dtype == want.dtype
    np.testing.assert_array_equal(result, want)


@pytest.mark.parametrize("before", [1, 4, 6])
def test_an_instruction_begins_with_the_first_generator(run, before):
    engine = Engine("vector")
    engine.draw(3, before)
    np.testing.assert_array_equal(run("rng", partitions=3, columns=9, before=before), engine.draw(3, 9))


def test_older_generations_draw_the_same(run):
    assert (run("rng", target="trn2", partitions=3, columns=9) == run("rng", partitions=3, columns=9)).all()


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (-3.0, 5.5), (1e-3, 2e-3)])
def test_uniform(run, low, high):
    result = run("rand2", like=np.zeros((17, 41), np.float32), low=low, high=high)
    low, high = np.float32(low), np.float32(high)
    u = Engine("vector", 5).draw(17, 41, Xorwow.uniform)
    np.testing.assert_array_equal(result, low + u * (high - low))
    assert (result >= low).all() and (result <= high).all()


@pytest.mark.parametrize("dtype, suffix, numpy", [("bfloat16", ":bf16", ml_dtypes.bfloat16), ("float16", "", np.float16)])
def test_uniform_is_rounded_once(run, dtype, suffix, numpy):
    like = np.zeros((3, 20), np.float16 if dtype == "float16" else np.float32), suffix
    u = Engine("vector", 5).draw(3, 20, Xorwow.uniform)
    want = (np.float32(-1) + u * np.float32(4)).astype(numpy)
    np.testing.assert_array_equal(run("rand2", like=like, low=-1.0, high=3.0).astype(np.float32), want.astype(np.float32))


def test_uniform_with_bounds_for_each_row(run):
    low = np.array([[0], [-5], [100]], np.float32)
    high = np.array([[2], [5], [101]], np.float32)
    result = run("rand2_by_row", like=np.zeros((3, 25), np.float32), low=low, high=high)
    np.testing.assert_array_equal(result, low + Engine("vector", 5).draw(3, 25, Xorwow.uniform) * (high - low))


def test_uniform_is_uniform(run):
    result = run("rand2", like=np.zeros((128, 200), np.float32), low=0.0, high=1.0, seed=123)
    counts = np.histogram(result, bins=20, range=(0, 1))[0]
    chi = ((counts - result.size / 20)**2 / (result.size / 20)).sum()
    assert chi < 43.8  # 0.1 % of the distribution with 19 degrees of freedom
    assert abs(np.corrcoef(result[:64].ravel(), result[64:].ravel())[0, 1]) < 0.03


def test_bounds_the_wrong_way_round(run):
    message = run("rand2", like=np.zeros((2, 2), np.float32), low=1.0, high=1.0, expect=1)
    assert "max is larger than min" in message


@pytest.mark.parametrize("prob", [0.0, 0.3, 0.5, 1.0])
def test_dropout(run, prob):
    x = np.arange(1, 21 * 35 + 1, dtype=np.float32).reshape(21, 35)
    result = run("dropout", x=x, prob=prob)
    u = Engine("vector", 5).draw(21, 35, Xorwow.uniform)
    np.testing.assert_array_equal(result, np.where(u < np.float32(prob), 0, x))
    if prob in (0, 1):
        assert (result == (x if prob == 0 else 0)).all()


def test_dropout_of_integers_and_narrow_floats(run):
    u = Engine("vector", 5).draw(6, 30, Xorwow.uniform)
    x = np.arange(6 * 30, dtype=np.int16).reshape(6, 30)
    np.testing.assert_array_equal(run("dropout", x=x, prob=0.5), np.where(u < 0.5, 0, x))
    x = x.astype(np.float32)
    np.testing.assert_array_equal(run("dropout", x=(x, ":bf16"), prob=0.5), np.where(u < 0.5, 0, x))


def test_dropout_in_place_with_a_probability_for_each_row(run):
    x, prob = np.ones((3, 50), np.float32), np.array([[0], [0.5], [1]], np.float32)
    result = run("dropout_by_row", x=x, prob=prob)
    np.testing.assert_array_equal(result, Engine("vector", 5).draw(3, 50, Xorwow.uniform) >= prob)


def test_dropout_by_the_rate_of_keeping(tmp_path):
    x = np.arange(1, 61, dtype=np.float32).reshape(3, 20)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "k.klrtext").write_text("""kernel k(x) -> (out)
tensor x: float32[3, 20] @shared_hbm
tensor out: float32[3, 20] @shared_hbm
tensor s: float32[3, 20] @sbuf
core 0
main:
  nc_dma_copy s = x oob_mode=$error
  dropout s = s threshold_type=KeepRate threshold=0.25
  nc_dma_copy out = s oob_mode=$error
""")
    result = run_klr("run", tmp_path / "k.klrtext", f"x=@{tmp_path}/x.npy", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    u = Engine("vector").draw(3, 20, Xorwow.uniform)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "out.npy"), np.where(u < 0.25, x, 0))


def test_dropout_needs_a_probability(run):
    assert "needs a probability from 0 to 1" in run("dropout", x=np.ones((2, 2), np.float32), prob=1.5, expect=1)


@pytest.mark.parametrize("engine, words", [("vector", 24), ("gpsimd", 6)])
def test_state_is_loaded(run, engine, words):
    state = np.random.default_rng(3).integers(1, 2**31, (7, words)).astype(np.uint32)
    result = run("from_state", state=state, columns=11, engine=f"nisa.engine.{engine}")
    lanes = [[Xorwow(row[6 * g:6 * g + 6]) for g in range(words // 6)] for row in state]
    want = [[lane[i % len(lane)].next() for i in range(11)] for lane in lanes]
    np.testing.assert_array_equal(result, want)


@pytest.mark.parametrize("engine, words", [("vector", 24), ("gpsimd", 6)])
def test_state_round_trip(run, engine, words):
    result = run("rewind", partitions=9, columns=13, words=words, engine=f"nisa.engine.{engine}")
    np.testing.assert_array_equal(result[:, :13], result[:, 13:26])
    after = Engine(engine)
    np.testing.assert_array_equal(result[:, :13], after.draw(9, 13))
    np.testing.assert_array_equal(result[:, 26:], after.state(9))


def test_state_has_the_width_of_its_engine(run):
    state = np.ones((2, 6), np.uint32)
    assert "24 for the vector engine" in run("from_state", state=state, columns=1, engine="nisa.engine.vector", expect=1)
