"""SBUF and PSUM have the sizes of the target: kernels fit to the last byte, and what does not fit is explained."""

import json
import os
import random
import re

import ml_dtypes
import numpy as np
import pytest
from conftest import ROOT, run_klr

SBUF = {"trn1": 180224, "trn2": 212984, "trn3": 245752}
PARTITION = {"trn1": 192 * 1024, "trn2": 224 * 1024, "trn3": 256 * 1024}
PSUM = 16 * 1024

HEAD = """import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
"""


def write(tmp_path, body, name="k.py"):
    path = tmp_path / name
    path.write_text(HEAD + "".join(f"    {line}\n" for line in body.strip("\n").split("\n")) + "    return out\n")
    return path


def tiles_of(sizes, memory="sbuf", keep=True):
    """A kernel with one uint8 tile for each size, all alive together."""
    lines = []
    for i, size in enumerate(sizes):
        lines.append(f"t{i} = nl.ndarray((128, {size}), dtype=nl.uint8, buffer=nl.{memory})")
        lines.append(f"nisa.memset(dst=t{i}, value=0)")
    lines += [f"nisa.memset(dst=t{i}, value=1)" for i in range(len(sizes)) if keep]
    lines.append("nisa.dma_copy(dst=out, src=x)")
    return "\n".join(lines)


def trace(path, target, *options):
    run = run_klr("trace", path, "x=f32[128,4]", "--target", target, "--json", *options)
    return run.returncode, json.loads(run.stdout)


@pytest.mark.parametrize("target", SBUF)
def test_sbuf_is_full_at_its_last_byte(tmp_path, target):
    size = SBUF[target]
    half, quarter = size // 8 * 4, size // 16 * 4
    assert trace(write(tmp_path, tiles_of([size])), target)[0] == 0
    assert trace(write(tmp_path, tiles_of([half, quarter, size - half - quarter])), target)[0] == 0
    status, said = trace(write(tmp_path, tiles_of([half, quarter, size - half - quarter + 4])), target)
    diag = said["diagnostics"][0]
    assert status == 1 and diag["code"] == "E0801"
    assert diag["line"] == 13 and diag["data"]["peak_bytes"] == size + 4 and diag["data"]["limit_bytes"] == size
    assert diag["data"]["peak_line"] == 14
    assert [tile["bytes"] for tile in diag["data"]["alive"]][0] == half
    assert {tile["line"] for tile in diag["data"]["alive"]} == {9, 11, 13}


@pytest.mark.parametrize("target", SBUF)
def test_psum_is_full_at_its_last_byte(tmp_path, target):
    assert trace(write(tmp_path, tiles_of([PSUM], "psum")), target)[0] == 0
    assert trace(write(tmp_path, tiles_of([2048] * 8, "psum")), target)[0] == 0
    assert trace(write(tmp_path, tiles_of([1024] * 16, "psum")), target)[0] == 0, "two share a bank when they must"
    status, said = trace(write(tmp_path, tiles_of([2048] * 8 + [1], "psum")), target)
    assert status == 1 and said["diagnostics"][0]["code"] == "E0801"


@pytest.mark.parametrize("target, fits", [("trn1", False), ("trn2", False), ("trn3", True)])
def test_tiles_of_part_of_a_bank_stay_in_one(tmp_path, target, fits):
    """13 tiles of 1200 bytes have 15600 bytes; one to a bank is the most where a sum must not cross into the next."""
    status, said = trace(write(tmp_path, tiles_of([1200] * 13, "psum")), target)
    assert status == (0 if fits else 1)
    assert fits or said["diagnostics"][0]["code"] == "E0802"


@pytest.mark.parametrize("target", SBUF)
def test_tiles_that_do_not_live_together_share_bytes(tmp_path, target):
    body = tiles_of([SBUF[target]] * 5, keep=False)
    assert trace(write(tmp_path, body), target)[0] == 0
    path = tmp_path / "k.klr"
    assert run_klr("trace", write(tmp_path, body), "x=f32[128,4]", "--target", target, "-o", path).returncode == 0
    for other, size in SBUF.items():
        run = run_klr("verify", path, "--target", other)
        assert run.returncode == (0 if size >= SBUF[target] else 1), run.stderr


@pytest.mark.parametrize("target", SBUF)
def test_addresses_reach_the_end_of_the_partition(tmp_path, target):
    end = PARTITION[target]
    body = "t = nl.ndarray((128, 512), dtype=nl.uint8, buffer=nl.sbuf, address=(0, {}))\nnisa.memset(dst=t, value=0)\n"
    assert trace(write(tmp_path, body.format(end - 512) + "nisa.dma_copy(dst=out, src=x)"), target)[0] == 0
    status, said = trace(write(tmp_path, body.format(end - 508) + "nisa.dma_copy(dst=out, src=x)"), target)
    assert status == 1 and said["diagnostics"][0]["code"] == "E0538"


def memory_of(path, *options):
    run = run_klr("info", path, "--memory", "--json", *options)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)["memory"]


def assert_apart(memory):
    """No two tiles that live together share a byte of a partition, unless the kernel said so."""
    tiles = [tile for tile in memory["tiles"] if tile["address"]]
    for i, a in enumerate(tiles):
        for b in tiles[i + 1:]:
            if a["is_given"] and b["is_given"]:
                continue
            together = a["live"][0] <= b["live"][1] and b["live"][0] <= a["live"][1]
            rows = (a["address"][0] < b["address"][0] + b["shape"][0] and b["address"][0] < a["address"][0] + a["shape"][0])
            share = (a["address"][1] < b["address"][1] + b["bytes"] and b["address"][1] < a["address"][1] + a["bytes"])
            assert not (together and rows and share), (a, b)


EXAMPLES = [
    ("attention.py", "q=randn:bf16[512,128] k=randn:bf16[512,128] v=randn:bf16[512,128]"),
    ("avgpool.py", "x=randn:f32[64,24,24]"),
    ("dynamic_loop.py", "x=randn:f32[5,128,64] count=ones:i32[1,1]"),
    ("matmul.py:matmul_blocked", "lhs_t=randn:bf16[256,512] rhs=randn:bf16[256,1024]"),
    ("matmul.py:matmul_tiled", "lhs_t=randn:f32[256,256] rhs=randn:f32[256,1024]"),
    ("norms.py:layernorm", "x=randn:f32[300,512] weight=randn:f32[1,512] bias=randn:f32[1,512]"),
    ("selective_scan.py", "delta=uniform:f32[128,256] u=randn:f32[128,256] A=randn:f32[128,16] B=randn:f32[16,256] "
                          "C=randn:f32[16,256]"),
    ("softmax.py", "x=randn:f32[300,512]"),
    ("topk.py", "x=randn:f32[64,512]"),
    ("transpose.py", "x=randn:f32[256,384]"),
]


@pytest.mark.parametrize("name, arguments", EXAMPLES)
def test_placed_kernels_compute_the_same_bits(tmp_path, name, arguments):
    """Tiles at the addresses that were found, in one SBUF and one PSUM, change no result."""
    source, options = os.path.join(ROOT, "examples", name), arguments.split()
    plain, placed = tmp_path / "plain.klr", tmp_path / "placed.klr"
    for path, more in ((plain, []), (placed, ["--place"])):
        run = run_klr("trace", source, *options, "-o", path, *more)
        assert run.returncode == 0, run.stderr
    for core in memory_of(placed):
        assert core["sbuf"]["fits"] and all(tile["is_given"] for tile in core["sbuf"]["tiles"])
    for core in memory_of(plain):
        assert_apart(core["sbuf"])
        assert_apart(core["psum"])
    results = []
    for path in (plain, placed):
        out = tmp_path / path.stem
        run = run_klr("run", path, *options, "--out", out)
        assert run.returncode == 0, run.stderr
        results.append({entry: (out / entry).read_bytes() for entry in sorted(os.listdir(out)) if entry.endswith(".npy")})
    assert results[0] and results[0] == results[1]


def test_info_shows_the_map_as_text(tmp_path):
    path = tmp_path / "k.klr"
    assert run_klr("trace", write(tmp_path, tiles_of([1000, 24])), "x=f32[128,4]", "-o", path).returncode == 0
    text = run_klr("info", path, "--memory", "--target", "trn1").stdout
    assert "SBUF  peak 1024 of 180224 bytes of a partition at k.py:12, 2 tiles in all" in text
    assert "1000 bytes: `t0.1` uint8[128, 1000], line 10, used from line 10 to line 13" in text
    assert "PSUM  peak 0 of 16384" in text


# ---- tensors with an address, against bytes in NumPy

def run_kernel(path, *arguments, target="trn2"):
    """The results' arrays by name, and the codes of what was said."""
    out = path.parent / "out"
    run = run_klr("run", path, *arguments, "--target", target, "--out", out, "--json")
    said = json.loads(run.stdout)
    codes = [diag["code"] for diag in said["diagnostics"]]
    return {entry[:-4]: np.load(out / entry) for entry in os.listdir(out) if entry.endswith(".npy")} if run.returncode == 0 else None, codes


def load(name, dtype, columns, address, rows=128):
    return (f"{name} = nl.ndarray(({rows}, {columns}), dtype=nl.{dtype}, buffer=nl.sbuf, address={address})\n"
            f"nisa.dma_copy(dst={name}, src=x[0:{rows}, 0:{columns}])\n")


def test_overlapping_tiles_share_their_bytes(tmp_path):
    """b over the second half of a, written after it: a reads what b wrote there, and is warned."""
    x = np.arange(128 * 512, dtype=np.float32).reshape(128, 512)
    np.save(tmp_path / "x.npy", x)
    path = write(tmp_path, load("a", "float32", 512, (0, 0)) + load("b", "float32", 256, (0, 1024))
                 + "nisa.dma_copy(dst=out, src=a)")
    results, codes = run_kernel(path, f"x=@{tmp_path}/x.npy")
    want = x.copy()
    want[:, 256:] = x[:, :256]
    np.testing.assert_array_equal(results["out.1"], want)
    assert codes == ["W0801"]


def test_overlap_by_partitions_and_bytes(tmp_path):
    x = np.arange(128 * 512, dtype=np.float32).reshape(128, 512)
    np.save(tmp_path / "x.npy", x)
    path = write(tmp_path, load("a", "float32", 512, (0, 0)) + load("b", "float32", 100, (64, 400), rows=32)
                 + "nisa.dma_copy(dst=out, src=a)")
    results, codes = run_kernel(path, f"x=@{tmp_path}/x.npy")
    want = x.copy()
    want[64:96, 100:200] = x[0:32, 0:100]
    np.testing.assert_array_equal(results["out.1"], want)
    assert codes == ["W0801"]


def test_bytes_are_read_as_another_dtype(tmp_path):
    """An int32 tile where float32 was written reads its bits, and is warned."""
    x = np.random.default_rng(3).standard_normal((128, 512)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    body = (load("a", "float32", 512, (0, 512)) + "b = nl.ndarray((128, 512), dtype=nl.int32, buffer=nl.sbuf, address=(0, 512))\n"
            "bits = nl.ndarray(x.shape, dtype=nl.int32, buffer=nl.shared_hbm)\nnisa.dma_copy(dst=bits, src=b)\n"
            "nisa.dma_copy(dst=out, src=x)")
    path = write(tmp_path, body)
    path.write_text(path.read_text().replace("return out", "return out, bits"))
    results, codes = run_kernel(path, f"x=@{tmp_path}/x.npy")
    np.testing.assert_array_equal(results["bits.1"], x.view(np.int32))
    assert codes == ["W0801"]


@pytest.mark.parametrize("body", [
    # the same tile written down twice
    load("a", "float32", 512, (0, 0)) + "b = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.sbuf, address=(0, 0))\n"
    "nisa.tensor_copy(dst=b, src=b)\nnisa.dma_copy(dst=out, src=a)",
    # bytes taken over when the old tile is no longer used, in another layout
    load("a", "float32", 512, (0, 0)) + "nisa.dma_copy(dst=out, src=a)\n" + load("b", "float32", 256, (0, 512))
    + "nisa.dma_copy(dst=out[:, 0:256], src=b)",
    # in place, into another dtype
    load("a", "float32", 512, (0, 0)) + "b = nl.ndarray((128, 512), dtype=nl.int32, buffer=nl.sbuf, address=(0, 0))\n"
    "nisa.tensor_copy(dst=b, src=a)\nc = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.sbuf)\n"
    "nisa.tensor_copy(dst=c, src=b)\nnisa.dma_copy(dst=out, src=c)",
    # side by side on other partitions
    load("a", "float32", 512, (0, 0), 64) + load("b", "float32", 512, (64, 0), 64)
    + "nisa.dma_copy(dst=out[0:64, :], src=a)\nnisa.dma_copy(dst=out[64:128, :], src=b)",
    # a ring of two, each reused when it was stored
    "".join(load(f"t{i}", "float32", 128, (0, i % 2 * 512)) + f"nisa.dma_copy(dst=out[:, {i * 128}:{i * 128 + 128}], src=t{i})\n"
            for i in range(4)),
])
def test_reuse_is_silent(tmp_path, body):
    np.save(tmp_path / "x.npy", np.ones((128, 512), dtype=np.float32))
    results, codes = run_kernel(write(tmp_path, body), f"x=@{tmp_path}/x.npy")
    assert codes == [] and results["out.1"].shape == (128, 512)


def test_a_tile_that_takes_bytes_over_begins_unwritten(tmp_path):
    """What an earlier tile left is read with a warning; what nobody wrote is an error."""
    body = load("a", "float32", 256, (0, 0)) + "nisa.dma_copy(dst=out[:, 0:256], src=a)\n"
    body += "b = nl.ndarray((128, 512), dtype=nl.float32, buffer=nl.sbuf, address=(0, {}))\nnisa.dma_copy(dst=out, src=b)"
    np.save(tmp_path / "x.npy", np.ones((128, 512), dtype=np.float32))
    assert run_kernel(write(tmp_path, body.format(0)), f"x=@{tmp_path}/x.npy") == (None, ["W0801", "E0602"])
    assert run_kernel(write(tmp_path, body.format(2048)), f"x=@{tmp_path}/x.npy") == (None, ["E0602"])


# ---- PSUM

SUMS = """
w, m = nl.load(x[:, 0:128]), nl.load(x[:, 0:512])
"""


def product(dst, accumulate=None):
    return f"nisa.nc_matmul(dst={dst}, stationary=w, moving=m, accumulate={accumulate})\n"


def psum(name, address=None, columns=512, dtype="float32"):
    return f"{name} = nl.ndarray((128, {columns}), dtype=nl.{dtype}, buffer=nl.psum, address={address})\n"


def test_the_first_product_of_a_tile_overwrites_what_another_left_in_its_bank(tmp_path):
    x = np.random.default_rng(5).standard_normal((128, 512)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    body = SUMS + psum("a", (0, 2048)) + product("a") + psum("b", (0, 2048)) + product("b") + product("b") + "nl.store(out, nl.copy(b))"
    results, codes = run_kernel(write(tmp_path, body), f"x=@{tmp_path}/x.npy")
    want = 2 * (x[:, :128].T.astype(np.float64) @ x)
    np.testing.assert_allclose(results["out.1"], want, rtol=1e-4, atol=1e-3)
    assert codes == []


@pytest.mark.parametrize("target, codes", [("trn1", ["E0540"]), ("trn2", ["E0540"]), ("trn3", [])])
@pytest.mark.parametrize("accumulate, value", [(True, 0.0), (True, 1.0), (None, 1.0)])
def test_adding_to_what_another_engine_wrote(tmp_path, target, codes, accumulate, value):
    np.save(tmp_path / "x.npy", np.ones((128, 512), dtype=np.float32))
    body = SUMS + psum("a") + f"nisa.memset(dst=a, value={value})\n" + product("a", accumulate) + "nl.store(out, nl.copy(a))"
    path = write(tmp_path, body)
    results, said = run_kernel(path, f"x=@{tmp_path}/x.npy", target=target)
    assert said == codes
    run = run_klr("run", path, f"x=@{tmp_path}/x.npy", "--target", target, "--lenient", "--out", tmp_path / "lenient")
    assert run.returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "lenient" / "out.1.npy"), np.full((128, 512), 128 + value, np.float32))


@pytest.mark.parametrize("target", SBUF)
def test_zeros_begin_a_sum(tmp_path, target):
    """`nl.zeros` and products without `accumulate`: the pattern of the architecture guide."""
    np.save(tmp_path / "x.npy", np.ones((128, 512), dtype=np.float32))
    body = SUMS + psum("a") + "nisa.memset(dst=a, value=0.0)\n" + product("a") + product("a") + "nl.store(out, nl.copy(a))"
    results, codes = run_kernel(write(tmp_path, body), f"x=@{tmp_path}/x.npy", target=target)
    assert codes == [] and (results["out.1"] == 256).all()


@pytest.mark.parametrize("options", [[], ["--reference"]])
def test_products_over_a_copied_value_are_fine_once_overwritten(tmp_path, options):
    np.save(tmp_path / "x.npy", np.ones((128, 512), dtype=np.float32))
    body = SUMS + psum("a") + "nisa.memset(dst=a, value=3.0)\n" + product("a", False) + product("a", True) + "nl.store(out, nl.copy(a))"
    run = run_klr("run", write(tmp_path, body), f"x=@{tmp_path}/x.npy", *options)
    assert run.returncode == 0 and run.stderr == "" and "min 256  max 256" in run.stdout


def turns(order, addresses=(None, None)):
    """Two sums of two products each, in halves of one tile or in tiles of their own."""
    body = SUMS.replace("0:512", "0:256")
    if addresses[0] is None:
        body += psum("a")
        halves = ["a[:, 0:256]", "a[:, 256:512]"]
    else:
        body += psum("a", addresses[0], 256) + psum("b", addresses[1], 256)
        halves = ["a", "b"]
    seen = set()
    for i in order:
        body += product(halves[i], i in seen)
        seen.add(i)
    for i, half in enumerate(halves):
        body += f"nl.store(out[:, {256 * i}:{256 * i + 256}], nl.copy({half}))\n"
    return body


@pytest.mark.parametrize("target", SBUF)
@pytest.mark.parametrize("order, addresses, is_told", [
    ((0, 1, 0, 1), (None, None), True), ((0, 0, 1, 1), (None, None), False), ((0, 1, 1, 0), (None, None), True),
    ((0, 1, 0, 1), ((0, 0), (0, 2048)), False), ((0, 0, 1, 1), ((0, 0), (0, 1024)), False),
    ((0, 1, 0, 1), ((0, 0), (0, 1024)), True),
])
def test_sums_that_take_turns_in_a_bank_are_told_of_on_trn2(tmp_path, target, order, addresses, is_told):
    np.save(tmp_path / "x.npy", np.ones((128, 512), dtype=np.float32))
    for options in ([], ["--reference"]):
        run = run_klr("run", write(tmp_path, turns(order, addresses)), f"x=@{tmp_path}/x.npy", "--target", target, *options)
        assert run.returncode == 0 and "min 256  max 256" in run.stdout
        assert run.stderr.count("W0802") == (1 if is_told and target == "trn2" else 0)


def test_a_sum_in_bfloat16_is_rounded_at_each_addition(tmp_path):
    """trn3: the old value is widened, added to in float32, and rounded to the nearest bfloat16 again."""
    x = np.random.default_rng(6).standard_normal((128, 512)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    body = SUMS + psum("a", dtype="bfloat16") + product("a") * 3 + "nl.store(out, nl.copy(a, dtype=nl.float32))"
    results, codes = run_kernel(write(tmp_path, body), f"x=@{tmp_path}/x.npy", target="trn3")
    plain = SUMS + psum("a") + product("a") + "nl.store(out, nl.copy(a))"
    once, _ = run_kernel(write(tmp_path, plain, "p.py"), f"x=@{tmp_path}/x.npy", target="trn3")
    want = np.zeros((128, 512), ml_dtypes.bfloat16)
    for _ in range(3):
        want = (want.astype(np.float32) + once["out.1"]).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(results["out.1"], want.astype(np.float32))
    assert codes == []


# ---- random kernels with loops and branches on the device: where tiles lie changes no result

class Program:
    """Statements over tiles of one shape; each tile is written when it is made, whole or in two halves."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.lines, self.count = [], 0

    def say(self, depth, text):
        self.lines.append("    " * depth + text)

    def new(self, depth, scope):
        self.count += 1
        name = f"t{self.count}"
        self.say(depth, f"{name} = nl.ndarray((128, 16), dtype=nl.float32, buffer=nl.sbuf)")
        for part in self.rng.choice([[""], ["[0:64, :]", "[64:128, :]"], ["[:, 0:8]", "[:, 8:16]"]]):
            self.say(depth, f"nisa.memset(dst={name}{part}, value={self.rng.randint(1, 9)}.0)")
        scope.append(name)

    def late(self, depth, scope):
        """A tile that the first statement of a loop writes, and that is read after the loop."""
        self.count += 1
        name = f"t{self.count}"
        self.say(depth, f"{name} = nl.ndarray((128, 16), dtype=nl.float32, buffer=nl.sbuf)")
        self.say(depth, f"for i{depth} in nl.dynamic_range({self.rng.randint(1, 3)}):")
        self.new(depth + 1, inner := list(scope))
        self.say(depth + 1, f"nisa.memset(dst={name}, value=2.0)")
        self.block(depth + 1, inner + [name], f"i{depth}")
        scope.append(name)

    def product(self, depth, scope):
        self.count += 1
        self.say(depth, f"p{self.count} = nl.ndarray((128, 16), dtype=nl.float32, buffer=nl.psum)")
        for _ in range(self.rng.randint(1, 2)):
            self.say(depth, f"nisa.nc_matmul(dst=p{self.count}, stationary=w, moving={self.rng.choice(scope)})")
        self.say(depth, f"nisa.tensor_copy(dst={self.rng.choice(scope)}, src=p{self.count})")

    def statement(self, depth, scope, register):
        pick, kind = self.rng.choice, self.rng.randrange(14)
        if kind < 4:
            self.new(depth, scope)
        elif kind < 7:
            self.say(depth, f"nisa.tensor_tensor(dst={pick(scope)}, data1={pick(scope)}, data2={pick(scope)}, op=nl.add)")
        elif kind < 8:
            self.say(depth, f"nisa.tensor_copy(dst={pick(scope)}, src={pick(scope)})")
        elif kind < 10:
            part = pick(["[0:32, :]", "[:, 4:9]", "[64:128, 0:16:2]"])
            self.say(depth, f"nisa.tensor_scalar(dst={pick(scope)}{part}, data={pick(scope)}{part}, op0=nl.multiply, operand0=0.5)")
        elif kind < 11 and depth < 4:
            self.product(depth, scope) if self.rng.random() < 0.5 else self.late(depth, scope)
        elif kind < 13 and depth < 4:
            self.say(depth, f"for i{depth} in nl.dynamic_range({self.rng.randint(1, 3)}):")
            self.block(depth + 1, list(scope), f"i{depth}")
        elif register and depth < 4:
            self.say(depth, f"if {register} == {self.rng.randint(0, 2)}:")
            self.block(depth + 1, list(scope), register)
            if self.rng.random() < 0.5:
                self.say(depth, "else:")
                self.block(depth + 1, list(scope), register)

    def block(self, depth, scope, register):
        self.say(depth, f"nisa.tensor_copy(dst={self.rng.choice(scope)}, src={self.rng.choice(scope)})")
        for _ in range(self.rng.randint(1, 7)):
            self.statement(depth, scope, register)

    def text(self):
        scope = []
        for _ in range(3):
            self.new(0, scope)
        self.say(0, "w = nl.ndarray((128, 128), dtype=nl.float32, buffer=nl.sbuf)")
        self.say(0, "nisa.memset(dst=w, value=0.0078125)")
        for _ in range(self.rng.randint(4, 12)):
            self.statement(0, scope, None)
        for name in scope[1:]:
            self.say(0, f"nisa.tensor_tensor(dst={scope[0]}, data1={scope[0]}, data2={name}, op=nl.add)")
        self.say(0, f"nisa.dma_copy(dst=out, src={scope[0]})")
        return "\n".join(self.lines)


@pytest.mark.parametrize("seed", range(40))
def test_random_kernels_compute_the_same_wherever_their_tiles_lie(tmp_path, seed):
    source = write(tmp_path, Program(seed).text())
    results = []
    for name, options in (("plain", []), ("placed", ["--place"])):
        path = tmp_path / f"{name}.klr"
        run = run_klr("trace", source, "x=f32[128,16]", "-o", path, *options)
        assert run.returncode == 0, run.stderr
        run = run_klr("run", path, "x=ones:f32[128,16]", "--out", tmp_path / name, "--checks", "none" if name == "plain" else "all")
        assert run.returncode == 0 and "W0801" not in run.stderr, run.stderr
        results.append(np.load(tmp_path / name / "out.1.npy"))
    np.testing.assert_array_equal(*results)
    for core in memory_of(tmp_path / "plain.klr"):
        assert_apart(core["sbuf"])
        assert_apart(core["psum"])


@pytest.mark.parametrize("address, shown", [("(-1, 0)", "(-1, 0)"), ("(0, -4)", "(0, -4)"), ("(0,)", "(0,)"), ("7", "7"),
                                            ("((1, 2), 0)", "((1, 2), 0)")])
def test_addresses_that_are_none_are_shown(tmp_path, address, shown):
    (tmp_path / "k.py").write_text(f"""import nki
import nki.language as nl


@nki.jit
def placed(x):
    tile = nl.ndarray((128, 8), dtype=nl.float32, buffer=nl.sbuf, address={address})
    return x
""")
    done = run_klr("trace", tmp_path / "k.py", "x=f32[4,4]")
    assert done.returncode == 1 and "E0401" in done.stderr and f"`address` is {shown};" in done.stderr, done.stderr
