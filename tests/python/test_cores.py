"""Logical cores: barriers, exchanges, and what is reported when they cannot meet or nothing orders them."""
import json

import ml_dtypes
import numpy as np
import pytest
from conftest import run_klr

KERNELS = """
import nki
import nki.isa as nisa
import nki.language as nl


def tile(shape, dtype):
    return nl.ndarray(shape, dtype=dtype, buffer=nl.sbuf)


@nki.jit
def exchange(x, pipe=0, gpsimd=False):
    me = nl.program_id(0)
    engine = nisa.dma_engine.gpsimd_dma if gpsimd else nisa.dma_engine.dma
    a, b = tile(x.shape[1:], x.dtype), tile(x.shape[1:], x.dtype)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=a, src=x[me])
    nisa.sendrecv(src=a, dst=b, send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=pipe, dma_engine=engine)
    nisa.dma_copy(dst=out[me], src=b)
    return out


@nki.jit
def exchange_parts(x):
    me = nl.program_id(0)
    a = tile(x.shape[1:], x.dtype)
    b = tile(x.shape[1:], x.dtype)
    half = x.shape[2] // 2
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=a, src=x[me])
    nisa.dma_copy(dst=b, src=x[me])
    nisa.sendrecv(src=a[:, ::2], dst=b[:, half:], send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=0)
    nisa.sendrecv(src=a[:, half:], dst=b[:, :half], send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=1)
    nisa.dma_copy(dst=out[me], src=b)
    return out


@nki.jit
def to_itself(x):
    me = nl.program_id(0)
    a, b = tile(x.shape[1:], x.dtype), tile(x.shape[1:], x.dtype)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=a, src=x[me])
    nisa.sendrecv(src=a, dst=b, send_to_rank=me, recv_from_rank=me, pipe_id=0)
    nisa.dma_copy(dst=out[me], src=b)
    return out


@nki.jit
def in_a_loop(x, rounds):
    # Each round both cores take the other's row and add one to it.
    me = nl.program_id(0)
    t = tile(x.shape[1:], x.dtype)
    buf = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=t, src=x[me])
    nisa.dma_copy(dst=buf[me], src=t)
    nisa.core_barrier(data=buf, cores=(0, 1))
    for i in nl.dynamic_range(rounds):
        nisa.dma_copy(dst=t, src=buf[1 - me])
        nisa.tensor_scalar(dst=t, data=t, op0=nl.add, operand0=1.0)
        nisa.core_barrier(data=buf, cores=(0, 1), engine=nisa.engine.sync)
        nisa.dma_copy(dst=buf[me], src=t)
        nisa.core_barrier(data=buf, cores=(0, 1), engine=nisa.engine.vector)
    nisa.dma_copy(dst=t, src=buf[me])
    nisa.dma_copy(dst=out[me], src=t)
    return out


@nki.jit
def meets_alone(x):
    t = tile(x.shape, x.dtype)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=t, src=x)
    nisa.core_barrier(out, (0))
    nisa.core_barrier(out, [0])
    nisa.dma_copy(dst=out, src=t)
    return out


@nki.jit
def one_stays_away(x):
    me = nl.program_id(0)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    t = tile(x.shape[1:], x.dtype)
    nisa.dma_copy(dst=t, src=x[me])
    nisa.dma_copy(dst=out[me], src=t)
    if me == 0:
        nisa.core_barrier(data=out, cores=(0, 1))
    else:
        nisa.memset(dst=t, value=0.0)
    return out


@nki.jit
def different(x, what):
    me = nl.program_id(0)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    other = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    a, b = tile(x.shape[1:], x.dtype), tile(x.shape[1:], x.dtype)
    narrow = tile(x.shape[1:], nl.bfloat16)
    nisa.dma_copy(dst=a, src=x[me])
    nisa.dma_copy(dst=narrow, src=x[me])
    if what == "pipes":
        nisa.sendrecv(src=a, dst=b, send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=me)
    elif what == "sizes":
        n = 4 + 4 * me
        nisa.sendrecv(src=a[:, :n], dst=b[:, :n], send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=0)
    elif what == "dtypes":
        src, dst = (a, b) if me else (narrow, tile(x.shape[1:], nl.bfloat16))
        nisa.sendrecv(src=src, dst=dst, send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=0)
    elif what == "engines":
        engine = nisa.dma_engine.dma if me else nisa.dma_engine.gpsimd_dma
        nisa.sendrecv(src=a, dst=b, send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=0, dma_engine=engine)
    elif what == "peers":
        nisa.sendrecv(src=a, dst=b, send_to_rank=1, recv_from_rank=1, pipe_id=0)
    elif what == "instructions":
        if me == 0:
            nisa.core_barrier(data=out, cores=(0, 1))
        else:
            nisa.sendrecv(src=a, dst=b, send_to_rank=0, recv_from_rank=0, pipe_id=0)
    elif what == "data":
        nisa.core_barrier(data=out if me else other, cores=(0, 1))
    nisa.dma_copy(dst=out[me], src=a)
    return out


@nki.jit
def races(x, kind):
    me = nl.program_id(0)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tmp = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    private = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.private_hbm)
    a = tile(x.shape[1:], x.dtype)
    nisa.dma_copy(dst=a, src=x[me])
    if kind == "read after write":
        nisa.dma_copy(dst=tmp[me], src=a)
        nisa.dma_copy(dst=a, src=tmp[0])
    elif kind == "two writes":
        nisa.dma_copy(dst=tmp[0][:, 3 * me:3 * me + 5], src=a[:, :5])
    elif kind == "equal writes":
        nisa.dma_copy(dst=a, src=x[0])
        nisa.dma_copy(dst=tmp[0], src=a)
        nisa.dma_copy(dst=a, src=tmp[0])
    elif kind == "equal then other":
        nisa.memset(dst=a, value=1.0)
        nisa.dma_copy(dst=tmp[0], src=a)
        nisa.memset(dst=a, value=2.0 + me)
        nisa.dma_copy(dst=tmp[0], src=a)
    elif kind == "disjoint":
        nisa.dma_copy(dst=tmp[0][:, me::2], src=a[:, me::2])
    elif kind == "private":
        nisa.dma_copy(dst=private[0], src=a)
        nisa.dma_copy(dst=a, src=private[0])
    elif kind == "write after read":
        nisa.dma_copy(dst=a, src=x[1])
        nisa.tensor_scalar(dst=a, data=a, op0=nl.add, operand0=1.0)
        nisa.dma_copy(dst=x[me], src=a)
    elif kind == "other barrier":
        nisa.dma_copy(dst=tmp[me], src=a)
        nisa.core_barrier(data=out, cores=(0, 1))
        nisa.dma_copy(dst=a, src=tmp[0])
    elif kind == "ordered":
        nisa.dma_copy(dst=tmp[me], src=a)
        nisa.core_barrier(data=tmp, cores=(0, 1))
        nisa.dma_copy(dst=a, src=tmp[1 - me])
        nisa.core_barrier(data=tmp, cores=(0, 1))
        nisa.dma_copy(dst=tmp[me], src=a)
    elif kind == "exchanged":
        nisa.dma_copy(dst=tmp[me], src=a)
        b = tile(x.shape[1:], x.dtype)
        nisa.sendrecv(src=a, dst=b, send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=0)
        nisa.dma_copy(dst=a, src=tmp[1 - me])
    elif kind == "once ordered":
        nisa.dma_copy(dst=tmp[me], src=a)
        nisa.core_barrier(data=tmp, cores=(0, 1))
        nisa.dma_copy(dst=a, src=tmp[1 - me])
        nisa.dma_copy(dst=tmp[me], src=a)
    nisa.dma_copy(dst=out[me], src=a)
    return out
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("cores") / "k.py"
    path.write_text(KERNELS)
    return path


def save(folder, array):
    file = folder / "x.npy"
    dtype = {"bfloat16": "bf16", "float8_e5m2": "f8e5m2"}.get(array.dtype.name)
    np.save(file, array.astype(np.float32) if dtype else array)
    return f"x=@{file}" + (f":{dtype}" if dtype else "")


def run(path, folder, kernel, x, *arguments, lnc=2):
    done = run_klr("run", f"{path}:{kernel}", save(folder, x), "--lnc", lnc, "--out", folder / "out", *arguments)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "out" / json.loads((folder / "out" / "outputs.json").read_text())["outputs"][0]["file"])


def fails(path, kernel, *arguments, lnc=2, x="x=randn:f32[2,128,16]"):
    done = run_klr("run", f"{path}:{kernel}", x, "--lnc", lnc, "--json", *arguments)
    assert done.returncode == 1, done.stdout
    found = [d for d in json.loads(done.stdout)["diagnostics"] if d["severity"] == "error"]
    return found[0]


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("gpsimd", [False, True])
def test_an_exchange_swaps_tiles(path, tmp_path, dtype, gpsimd):
    x = np.random.default_rng(1).integers(0, 100, (2, 128, 24)).astype(dtype)
    result = run(path, tmp_path, "exchange", x, f"gpsimd={gpsimd}")
    np.testing.assert_array_equal(result, x[::-1].astype(result.dtype))


def test_parts_of_tiles_are_exchanged_one_after_the_other(path, tmp_path):
    x = np.random.default_rng(2).standard_normal((2, 64, 32), dtype=np.float32)
    expected = np.concatenate([x[::-1, :, 16:], x[::-1, :, ::2]], axis=2)
    np.testing.assert_array_equal(run(path, tmp_path, "exchange_parts", x), expected)


def test_a_core_may_exchange_with_itself(path, tmp_path):
    x = np.random.default_rng(2).standard_normal((2, 64, 32), dtype=np.float32)
    np.testing.assert_array_equal(run(path, tmp_path, "to_itself", x), x)


@pytest.mark.parametrize("extra", [(), ("--threads", "4"), ("--reference",), ("--checks", "none")])
def test_barriers_in_a_loop_on_the_device(path, tmp_path, extra):
    x = np.random.default_rng(3).standard_normal((2, 128, 16), dtype=np.float32)
    expected = x.copy()
    for _ in range(5):
        expected = expected[::-1] + np.float32(1)
    np.testing.assert_array_equal(run(path, tmp_path, "in_a_loop", x, "rounds=5", *extra), expected)


def test_one_core_meets_nobody(path, tmp_path):
    x = np.random.default_rng(4).standard_normal((128, 16), dtype=np.float32)
    np.testing.assert_array_equal(run(path, tmp_path, "meets_alone", x, lnc=1), x)


def test_a_deadlock_says_where_every_core_is(path):
    found = fails(path, "one_stays_away")
    assert found["code"] == "E0620"
    assert "core 0 waits for core 1" in found["message"]
    notes = " ".join(found["notes"])
    assert "core 0 waits at `nisa.core_barrier`" in notes and "k.py:" in notes and "core 1 has ended" in notes


@pytest.mark.parametrize("what, words", [
    ("pipes", ["pipe 1", "pipe 0"]),
    ("sizes", ["128x4", "128x8"]),
    ("dtypes", ["bfloat16", "float32"]),
    ("engines", ["GpSimd"]),
    ("instructions", ["nisa.core_barrier", "nisa.sendrecv"]),
    ("data", ["out", "other"]),
])
def test_what_does_not_fit_is_named_with_both_places(path, what, words):
    found = fails(path, "different", f"what='{what}'")
    assert found["code"] == "E0621"
    assert all(word in found["message"] for word in words)
    assert len([note for note in found["notes"] if "core 0 is at" in note or "core 1 is at" in note]) == 2


def test_both_wait_for_core_one(path):
    found = fails(path, "different", "what='peers'")
    assert found["code"] in ("E0620", "E0621") and "core 1" in found["message"]


@pytest.mark.parametrize("kind", ["read after write", "two writes", "equal then other", "write after read",
                                  "other barrier", "once ordered"])
def test_races_name_both_accesses(path, kind):
    for extra in [(), ("--reference",)]:
        found = fails(path, "races", f"kind='{kind}'", "--strict", *extra)
        assert found["code"] == "W0622"
        assert "core 1" in found["message"] and "core 0" in found["message"] and "element [" in found["message"]
        assert any("core " in label["text"] for label in found["labels"])
        assert run_klr("run", f"{path}:races", "x=randn:f32[2,128,16]", f"kind='{kind}'", "--lnc", "2", "--checks",
                       "none", *extra).returncode == 0


def test_a_race_names_the_element(path):
    assert "element [0, 0, 3] of `tmp" in fails(path, "races", "kind='two writes'", "--strict")["message"]


@pytest.mark.parametrize("kind", ["equal writes", "disjoint", "private", "ordered", "exchanged", "none"])
def test_what_is_no_race(path, kind):
    for extra in [(), ("--reference",)]:
        done = run_klr("run", f"{path}:races", "x=randn:f32[2,128,16]", f"kind='{kind}'", "--lnc", "2", "--strict", *extra)
        assert done.returncode == 0 and "W0622" not in done.stderr, done.stderr


def test_a_race_is_a_warning_said_once_for_two_lines(path, tmp_path):
    """Two lines race for many elements, in a loop: one warning, and the cores' fixed order decides the result."""
    (tmp_path / "k.py").write_text("""import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x):
    me = nl.program_id(0)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    t = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    for row in range(4):
        nisa.memset(dst=t, value=me + row + 1.0)
        nisa.dma_copy(dst=out, src=t)
    return out
""")
    for extra in [(), ("--reference",)]:
        done = run_klr("run", tmp_path / "k.py", "x=zeros:f32[128,8]", "--lnc", "2", "--out", tmp_path / "o", *extra)
        assert done.returncode == 0 and done.stderr.count("warning[W0622]") == 1, done.stderr
        result = json.loads((tmp_path / "o" / "outputs.json").read_text())["outputs"][0]["file"]
        np.testing.assert_array_equal(np.load(tmp_path / "o" / result), np.full((128, 8), 5, np.float32))


@pytest.mark.parametrize("seed", range(6))
def test_random_accesses_race_when_a_model_says_so(tmp_path, seed):
    """Random row accesses of two cores, with barriers between phases, against a model over sets of bytes."""
    rng = np.random.default_rng(seed)
    for case in range(6):
        phases = [[[(bool(rng.integers(2)), int(a), int(a + rng.integers(1, 9)))
                    for a in rng.integers(0, 40, rng.integers(0, 3))] for _ in range(2)] for _ in range(3)]
        lines = ["import nki", "import nki.isa as nisa", "import nki.language as nl", "@nki.jit", "def k(x):",
                 "    me = nl.program_id(0)",
                 "    out = nl.ndarray((2, 1, 48), dtype=x.dtype, buffer=nl.shared_hbm)",
                 "    t = nl.ndarray((1, 48), dtype=x.dtype, buffer=nl.sbuf)",
                 "    nisa.dma_copy(dst=t, src=x[1:2])"]
        expected = False
        for phase in phases:
            for core, accesses in enumerate(phase):
                lines.append(f"    if me == {core}:")
                lines.append(f"        nisa.memset(dst=t, value={core + 1}.0)")
                for writes, first, end in accesses:
                    lines.append(f"        nisa.memset(dst=t, value={rng.integers(1, 1 << 20)}.0)")
                    here, there = f"x[0:1, {first}:{end}]", f"t[:, {first}:{end}]"
                    lines.append(f"        nisa.dma_copy(dst={here if writes else there}, src={there if writes else here})")
            lines.append("    nisa.core_barrier(data=x, cores=(0, 1))")
            for writes, first, end in phase[0]:
                for other, start, stop in phase[1]:
                    expected |= (writes or other) and first < stop and start < end
        lines += ["    nisa.dma_copy(dst=out[me], src=t)", "    return out"]
        file = tmp_path / f"r{case}.py"
        file.write_text("\n".join(lines) + "\n")
        done = run_klr("run", file, "x=randn:bf16[2,48]", "--lnc", "2")
        assert ("warning[W0622]" in done.stderr) == expected, done.stderr + "\n".join(lines)
        assert done.returncode == 0, done.stderr
        if expected:
            assert run_klr("run", file, "x=randn:bf16[2,48]", "--lnc", "2", "--strict").returncode == 1


UNWRITTEN = """import nki
import nki.isa as nisa
import nki.language as nl


@nki.jit
def kernel(x, rows, column):
    me = nl.program_id(0)
    out = nl.ndarray((2, 32, 16), dtype=x.dtype, buffer=nl.shared_hbm)
    t, u, zero = [nl.ndarray((32, 16), dtype=x.dtype, buffer=nl.sbuf) for _ in range(3)]
    nisa.memset(dst=zero, value=0.0)
    nisa.dma_copy(dst=t[0:20], src=x[me, 0:20])
    nisa.dma_copy(dst=t[20:32, 0:8], src=x[me, 20:32, 0:8])
    nisa.sendrecv(src=t, dst=u, send_to_rank=1 - me, recv_from_rank=1 - me, pipe_id=0)
    index = nl.ndarray((32, 1), dtype=nl.uint16, buffer=nl.sbuf)
    nisa.iota(dst=index, pattern=[[0, 1]], offset=0, channel_multiplier=1)
    nisa.tensor_scalar(dst=index, data=index, op0=nl.bitwise_and, operand0=15)
    gathered = nl.ndarray((32, 16), dtype=x.dtype, buffer=nl.sbuf)
    nisa.local_gather(dst=gathered, src_buffer=u, index=index)
    nisa.dma_copy(dst=out[me], src=zero)
    nisa.dma_copy(dst=out[me, 0:rows, 0:column], src=gathered[0:rows, 0:column])
    return out
"""


def test_what_was_not_written_travels_between_cores(tmp_path):
    x = np.random.default_rng(3).standard_normal((2, 32, 16)).astype(np.float32)
    (tmp_path / "k.py").write_text(UNWRITTEN)
    for rows, columns in ((20, 16), (32, 8)):
        result = run(tmp_path / "k.py", tmp_path, "kernel", x, f"rows={rows}", f"column={columns}")
        np.testing.assert_array_equal(result[:, :rows, :columns], x[::-1, :rows, :columns])
    found = fails(tmp_path / "k.py", "kernel", "rows=21", "column=9", x="x=randn:f32[2,32,16]")
    assert found["code"] == "E0602" and "[20, 8]" in found["message"], found
    assert any("depends on it" in note for note in found["notes"]) and "sendrecv" in found["message"], found
