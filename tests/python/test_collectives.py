"""Collectives over ranks against NumPy: groups, dtypes, dimensions, logical cores, and what is refused."""
import json
import os
import re

import ml_dtypes
import numpy as np
import pytest
from conftest import ROOT, run_klr

KERNELS = """
import nki
import nki.collectives as ncc
import nki.isa as nisa
import nki.language as nl


def hbm(shape, dtype):
    return nl.ndarray(shape, dtype=dtype, buffer=nl.shared_hbm)


def sbuf(shape, dtype):
    return nl.ndarray(shape, dtype=dtype, buffer=nl.sbuf)


def copied(x, in_sbuf):
    # Two tensors: the argument's elements, and room.
    if in_sbuf:
        t = sbuf(x.shape, x.dtype)
    else:
        t = hbm(x.shape, x.dtype)
    nisa.dma_copy(dst=t, src=x)
    return t


@nki.jit
def one(x, function, groups, shape, op=nl.add, dim=0, in_sbuf=False):
    g = ncc.ReplicaGroup(groups)
    src = copied(x, in_sbuf)
    out = hbm(shape, x.dtype)
    dst = sbuf(shape, x.dtype) if in_sbuf else out
    if function == "all_reduce":
        ncc.all_reduce([src], [dst], g, op)
    elif function == "all_gather":
        ncc.all_gather([src], [dst], g, dim)
    elif function == "reduce_scatter":
        ncc.reduce_scatter([src], [dst], g, dim, op)
    elif function == "all_to_all":
        ncc.all_to_all([src], [dst], g, dim)
    elif function == "collective_permute_implicit":
        ncc.collective_permute_implicit([[src]], [[dst]], g)
    elif function == "collective_permute_implicit_reduce":
        other = copied(x, in_sbuf)
        ncc.collective_permute_implicit_reduce([[src]], [[other]], [[dst]], g, op)
    if in_sbuf:
        nisa.dma_copy(dst=out, src=dst)
    return out


@nki.jit
def coalesced(x, y, groups):
    g = ncc.ReplicaGroup(groups)
    out_x, out_y = hbm(x.shape, x.dtype), hbm(y.shape, y.dtype)
    ncc.all_reduce([copied(x, False), copied(y, False)], [out_x, out_y], g, nl.maximum)
    return out_x, out_y


@nki.jit
def permute(x, pairs):
    out = copied(x, False)
    ncc.collective_permute([copied(x, False)], [out], pairs)
    return out


@nki.jit
def ranks(n, steps, groups):
    g = ncc.ReplicaGroup(groups)
    out = hbm((1, steps + 1), nl.int32)
    t = sbuf((1, steps + 1), nl.int32)
    nisa.register_store(t[0:1, 0:1], ncc.rank_id())
    for i in range(steps):
        nisa.register_store(t[0:1, i + 1:i + 2],
                            ncc.collective_permute_implicit_current_processing_rank_id(iteration_id=i, replica_group=g))
    nisa.dma_copy(dst=out, src=t)
    return out


@nki.jit
def ring(x, groups, n, channels):
    # An all-gather by hand: at each step the rank that arrived says where the rows go.
    g = ncc.ReplicaGroup(groups)
    rows, columns = x.shape
    half = rows // channels
    out = hbm((n * channels, half * columns), x.dtype)
    here, there = copied(x, False), hbm(x.shape, x.dtype)
    for step in range(n):
        for c in range(channels):
            rank = ncc.collective_permute_implicit_current_processing_rank_id(iteration_id=step, channel_id=c, replica_group=g)
            t = sbuf((1, half * columns), x.dtype)
            nisa.dma_copy(dst=t, src=here.reshape((channels, half * columns))[c:c + 1, :])
            width = half * columns
            nisa.dma_copy(dst=out.ap(pattern=[[width, 1], [1, width]], offset=c * width, scalar_offset=rank * channels,
                                     indirect_dim=0), src=t)
        if step < n - 1:
            srcs = [[here[c * half:(c + 1) * half, :]] for c in range(channels)]
            dsts = [[there[c * half:(c + 1) * half, :]] for c in range(channels)]
            ncc.collective_permute_implicit(srcs, dsts, g, channel_ids=list(range(channels)))
            here, there = there, here
    return out


@nki.jit
def only_even_ranks(x, n):
    # A branch on the rank, decided when the kernel runs.
    out = copied(x, False)
    t = sbuf(x.shape, x.dtype)
    r = ncc.rank_id()
    odd = r & 1
    if odd == 0:
        nisa.memset(dst=t, value=7.0)
        nisa.dma_copy(dst=out, src=t)
    return out


@nki.jit
def all_to_all_v(x, meta, groups, slots, known=False, rdispls=False, in_sbuf=False):
    g = ncc.ReplicaGroup(groups)
    out = hbm((1, slots), x.dtype)
    t = sbuf((1, slots), x.dtype)
    nisa.memset(dst=t, value=0)
    nisa.dma_copy(dst=out, src=t)
    if in_sbuf:
        m = sbuf((1, meta.shape[0], meta.shape[1]), meta.dtype)
        nisa.dma_copy(dst=m, src=meta.reshape((1, meta.shape[0], meta.shape[1])))
    else:
        m = copied(meta, False)
    ncc.all_to_all_v([copied(x, False)], [out], g, m, recv_counts_known=known, has_rdispls=rdispls)
    after = hbm(meta.shape, meta.dtype)
    if in_sbuf:
        nisa.dma_copy(dst=after.reshape((1, meta.shape[0], meta.shape[1])), src=m)
    else:
        nisa.dma_copy(dst=after, src=m)
    return out, after


@nki.jit
def all_gather_v(x, meta, groups, slots, known=False):
    g = ncc.ReplicaGroup(groups)
    me = nl.program_id(0)
    out = hbm((1, slots), x.dtype)
    t = sbuf((1, slots), x.dtype)
    m = hbm(meta.shape, meta.dtype)
    u = sbuf(meta.shape, meta.dtype)
    nisa.memset(dst=t, value=0)
    nisa.dma_copy(dst=out, src=t)
    nisa.dma_copy(dst=u, src=meta)
    nisa.dma_copy(dst=m, src=u)
    ncc.all_gather_v([x], [out], g, m, recv_counts_known=known)
    return out, m


@nki.jit
def on_both_cores(x, groups, n, separate=False):
    # Each core fills its half of a shared tensor; the collective is one of the whole rank.
    g = ncc.ReplicaGroup(groups)
    me = nl.program_id(0)
    src, dst = hbm(x.shape, x.dtype), hbm((n,) + tuple(x.shape), x.dtype)
    out = hbm((n,) + tuple(x.shape), x.dtype)
    t = sbuf(x.shape[1:], x.dtype)
    nisa.dma_copy(dst=t, src=x[me])
    nisa.dma_copy(dst=src[me], src=t)
    if separate:
        ncc.all_reduce([src[me]], [dst[0][me]], g, nl.add)
        nisa.dma_copy(dst=t, src=dst[0][me])
        nisa.dma_copy(dst=out[0][me], src=t)
        for i in range(1, n):
            nisa.dma_copy(dst=out[i][me], src=t)
    else:
        ncc.all_gather([src], [dst], g, 0)
        for i in range(n):
            nisa.dma_copy(dst=t, src=dst[i][1 - me])
            nisa.dma_copy(dst=out[i][me], src=t)
    return out


@nki.jit
def disagree(x, what):
    out, a = hbm(x.shape, x.dtype), copied(x, False)
    b = hbm(x.shape, x.dtype)
    wide = hbm((x.shape[0], 2 * x.shape[1]), x.dtype)
    g = ncc.ReplicaGroup([[0, 1]])
    r = ncc.rank_id()
    if r == 0:
        ncc.all_reduce([a], [out], g, nl.add)
        if what == "order":
            ncc.collective_permute_implicit([[a]], [[b]], g)
        if what == "missing":
            ncc.all_reduce([a], [b], g, nl.add)
    else:
        if what == "kind":
            ncc.collective_permute_implicit([[a]], [[out]], g)
        elif what == "op":
            ncc.all_reduce([a], [out], g, nl.maximum)
        elif what == "shape":
            ncc.all_reduce([a[0:1, :]], [out[0:1, :]], g, nl.add)
        elif what == "groups":
            ncc.all_reduce([a], [out], ncc.ReplicaGroup([[1, 0]]), nl.add)
        else:
            ncc.all_reduce([a], [out], g, nl.add)
        if what == "order":
            ncc.all_reduce([a], [b], g, nl.add)
    return out
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("collectives") / "k.py"
    path.write_text(KERNELS)
    return path


SHORT = {"bfloat16": "bf16", "float8_e5m2": "f8e5m2"}


def save(folder, name, arrays):
    """One file for each rank; the argument that names them all."""
    short = SHORT.get(arrays[0].dtype.name)
    for r, array in enumerate(arrays):
        np.save(folder / f"{name}.{r}.npy", array.astype(np.float32) if short else array)
    return f"{name}=@{folder}/{name}.{{rank}}.npy" + (f":{short}" if short else "")


def run(path, folder, kernel, n, arguments, *options):
    """The outputs of every rank."""
    done = run_klr("run", f"{path}:{kernel}", *arguments, "--ranks", n, "--out", folder / "out", "--raw", *options)
    assert done.returncode == 0, done.stderr
    results = []
    for r in range(n):
        outputs = json.loads((folder / "out" / f"rank{r}" / "outputs.json").read_text())["outputs"]
        results.append([])
        for output in outputs:
            array = np.load(folder / "out" / f"rank{r}" / output["file"])
            if output["dtype"] in ("bfloat16", "float8_e5m2"):
                array = array.view(getattr(ml_dtypes, output["dtype"]))
            results[-1].append(array)
    return results


def random_groups(rng, n):
    """All ranks in lists of one size, in any order."""
    size = int(rng.choice([d for d in range(1, n + 1) if n % d == 0]))
    order = [int(r) for r in rng.permutation(n)]
    return [order[i:i + size] for i in range(0, n, size)]


def random_array(rng, shape, dtype):
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 90, shape).astype(dtype)
    return (rng.standard_normal(shape) * 4).astype(np.float32).astype(dtype)


def fold(op, arrays):
    """Left to right: floats in float32, rounded once."""
    exact = arrays[0].dtype.kind in "iu"
    total = arrays[0].astype(np.int64 if exact else np.float32)
    for array in arrays[1:]:
        total = {"add": np.add, "maximum": np.maximum, "minimum": np.minimum}[op](total, array.astype(total.dtype))
    return total.astype(arrays[0].dtype)


def expected(function, group, me, xs, op, dim):
    mine = [xs[r] for r in group]
    place = group.index(me)
    if function == "all_reduce":
        return fold(op, mine)
    if function == "all_gather":
        return np.concatenate(mine, axis=dim)
    if function == "reduce_scatter":
        return np.split(fold(op, mine), len(group), axis=0)[place]
    if function == "all_to_all":
        return np.concatenate([np.split(x, len(group), axis=0)[place] for x in mine], axis=0)
    before = xs[group[place - 1]]
    return before if function == "collective_permute_implicit" else fold(op, [before, before])


FUNCTIONS = ["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "collective_permute_implicit",
             "collective_permute_implicit_reduce"]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("seed", range(5))
def test_functions_against_numpy(path, tmp_path, function, seed):
    rng = np.random.default_rng(1000 * FUNCTIONS.index(function) + seed)
    n = int(rng.choice([1, 2, 3, 4, 6, 8]))
    groups = random_groups(rng, n)
    size = len(groups[0])
    dtype = [np.float32, ml_dtypes.bfloat16, np.float16, np.int32, np.uint8][int(rng.integers(5))]
    in_sbuf = bool(rng.integers(2)) and function != "all_to_all"
    dim = int(rng.integers(2)) if function == "all_gather" and in_sbuf else 0
    op = ["add", "maximum", "minimum"][int(rng.integers(3))]
    rows = size * int(rng.integers(1, 4))
    shape = (rows, int(rng.integers(1, 20)))
    xs = [random_array(rng, shape, dtype) for _ in range(n)]
    wanted = [expected(function, next(g for g in groups if r in g), r, xs, op, dim) for r in range(n)]
    results = run(path, tmp_path, "one", n, [
        save(tmp_path, "x", xs), f"function='{function}'", f"groups={groups}", f"shape={wanted[0].shape}", f"op=nl.{op}",
        f"dim={dim}", f"in_sbuf={in_sbuf}"])
    for r in range(n):
        np.testing.assert_array_equal(results[r][0], wanted[r])


def test_lists_of_tensors(path, tmp_path):
    rng = np.random.default_rng(5)
    xs, ys = [random_array(rng, (4, 8), np.float32) for _ in range(3)], [random_array(rng, (2, 3), np.int32) for _ in range(3)]
    results = run(path, tmp_path, "coalesced", 3, [save(tmp_path, "x", xs), save(tmp_path, "y", ys), "groups=[[0,2],[1]]"])
    np.testing.assert_array_equal(results[2][0], np.maximum(xs[0], xs[2]))
    np.testing.assert_array_equal(results[0][1], np.maximum(ys[0], ys[2]))
    np.testing.assert_array_equal(results[1][1], ys[1])


@pytest.mark.parametrize("pairs", [[(0, 1), (1, 0)], [(0, 2), (2, 1)], [(1, 1)], [(0, 1), (1, 2), (2, 3), (3, 0)], []])
def test_permutations_along_pairs(path, tmp_path, pairs):
    rng = np.random.default_rng(6)
    xs = [random_array(rng, (4, 8), np.float32) for _ in range(4)]
    results = run(path, tmp_path, "permute", 4, [save(tmp_path, "x", xs), f"pairs={pairs}"])
    for r in range(4):
        source = [s for s, t in pairs if t == r]
        np.testing.assert_array_equal(results[r][0], xs[source[0] if source else r])


def test_ranks_in_registers(path, tmp_path):
    groups = [[3, 0, 4], [1, 5, 2]]
    results = run(path, tmp_path, "ranks", 6, ["n=6", "steps=5", f"groups={groups}"])
    for r in range(6):
        group = next(g for g in groups if r in g)
        at = group.index(r)
        np.testing.assert_array_equal(results[r][0][0], [r] + [group[(at - i) % 3] for i in range(5)])


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_ring_says_whose_data_arrived(path, tmp_path, n, channels):
    rng = np.random.default_rng(7)
    xs = [random_array(rng, (4, 8), np.float32) for _ in range(n)]
    results = run(path, tmp_path, "ring", n, [save(tmp_path, "x", xs), f"groups=[{list(range(n))}]", f"n={n}",
                                               f"channels={channels}"])
    for r in range(n):
        np.testing.assert_array_equal(results[r][0].reshape(n * 4, 8), np.concatenate(xs))


def test_a_branch_on_the_rank_is_taken_at_run_time(path, tmp_path):
    xs = [np.full((2, 4), r, np.float32) for r in range(5)]
    results = run(path, tmp_path, "only_even_ranks", 5, [save(tmp_path, "x", xs), "n=5"])
    for r in range(5):
        np.testing.assert_array_equal(results[r][0], np.full((2, 4), r if r % 2 else 7, np.float32))


def pieces(rng, n, elements, slot):
    """Counts and starts of what each rank sends to each, no more than a slot."""
    counts = rng.integers(0, slot + 1, (n, n)).astype(np.uint32)
    starts = np.array([[rng.integers(0, elements - c + 1) for c in row] for row in counts], np.uint32)
    return counts, starts


@pytest.mark.parametrize("known, rdispls, in_sbuf", [(False, False, False), (True, False, True), (False, True, False),
                                                     (False, False, True), (True, True, True)])
def test_pieces_of_different_lengths(path, tmp_path, known, rdispls, in_sbuf):
    n, slot, elements = 4, 5, 17
    first = 4 if rdispls else 0  # the ranks of the second group are looked at
    rng = np.random.default_rng(8)
    counts, starts = pieces(rng, n, elements, slot)
    xs = [random_array(rng, (1, elements), np.float32) for _ in range(n)]
    places = [rng.permutation(n) * slot for _ in range(n)]
    metas = [np.stack([counts[r], starts[r], np.full(n, 99)] + ([places[r]] if rdispls else [])).astype(np.uint32)
             for r in range(n)]
    times = 2 if rdispls else 1
    groups = [[0, 1, 2, 3], [4, 5, 6, 7]][:times]
    results = run(path, tmp_path, "all_to_all_v", n * times, [
        save(tmp_path, "x", xs * times), save(tmp_path, "meta", metas * times), f"groups={groups}", f"slots={n * slot}",
        f"known={known}", f"rdispls={rdispls}", f"in_sbuf={in_sbuf}"], "--target", "trn3" if rdispls else "trn2",
        *(["--lnc", "2"] if rdispls else []))[first:]
    for r in range(n):
        wanted = np.zeros(n * slot, np.float32)
        for s in range(n):
            at = places[r][s] if rdispls else s * slot
            wanted[at:at + counts[s][r]] = xs[s][0, starts[s][r]:starts[s][r] + counts[s][r]]
        np.testing.assert_array_equal(results[r][0][0], wanted)
        np.testing.assert_array_equal(results[r][1][2], np.full(n, 99) if known else counts[:, r])
        np.testing.assert_array_equal(results[r][1][:2], metas[r][:2])


def test_gathered_pieces_of_different_lengths(path, tmp_path):
    n, slot, elements = 4, 6, 20
    rng = np.random.default_rng(9)
    xs = [random_array(rng, (1, elements), ml_dtypes.bfloat16) for _ in range(n)]
    metas, counts, starts = [], [], []
    for r in range(n):
        counts.append(int(rng.integers(0, slot + 1)))
        starts.append(int(rng.integers(0, elements - counts[r] + 1)))
        meta = np.full((3, n), 12345, np.uint32)
        meta[0, 0], meta[1, 0] = counts[r], starts[r]
        metas.append(meta)
    results = run(path, tmp_path, "all_gather_v", n, [save(tmp_path, "x", xs), save(tmp_path, "meta", metas),
                                                       "groups=[[0,1,2,3]]", f"slots={n * slot}"], "--lnc", "2")
    for r in range(n):
        wanted = np.zeros(n * slot, ml_dtypes.bfloat16)
        for s in range(n):
            wanted[s * slot:s * slot + counts[s]] = xs[s][0, starts[s]:starts[s] + counts[s]]
        np.testing.assert_array_equal(results[r][0][0], wanted)
        np.testing.assert_array_equal(results[r][1][2], counts)


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_ranks_of_two_logical_cores(path, tmp_path, separate, threads):
    rng = np.random.default_rng(10)
    xs = [random_array(rng, (2, 8, 16), np.float32) for _ in range(3)]
    results = run(path, tmp_path, "on_both_cores", 3, [save(tmp_path, "x", xs), "groups=[[0,1,2]]", "n=3",
                                                        f"separate={separate}"], "--lnc", "2", "--threads", threads)
    for r in range(3):
        wanted = np.stack([fold("add", xs)] * 3) if separate else np.stack([x[::-1] for x in xs])
        np.testing.assert_array_equal(results[r][0], wanted)


def first_error(path, kernel, *arguments):
    done = run_klr("run", f"{path}:{kernel}", "--json", *arguments)
    assert done.returncode == 1, done.stdout
    return [d for d in json.loads(done.stdout)["diagnostics"] if d["code"].startswith("E")][0]


@pytest.mark.parametrize("what, words", [
    ("kind", ["collective_permute_implicit", "all_reduce"]),
    ("op", ["operators"]),
    ("shape", ["elements"]),
    ("groups", ["groups"]),
    ("order", ["collective_permute_implicit", "all_reduce"]),
])
def test_ranks_that_disagree(path, what, words):
    found = first_error(path, "disagree", "x=randn:f32[4,8]", f"what='{what}'", "--ranks", "2")
    assert found["code"] == "E0621"
    assert all(word in found["message"] for word in words), found["message"]
    notes = " ".join(found["notes"])
    assert "rank 0 is at" in notes and "rank 1 is at" in notes and "k.py:" in notes


def test_a_collective_that_never_completes(path):
    found = first_error(path, "disagree", "x=randn:f32[4,8]", "what='missing'", "--ranks", "2")
    assert found["code"] == "E0620"
    notes = " ".join(found["notes"])
    assert "rank 0 waits at `nccl.all_reduce`" in notes and "rank 1 has ended" in notes


@pytest.mark.parametrize("groups, ranks, words", [
    ("[[0,1]]", 1, "names rank 1, but the run has 1 rank"),
    ("[[0]]", 2, "none of its groups holds it"),
])
def test_groups_that_are_wrong(path, groups, ranks, words):
    found = first_error(path, "one", "x=randn:f32[4,8]", "function='all_reduce'", f"groups={groups}", "shape=(4,8)",
                        "--ranks", str(ranks))
    assert found["code"] == "E0623" and words in found["message"], found["message"]


STATIC = """
import nki
import nki.collectives as ncc
import nki.isa as nisa
import nki.language as nl


@nki.jit
def k(x):
    g = ncc.ReplicaGroup([[0, 1]])
    h = nl.ndarray((4, 8), dtype=nl.float32, buffer=nl.shared_hbm)
    h2 = nl.ndarray((8, 8), dtype=nl.float32, buffer=nl.shared_hbm)
    hb = nl.ndarray((4, 8), dtype=nl.bfloat16, buffer=nl.shared_hbm)
    s = nl.ndarray((4, 8), dtype=nl.float32, buffer=nl.sbuf)
    s2 = nl.ndarray((4, 8), dtype=nl.float32, buffer=nl.sbuf)
    p = nl.ndarray((4, 8), dtype=nl.float32, buffer=nl.psum)
    m = nl.ndarray((3, 2), dtype=nl.uint32, buffer=nl.shared_hbm)
    m4 = nl.ndarray((3, 4), dtype=nl.uint32, buffer=nl.shared_hbm)
    mi = nl.ndarray((3, 2), dtype=nl.int32, buffer=nl.shared_hbm)
    four = ncc.ReplicaGroup([[0, 1, 2, 3]])
    h0 = nl.ndarray((4, 8), dtype=nl.float32, buffer=nl.shared_hbm)
    h8 = nl.ndarray((8, 8), dtype=nl.float32, buffer=nl.shared_hbm)
    hb2 = nl.ndarray((8, 8), dtype=nl.bfloat16, buffer=nl.shared_hbm)
    s8 = nl.ndarray((8, 8), dtype=nl.float32, buffer=nl.sbuf)
    mi4 = nl.ndarray((3, 4), dtype=nl.int32, buffer=nl.shared_hbm)
    CALL
    return x
"""


CALL_LINE = STATIC[:STATIC.index("CALL")].count("\n") + 1


RULE_CASES = [
    ("ncc.all_reduce([x, x], [h], g, nl.add)", "E0518", "all_reduce.srcs.count", ()),
    ("ncc.all_reduce([], [], g, nl.add)", "E0518", "all_reduce.srcs.count", ()),
    ("ncc.all_reduce([x], [hb], g, nl.add)", "E0516", "all_reduce.dsts.same-dtype", ()),
    ("ncc.all_reduce([x], [h2], g, nl.add)", "E0515", "all_reduce.dsts.size", ()),
    ("ncc.all_reduce([x], [s], g, nl.add)", "E0517", "all_reduce.srcs.memory", ()),
    ("ncc.all_reduce([s], [p], g, nl.add)", "E0517", "all_reduce.srcs.memory", ()),
    ("ncc.all_reduce([s, s], [s2, s2], g, nl.add)", "E0517", "all_reduce.dsts.lists", ()),
    ("ncc.all_reduce([x], [h], g, nl.multiply)", "E0518", "all_reduce.op.operator", ()),
    ("ncc.all_reduce([x], [h], ncc.ReplicaGroup([[0, 1], [1]]), nl.add)", "E0518", "all_reduce.replica_group.ranks", ()),
    ("ncc.all_reduce([x], [h], ncc.ReplicaGroup([[0, -1]]), nl.add)", "E0518", "all_reduce.replica_group.ranks", ()),
    ("ncc.all_reduce([x], [h], ncc.ReplicaGroup([]), nl.add)", "E0518", "all_reduce.replica_group.ranks", ()),
    ("ncc.all_reduce([x], [h], g, nl.add, priority=1)", "E0534", "all_reduce.priority.generation", ()),
    ("ncc.all_reduce([x], [h], g, nl.add, priority=4)", "E0518", "all_reduce.priority.range", ("--target", "trn3")),
    ("ncc.all_gather([x], [h2], g, 1)", "E0518", "all_gather.collective_dim.dim", ()),
    ("ncc.all_gather([s], [s2], g, 2)", "E0518", "all_gather.collective_dim.dim", ()),
    ("ncc.all_gather([x], [h], g, 0)", "E0515", "all_gather.dsts.size", ()),
    ("ncc.reduce_scatter([h2], [h], g, 1, nl.add)", "E0518", "reduce_scatter.collective_dim.dim", ()),
    ("ncc.reduce_scatter([x], [h], g, 0, nl.add)", "E0515", "reduce_scatter.dsts.size", ()),
    ("ncc.all_to_all([s], [s2], g, 0)", "E0517", "all_to_all.srcs.hbm", ()),
    ("ncc.all_to_all([x], [h], g, 1)", "E0518", "all_to_all.collective_dim.dim", ()),
    ("ncc.all_to_all([x], [h], ncc.ReplicaGroup([[0, 1, 2]]), 0)", "E0515", "all_to_all.dsts.size", ()),
    ("ncc.collective_permute([s], [s2], [(0, 1)])", "E0517", "collective_permute.srcs.hbm", ()),
    ("ncc.collective_permute([x, x], [h, h2], [(0, 1)])", "E0518", "collective_permute.dsts.single", ()),
    ("ncc.collective_permute([x], [h], [(0, 1), (0, 2)])", "E0518", "collective_permute.source_target_pairs.pairs", ()),
    ("ncc.collective_permute([x], [h], [(0, 1, 2)])", "E0518", "collective_permute.source_target_pairs.pairs", ()),
    ("ncc.collective_permute_implicit([[x, x]], [[h, h2]], g)", "E0518", "collective_permute_implicit.dsts.single", ()),
    ("ncc.collective_permute_implicit_reduce([[x]], [[x]], [[h]], g, nl.divide)", "E0518",
     "collective_permute_implicit_reduce.op.operator", ()),
    ("ncc.all_to_all_v([x], [h], g, mi)", "E0536", "all_to_all.metadata_tensor.dtype", ()),
    ("ncc.all_to_all_v([x], [h], g, m4)", "E0515", "all_to_all.metadata_tensor.shape", ()),
    ("ncc.all_to_all_v([x, x], [h, h2], g, m)", "E0518", "all_to_all.metadata_tensor.tensors", ()),
    ("ncc.all_to_all_v([x], [h], g, m, has_rdispls=True)", "E0518", "all_to_all.has_rdispls.range", ()),
    ("ncc.all_to_all_v([x], [h], g, m)", "E0518", "all_to_all.metadata_tensor.group", ("--target", "trn3", "--lnc", "2")),
    ("ncc.all_to_all_v([x], [h], four, m4)", "E0518", "all_to_all.metadata_tensor.group", ("--target", "trn3", "--lnc", "2")),
    ("ncc.all_to_all_v([x], [h], four, m4)", "E0539", "all_to_all.metadata_tensor.cores", ("--target", "trn3")),
    ("ncc.all_gather_v([x], [h2], g, m)", "E0518", "all_gather.metadata_tensor.group", ("--lnc", "2")),
    ("ncc.all_gather_v([x], [h2], four, m4)", "E0539", "all_gather.metadata_tensor.cores", ()),
    ("ncc.all_gather_v([x], [h2], four, m4, has_rdispls=True)", "E0518", "all_gather.has_rdispls.range", ("--lnc", "2")),
    ("ncc.all_gather_v([x], [h2], four, mi4)", "E0536", "all_gather.metadata_tensor.dtype", ("--lnc", "2")),
    ("ncc.all_gather_v([x], [h2], four, m)", "E0515", "all_gather.metadata_tensor.shape", ("--lnc", "2")),
    ("ncc.all_gather_v([x, x], [h2, h8], four, m4)", "E0518", "all_gather.metadata_tensor.tensors", ("--lnc", "2")),
]

# A call of each function that breaks no rule: a source, a destination, the rest. Rules that several functions have are
# broken by one recipe for all of them.
BASE_CALLS = {
    "all_reduce": ("x", "h", "g, nl.add"), "all_gather": ("x", "h2", "g, 0"), "reduce_scatter": ("h2", "h", "g, 0, nl.add"),
    "all_to_all": ("x", "h", "g, 0"), "collective_permute": ("x", "h", "[(0, 1), (1, 0)]"),
    "collective_permute_implicit": ("x", "h", "g"), "collective_permute_implicit_reduce": ("x", "h", "g, nl.add"),
}
IN_BFLOAT16, IN_SBUF = {"h": "hb", "h2": "hb2"}, {"x": "s", "h": "s2", "h2": "s8"}


def call_of(function, source, destination, rest):
    lists = {"collective_permute_implicit": f"[[{source}]], [[{destination}]]",
             "collective_permute_implicit_reduce": f"[[{source}]], [[{source}]], [[{destination}]]"}
    return f"ncc.{function}({lists.get(function, f'[{source}], [{destination}]')}, {rest})"


def recipes():
    for function, (source, destination, rest) in BASE_CALLS.items():
        def case(code, rule, source=source, destination=destination, rest=rest, options=(), function=function):
            return call_of(function, source, destination, rest), code, f"{function}.{rule}", options
        yield case("E0518", "srcs.count", source=f"{source}, {source}")
        yield case("E0516", "dsts.same-dtype", destination=IN_BFLOAT16[destination])
        yield case("E0515", "dsts.size", destination="h2" if destination == "h" else "h")
        yield case("E0517", "srcs.memory", destination=IN_SBUF[destination])
        yield case("E0518", "priority.range", rest=f"{rest}, priority=4", options=("--target", "trn3"))
        yield case("E0534", "priority.generation", rest=f"{rest}, priority=1")
        if rest.startswith("g"):
            yield case("E0518", "replica_group.ranks", rest=rest.replace("g", "ncc.ReplicaGroup([[0, 1], [1, 2]])", 1))
        if "nl.add" in rest:
            yield case("E0518", "op.operator", rest=rest.replace("nl.add", "nl.multiply"))
        if function in ("all_reduce", "all_gather", "reduce_scatter"):
            near, far = IN_SBUF[source], IN_SBUF[destination]
            yield case("E0517", "dsts.lists", source=f"{near}, {near}", destination=f"{far}, {far}")
        if "permute" in function:
            yield case("E0518", "dsts.single", source="x, x", destination="h, h0")
        if "implicit" in function:
            yield case("E0410", "channel_ids.channels", rest=f"{rest}, channel_ids=[1]")


RULE_CASES += recipes()


# What a message says beside the function: found, in the words of each kind of rule.
SAYS = {"srcs.count": "source", "dsts.same-dtype": "is bfloat16, its source float32", "dsts.size": "x8 into ", "srcs.memory": "`srcs[0]` in ",
        "priority.range": "`priority` of", "priority.generation": "asks for a priority", "replica_group.ranks": "group", "dsts.lists": "`srcs[0]` of",
        "op.operator": "`op` of", "collective_dim.dim": "`collective_dim` of", "srcs.hbm": "is in sbuf", "dsts.single": "2 destinations in one list",
        "source_target_pairs.pairs": "pair", "metadata_tensor.dtype": "is int32", "metadata_tensor.shape": "ranks is 3x", "metadata_tensor.tensors": "has 2 sources",
        "metadata_tensor.group": "group", "metadata_tensor.cores": "on 1 logical core", "has_rdispls.range": "`has_rdispls` of", "channel_ids.channels": "is [1]; expected"}


@pytest.mark.parametrize("function", sorted(BASE_CALLS))
def test_the_base_calls_break_no_rule(tmp_path, function):
    file = tmp_path / "k.py"
    file.write_text(STATIC.replace("CALL", call_of(function, *BASE_CALLS[function])))
    done = run_klr("trace", file, "x=f32[4,8]", "--json")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("call, code, rule, options", RULE_CASES)
def test_every_rule_of_the_page(tmp_path, call, code, rule, options):
    file = tmp_path / "k.py"
    file.write_text(STATIC.replace("CALL", call))
    done = run_klr("trace", file, "x=f32[4,8]", "--json", *options)
    assert done.returncode == 1, done.stdout
    found = [d for d in json.loads(done.stdout)["diagnostics"] if d["code"] == code]
    assert all(d["file"].endswith("k.py") and (d["line"], d["column"]) == (CALL_LINE, 5) for d in found)
    first = next(d for d in found if f"rule: nccl.{rule}" in d["notes"])
    assert SAYS[rule.partition(".")[2]] in first["message"] and function_of(call) in first["message"], first
    target = options[options.index("--target") + 1] if "--target" in options else "trn2"
    assert any(note.startswith(f"expected on {target} ") and f"[nki.collectives {function_of(call)}]" in note for note in first["notes"]), first


def function_of(call):
    return re.match(r"ncc\.(\w+)", call)[1]


@pytest.mark.parametrize("call", [
    "ncc.collective_permute_implicit([[x]], [[h]], g, channel_ids=[1])",
    "ncc.collective_permute_implicit([[x]], [[h]], g, channel_ids=[0, 1])",
    "ncc.collective_permute_implicit([[x]] * 5, [[h]] * 5, g, channel_ids=[0, 1, 2, 3, 4])",
])
def test_channels_are_counted_from_zero(tmp_path, call):
    file = tmp_path / "k.py"
    file.write_text(STATIC.replace("CALL", call))
    done = run_klr("trace", file, "x=f32[4,8]")
    assert done.returncode == 1 and "channel" in done.stderr and f"k.py:{CALL_LINE}" in done.stderr, done.stderr


def test_random_arguments_differ_by_rank_and_files_are_named_by_it(path, tmp_path):
    arguments = ["x=randn:f32[4,8]", "function='all_reduce'", "groups=[[0],[1],[2]]", "shape=(4,8)"]
    results = run(path, tmp_path, "one", 3, arguments, "--seed", "5")
    for r in range(3):
        alone = run_klr("run", f"{path}:one", arguments[0], arguments[1], "groups=[[0]]", arguments[3], "--seed", 5 + r,
                        "--out", tmp_path / f"alone{r}")
        assert alone.returncode == 0, alone.stderr
        file = [f for f in os.listdir(tmp_path / f"alone{r}") if f.endswith(".npy")][0]
        np.testing.assert_array_equal(results[r][0], np.load(tmp_path / f"alone{r}" / file))
    assert not np.array_equal(results[0][0], results[1][0])


def test_json_has_the_results_of_all_ranks(path):
    done = run_klr("run", f"{path}:one", "x=ones:f32[4,8]", "function='all_reduce'", "groups=[[0,1,2]]", "shape=(4,8)",
                   "--ranks", "3", "--json")
    document = json.loads(done.stdout)
    assert document["ranks"] == 3 and [output["rank"] for output in document["outputs"]] == [0, 1, 2]
    assert all(output["min"] == output["max"] == 3 for output in document["outputs"])


@pytest.mark.parametrize("ranks", ["-1", "100000"])
def test_the_number_of_ranks_is_checked(path, ranks):
    done = run_klr("run", f"{path}:permute", "x=randn:f32[4,8]", "pairs=[]", "--ranks", ranks)
    assert done.returncode == 2 and "--ranks" in done.stderr


def test_a_klr_file_runs_on_ranks_as_the_source_does(path, tmp_path):
    arguments = ["x=randn:f32[1,17]", "groups=[[0,1]]", "slots=10"]
    meta = np.array([[2, 3], [1, 4], [0, 0]], np.uint32)
    np.save(tmp_path / "meta.npy", meta)
    arguments.append(f"meta=@{tmp_path}/meta.npy")
    traced = run_klr("trace", f"{path}:all_to_all_v", *arguments, "-o", tmp_path / "k.klr")
    assert traced.returncode == 0, traced.stderr
    direct = run_klr("run", f"{path}:all_to_all_v", *arguments, "--ranks", "2", "--json")
    read = run_klr("run", tmp_path / "k.klr", arguments[0], arguments[3], "--ranks", "2", "--json")
    assert direct.returncode == 0 and read.returncode == 0, direct.stderr + read.stderr
    assert json.loads(direct.stdout)["outputs"] == json.loads(read.stdout)["outputs"]
    assert "metadata" in run_klr("dump", tmp_path / "k.klr").stdout


@pytest.mark.parametrize("options, words", [
    (["pairs=[[0,1]]", "--ranks", "2"], ["E0611", "on rank 0"]),
    (["pairs=[[1,0],[0,2]]", "--ranks", "3"], ["E0611", "on rank 1"]),
])
def test_what_a_rank_does_not_receive_is_told_with_its_number(tmp_path, options, words):
    path = tmp_path / "k.py"
    path.write_text("""import nki
import nki.collectives as ncc
import nki.isa as nisa
import nki.language as nl


@nki.jit
def permute(x, pairs):
    src = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=src, src=x)
    ncc.collective_permute([src], [out], pairs)
    return out
""")
    done = run_klr("run", path, "x=randn:f32[4,8]", *options)
    assert done.returncode == 1 and all(word in done.stderr for word in words), done.stderr


def test_an_index_outside_is_told_with_the_rank_and_core(tmp_path):
    path = tmp_path / "k.py"
    path.write_text("""import nki
import nki.collectives as ncc
import nki.isa as nisa
import nki.language as nl


@nki.jit
def place(x):
    out = nl.ndarray((4, 4, 8), dtype=x.dtype, buffer=nl.private_hbm)
    nisa.dma_copy(dst=out[ncc.rank_id()], src=x)
    return x
""")
    done = run_klr("run", path, "x=randn:f32[4,8]", "--ranks", "5", "--lnc", "2")
    assert done.returncode == 1 and "E0605" in done.stderr and "on core 0 of rank 4" in done.stderr, done.stderr
