"""Small kernels over nki.isa, run on arrays: what the tests of instructions share."""
import json

import ml_dtypes
import numpy as np
from conftest import run_klr

DTYPES = {"float32": np.float32, "bfloat16": ml_dtypes.bfloat16, "float16": np.float16,
          "float8_e4m3": ml_dtypes.float8_e4m3, "float8_e5m2": ml_dtypes.float8_e5m2,
          "float8_e4m3fn": ml_dtypes.float8_e4m3fn, "int32": np.int32, "uint32": np.uint32, "int16": np.int16,
          "uint16": np.uint16, "int8": np.int8, "uint8": np.uint8, "float8_e8m0fnu": np.uint8, "tfloat32": np.float32,
          "float8_e4m3fn_x4": np.uint32, "float8_e5m2_x4": np.uint32, "float4_e2m1fn_x4": np.uint16}
FLOATS = ["float32", "bfloat16", "float16", "float8_e4m3", "float8_e5m2"]
INTEGERS = ["int32", "uint32", "int16", "uint16", "int8", "uint8"]
TARGETS = ["trn1", "trn2", "trn3"]

PRELUDE = """
import nki
import nki.isa as nisa
import nki.language as nl


def load(x, dtype=None):
    tile = nl.ndarray(x.shape, dtype=dtype or x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x if dtype is None else x.view(dtype))
    return tile


def store(tile):
    out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=tile)
    return out


def evict(tile):
    out = nl.ndarray(tile.shape, dtype=tile.dtype, buffer=nl.sbuf)
    nisa.tensor_copy(dst=out, src=tile)
    return store(out)


def sbuf(shape, dtype):
    return nl.ndarray(shape, dtype=dtype, buffer=nl.sbuf)


def psum(shape, dtype=nl.float32):
    return nl.ndarray(shape, dtype=dtype, buffer=nl.psum)

"""


def dtype_name(array):
    return next(name for name, dtype in DTYPES.items() if np.dtype(dtype) == array.dtype)


class Kernels:
    """Runs kernels given as the body of a function of the arrays; results have the dtypes of `DTYPES`."""

    def __init__(self, folder):
        self.folder = folder

    def call(self, body, arrays, *options):
        lines = [f"    {line}" for line in body.strip("\n").splitlines()]
        source = PRELUDE + f"\n@nki.jit\ndef k({', '.join(arrays)}):\n" + "\n".join(lines) + "\n"
        (self.folder / "k.py").write_text(source)
        words = []
        for name, array in arrays.items():
            suffix = f":{dtype_name(array)}"
            np.save(self.folder / f"{name}.npy", np.ascontiguousarray(array))
            words.append(f"{name}=@{self.folder / name}.npy{suffix}")
        return run_klr("run", self.folder / "k.py", *words, "--raw", "--out", self.folder / "out", *options), source

    def once(self, body, target, *options, **arrays):
        result, source = self.call(body, arrays, "--target", target, *options)
        assert result.returncode == 0, result.stderr + source
        self.talk = result.stderr
        listed = json.loads((self.folder / "out" / "outputs.json").read_text())["outputs"]
        return [self.array(item) for item in listed if item["role"] == "output"]

    def array(self, item):
        """The elements of a .npy file, whatever its header calls their dtype."""
        dtype = np.dtype(DTYPES[item["dtype"]])
        raw = (self.folder / "out" / item["file"]).read_bytes()
        return np.frombuffer(raw[-int(np.prod(item["shape"])) * dtype.itemsize:], dtype).reshape(item["shape"])

    def run(self, body, target="trn2", *options, **arrays):
        """The results of the fast executors; the reference must give the same bits."""
        fast = self.once(body, target, *options, **arrays)
        reference = self.once(body, target, "--reference", *options, **arrays)
        assert [a.tobytes() for a in fast] == [b.tobytes() for b in reference]
        return fast[0] if len(fast) == 1 else fast

    def fails(self, body, target="trn2", *options, **arrays):
        """The message of a kernel that is refused or stops."""
        texts = []
        for mode in [], ["--reference"]:
            result, source = self.call(body, arrays, "--target", target, *mode, *options)
            assert result.returncode == 1, result.stderr + source
            texts.append(result.stderr)
        assert texts[0] == texts[1]
        return texts[0]

    def gap(self, name, body, target="trn2", **arrays):
        """What is done with --lenient, after asserting that the run stops at the gap without it."""
        message = self.fails(body, target, **arrays)
        assert "error[E0540]" in message and f"gap `{name}`" in message, message
        result = self.run(body, target, "--lenient", **arrays)
        assert "warning[W0540]" in self.talk and f"gap `{name}`" in self.talk, self.talk
        return result


def random_bits(random, dtype, *shape):
    """Any bits at all: NaNs, infinities and subnormals too."""
    item = np.dtype(DTYPES[dtype]).itemsize
    return random.integers(0, 256, (*shape[:-1], shape[-1] * item), dtype=np.uint8).view(DTYPES[dtype])


def random_values(random, dtype, *shape):
    """Finite values of moderate size."""
    if dtype in INTEGERS:
        info = np.iinfo(DTYPES[dtype])
        return random.integers(info.min, info.max, shape, dtype=np.int64, endpoint=True).astype(DTYPES[dtype])
    return random.normal(0, 4, shape).astype(np.float32).astype(DTYPES[dtype])


def canonical(array):
    """Bits to compare by, with every NaN of a float the one that is written."""
    if array.dtype.kind in "iu":
        return array
    quiet = {4: 0x7FC00000, 2: 0x7FC0, 1: 0x7F}[array.dtype.itemsize]
    if array.dtype == np.float16:
        quiet = 0x7E00
    if array.dtype == ml_dtypes.float8_e4m3:
        quiet = 0x7C
    if array.dtype == ml_dtypes.float8_e5m2:
        quiet = 0x7E
    words = array.view({4: np.uint32, 2: np.uint16, 1: np.uint8}[array.dtype.itemsize]).copy()
    words[np.isnan(array.astype(np.float32))] = quiet
    return words


def same_bits(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape, (a.dtype, a.shape, b.dtype, b.shape)
    assert np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def convert(values, dtype):
    """From one dtype to another as engines and DMA do: through float32, rounded once; integers saturate."""
    with np.errstate(all="ignore"):
        wide = values.astype(np.float32)
        if dtype in INTEGERS:
            info = np.iinfo(DTYPES[dtype])
            return np.clip(np.rint(np.nan_to_num(wide.astype(np.float64), nan=0.0, posinf=1e30, neginf=-1e30)), info.min,
                           info.max).astype(np.int64).astype(DTYPES[dtype])
        return wide.astype(DTYPES[dtype])
