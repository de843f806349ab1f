"""SBUF and PSUM have the sizes of the target: kernels fit to the last byte, and what does not fit is explained."""

import json
import os
import re

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
    ("avgpool.py", "x=randn:f32[64,24,24]"),
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
