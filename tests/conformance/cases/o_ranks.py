"""nki.collectives: what each rank holds afterwards, and what the reference forbids."""

import numpy as np
from builder import ALL, SINCE_TRN2, TRN3, A, Instruction
from oracles import ranks
from oracles.formats import Data

BEFORE_TRN3 = ["trn1", "trn2"]


def collective(name, targets=ALL):
    return Instruction(name, f"nki.collectives.{name}", targets=targets)


def sbuf(name, shape, dtype):
    return f"{name} = nl.ndarray({tuple(shape)}, dtype=nl.{dtype}, buffer=nl.sbuf)"


def hbm(name, shape, dtype):
    return f"{name} = nl.ndarray({tuple(shape)}, dtype=nl.{dtype}, buffer=nl.shared_hbm)"


PAIRS, ODD = [[0, 1], [2, 3]], [[2, 0], [1, 3]]

# ---- all_reduce

ar = collective("all_reduce")
for op in ("add", "maximum", "minimum"):
    v = ar.vector(f"{op}_integers", f"every rank gets the {op} of all; sums that are exact in any order", ranks=4)
    xs = v.random_ranks("x", "float32", (4, 6), integers=(-99, 99))
    v.step("group = ncc.ReplicaGroup([[0, 1, 2, 3]])", f"ncc.all_reduce([x], [out], group, nl.{op})")
    v.expect("out", ranks.all_reduce([[0, 1, 2, 3]], xs, op), space="hbm")
for op in ("add", "maximum", "minimum"):
    v = ar.vector(f"{op}_sbuf", f"the {op} of tiles in SBUF", ranks=2)
    xs = v.random_ranks("x", "float32", (8, 5), space="sbuf", integers=(-99, 99))
    v.step("group = ncc.ReplicaGroup([[0, 1]])", f"ncc.all_reduce([x], [out], group, nl.{op})")
    v.expect("out", ranks.all_reduce([[0, 1]], xs, op))
for dtype in ("bfloat16", "float16", "int32", "uint8", "int8", "int16"):
    v = ar.vector(f"add_{dtype}", f"a sum of {dtype} that every order gives alike", ranks=3)
    xs = v.random_ranks("x", dtype, (3, 7), integers=(0, 20))
    v.step("group = ncc.ReplicaGroup([[0, 1, 2]])", "ncc.all_reduce([x], [out], group, nl.add)")
    v.expect("out", ranks.all_reduce([[0, 1, 2]], xs, "add"), space="hbm")
v = ar.vector("add_order", "floats are added in the order of the group, from its first rank on", A, source="docs/numerics.md 5", ranks=4)
xs = v.random_ranks("x", "float32", (4, 16), floats=(-6, 6))
v.step("group = ncc.ReplicaGroup([[2, 0, 3, 1]])", "ncc.all_reduce([x], [out], group, nl.add)")
v.expect("out", ranks.all_reduce([[2, 0, 3, 1]], xs, "add"), space="hbm")
v = ar.vector("add_rounded_once", "bfloat16 is added in float32 and rounded at the end", A, source="docs/numerics.md 5", ranks=4)
xs = v.random_ranks("x", "bfloat16", (4, 16), floats=(-3, 3))
v.step("group = ncc.ReplicaGroup([[0, 1, 2, 3]])", "ncc.all_reduce([x], [out], group, nl.add)")
v.expect("out", ranks.all_reduce([[0, 1, 2, 3]], xs, "add"), space="hbm")
v = ar.vector("groups", "groups reduce apart from each other", ranks=4)
xs = v.random_ranks("x", "float32", (2, 9), integers=(-99, 99))
v.step(f"group = ncc.ReplicaGroup({ODD})", "ncc.all_reduce([x], [out], group, nl.add)")
v.expect("out", ranks.all_reduce(ODD, xs, "add"), space="hbm")
v = ar.vector("coalesced", "several tensors in one call, in HBM", ranks=2)
xs, ys = v.random_ranks("x", "float32", (2, 9), integers=(-99, 99)), v.random_ranks("y", "int32", (3, 2), integers=(-99, 99))
v.step("group = ncc.ReplicaGroup([[0, 1]])", "ncc.all_reduce([x, y], [out, other], group, nl.maximum)")
v.expect("out", ranks.all_reduce([[0, 1]], xs, "maximum"), space="hbm")
v.expect("other", ranks.all_reduce([[0, 1]], ys, "maximum"), space="hbm")
v = ar.vector("priority", "a priority and a name change no value", targets=TRN3, ranks=2)
xs = v.random_ranks("x", "float32", (2, 9), integers=(-99, 99))
v.step("group = ncc.ReplicaGroup([[0, 1]])", 'ncc.all_reduce([x], [out], group, nl.add, priority=2, name="sum")')
v.expect("out", ranks.all_reduce([[0, 1]], xs, "add"), space="hbm")
v = ar.vector("two_cores", "two logical cores of each rank fill a shared tensor, which is reduced once", A, source="docs/numerics.md gap collective-cores",
              targets=SINCE_TRN2, ranks=2, cores=2)
xs = v.random_ranks("x", "float32", (2, 4, 6), integers=(-99, 99))
v.step("core = nl.program_id(0)", "group = ncc.ReplicaGroup([[0, 1]])", hbm("both", (2, 4, 6), "float32"), hbm("total", (2, 4, 6), "float32"),
       sbuf("t", (4, 6), "float32"), "nisa.dma_copy(dst=t, src=x[core, :, :])", "nisa.dma_copy(dst=both[core, :, :], src=t)",
       "ncc.all_reduce([both], [total], group, nl.add)", "nisa.dma_copy(dst=t, src=total[1 - core, :, :])", "nisa.dma_copy(dst=out[1 - core, :, :], src=t)")
v.expect("out", ranks.all_reduce([[0, 1]], xs, "add"), space="hbm")
v = ar.vector("one_rank", "a group of one rank: a copy", ranks=2)
xs = v.random_ranks("x", "float32", (2, 9), integers=(-99, 99))
v.step("group = ncc.ReplicaGroup([[0], [1]])", "ncc.all_reduce([x], [out], group, nl.add)")
v.expect("out", xs, space="hbm")

# ---- all_gather

ag = collective("all_gather")
for dtype in ("float32", "bfloat16", "uint8", "int32"):
    v = ag.vector(f"hbm_{dtype}", f"tensors of {dtype} one after the other, in the order of the group", ranks=3)
    xs = v.random_ranks("x", dtype, (2, 5), bits=True)
    v.step("group = ncc.ReplicaGroup([[0, 1, 2]])", "ncc.all_gather([x], [out], group, 0)")
    v.expect("out", ranks.all_gather([[0, 1, 2]], xs), space="hbm")
for dim in (0, 1):
    v = ag.vector(f"sbuf_dim_{dim}", f"tiles in SBUF along dimension {dim}", ranks=4)
    xs = v.random_ranks("x", "float32", (8, 6), space="sbuf", bits=True)
    v.step(f"group = ncc.ReplicaGroup({PAIRS})", f"ncc.all_gather([x], [out], group, {dim})")
    v.expect("out", ranks.all_gather(PAIRS, xs, dim))
v = ag.vector("groups", "the order is that of the group, not of the ranks' numbers", ranks=4)
xs = v.random_ranks("x", "float32", (2, 3), bits=True)
v.step(f"group = ncc.ReplicaGroup({ODD})", "ncc.all_gather(srcs=[x], dsts=[out], replica_group=group, collective_dim=0)")
v.expect("out", ranks.all_gather(ODD, xs), space="hbm")
v = ag.vector("three_dimensions", "the first dimension grows, the others stay", ranks=2)
xs = v.random_ranks("x", "int16", (2, 3, 4), bits=True)
v.step("group = ncc.ReplicaGroup([[0, 1]])", "ncc.all_gather([x], [out], group, 0)")
v.expect("out", ranks.all_gather([[0, 1]], xs), space="hbm")
v = ag.vector("coalesced", "several tensors in one call, in HBM", ranks=2)
xs, ys = v.random_ranks("x", "float32", (2, 9), bits=True), v.random_ranks("y", "int8", (3, 2), bits=True)
v.step("group = ncc.ReplicaGroup([[0, 1]])", "ncc.all_gather([x, y], [out, other], group, 0)")
v.expect("out", ranks.all_gather([[0, 1]], xs), space="hbm")
v.expect("other", ranks.all_gather([[0, 1]], ys), space="hbm")

# ---- reduce_scatter

rs = collective("reduce_scatter")
for op in ("add", "maximum", "minimum"):
    v = rs.vector(f"{op}_integers", f"each rank gets its piece of the {op} of all", ranks=3)
    xs = v.random_ranks("x", "float32", (6, 4), integers=(-99, 99))
    v.step("group = ncc.ReplicaGroup([[0, 1, 2]])", f"ncc.reduce_scatter([x], [out], group, 0, nl.{op})")
    v.expect("out", ranks.reduce_scatter([[0, 1, 2]], xs, op), space="hbm")
v = rs.vector("sbuf", "tiles in SBUF, by partitions", ranks=2)
xs = v.random_ranks("x", "bfloat16", (8, 4), space="sbuf", integers=(-9, 9))
v.step("group = ncc.ReplicaGroup([[0, 1]])", "ncc.reduce_scatter([x], [out], group, 0, nl.add)")
v.expect("out", ranks.reduce_scatter([[0, 1]], xs, "add"))
v = rs.vector("groups", "pieces in the order of the group", ranks=4)
xs = v.random_ranks("x", "int32", (4, 4), integers=(-99, 99))
v.step(f"group = ncc.ReplicaGroup({ODD})", "ncc.reduce_scatter(srcs=[x], dsts=[out], replica_group=group, collective_dim=0, op=nl.add)")
v.expect("out", ranks.reduce_scatter(ODD, xs, "add"), space="hbm")
v = rs.vector("coalesced", "several tensors in one call, in HBM", ranks=2)
xs, ys = v.random_ranks("x", "float32", (2, 9), integers=(-99, 99)), v.random_ranks("y", "int8", (4, 2), integers=(-30, 30))
v.step("group = ncc.ReplicaGroup([[0, 1]])", "ncc.reduce_scatter([x, y], [out, other], group, 0, nl.add)")
v.expect("out", ranks.reduce_scatter([[0, 1]], xs, "add"), space="hbm")
v.expect("other", ranks.reduce_scatter([[0, 1]], ys, "add"), space="hbm")
v = rs.vector("order", "floats are added in the order of the group and rounded once", A, source="docs/numerics.md 5", ranks=3)
xs = v.random_ranks("x", "float16", (3, 16), floats=(-3, 3))
v.step("group = ncc.ReplicaGroup([[1, 2, 0]])", "ncc.reduce_scatter([x], [out], group, 0, nl.add)")
v.expect("out", ranks.reduce_scatter([[1, 2, 0]], xs, "add"), space="hbm")

# ---- all_to_all

aa = collective("all_to_all")
for dtype in ("float32", "bfloat16", "uint8"):
    v = aa.vector(f"hbm_{dtype}", f"piece i of rank j becomes piece j of rank i; {dtype}", ranks=3)
    xs = v.random_ranks("x", dtype, (6, 4), bits=True)
    v.step("group = ncc.ReplicaGroup([[0, 1, 2]])", "ncc.all_to_all([x], [out], group, 0)")
    v.expect("out", ranks.all_to_all([[0, 1, 2]], xs), space="hbm")
v = aa.vector("groups", "pieces are counted by the order of the group", ranks=4)
xs = v.random_ranks("x", "float32", (2, 5), bits=True)
v.step(f"group = ncc.ReplicaGroup({ODD})", "ncc.all_to_all(srcs=[x], dsts=[out], replica_group=group, collective_dim=0)")
v.expect("out", ranks.all_to_all(ODD, xs), space="hbm")
v = aa.vector("coalesced", "several tensors in one call", ranks=2)
xs, ys = v.random_ranks("x", "float32", (2, 9), bits=True), v.random_ranks("y", "int8", (4, 2), bits=True)
v.step("group = ncc.ReplicaGroup([[0, 1]])", "ncc.all_to_all([x, y], [out, other], group, 0)")
v.expect("out", ranks.all_to_all([[0, 1]], xs), space="hbm")
v.expect("other", ranks.all_to_all([[0, 1]], ys), space="hbm")

# ---- pieces of different lengths

GAV, AAV = collective("all_gather_v", SINCE_TRN2), collective("all_to_all_v")
FOUR = [[0, 1, 2, 3]]


def with_metadata(v, dtype, metas, dst_elements, in_sbuf=False):
    """Steps that fill `out` with zeros and make `meta` of the argument; the metadata afterwards goes to `after`."""
    rows, columns = metas[0].shape
    v.put_ranks("m", metas)
    v.step("zeros = nl.ndarray((1, %d), dtype=nl.%s, buffer=nl.sbuf)" % (dst_elements, dtype), "nisa.memset(dst=zeros, value=0)",
           hbm("out", (1, dst_elements), dtype), "nisa.dma_copy(dst=out, src=zeros)")
    if in_sbuf:
        v.step(sbuf("meta", (1, rows, columns), "uint32"), f"nisa.dma_copy(dst=meta, src=m.reshape((1, {rows}, {columns})))")
    else:
        v.step(hbm("meta", (rows, columns), "uint32"), sbuf("words", (rows, columns), "uint32"), "nisa.dma_copy(dst=words, src=m)",
               "nisa.dma_copy(dst=meta, src=words)")


def metadata_after(v, metas, in_sbuf=False):
    rows, columns = metas[0].shape
    v.step(f"nisa.dma_copy(dst=after{f'.reshape((1, {rows}, {columns}))' if in_sbuf else ''}, src=meta)")
    v.expect("after", metas, space="hbm")


def received(metas, counts):
    return [Data("uint32", np.concatenate([meta.words[:2], [[counts[s][r] for s in range(len(metas))]], meta.words[3:]])) for r, meta in enumerate(metas)]


for known in (False, True):
    v = GAV.vector("known" if known else "counted", "the same chunk of each rank goes to every rank, each into a slot of its own; row 2 " +
                   ("stays as it was" if known else "says how many elements came"), ranks=4, cores=2)
    chunk, start = [3, 0, 5, 2], [1, 4, 0, 7]
    counts, starts = [[c] * 4 for c in chunk], [[s] * 4 for s in start]
    xs = v.random_ranks("x", "float32", (1, 9), bits=True)
    metas = [Data("uint32", [[chunk[r], 77, 77, 77], [start[r], 77, 77, 77], [99] * 4]) for r in range(4)]
    with_metadata(v, "float32", metas, 20)
    v.step(f"ncc.all_gather_v([x], [out], ncc.ReplicaGroup({FOUR}), meta{', recv_counts_known=True' if known else ''})")
    v.expect("out", ranks.pieces(counts, starts, xs, 20), space="hbm")
    metadata_after(v, metas if known else received(metas, counts))
v = GAV.vector("metadata_in_sbuf", "metadata in SBUF, on one partition", ranks=4, cores=2)
counts, starts = [[2] * 4, [1] * 4, [4] * 4, [0] * 4], [[0] * 4, [3] * 4, [2] * 4, [0] * 4]
xs = v.random_ranks("x", "bfloat16", (2, 3), bits=True)
metas = [Data("uint32", [counts[r], starts[r], [99] * 4]) for r in range(4)]
with_metadata(v, "bfloat16", metas, 16, in_sbuf=True)
v.step(f"ncc.all_gather_v(srcs=[x], dsts=[out], replica_group=ncc.ReplicaGroup({FOUR}), metadata_tensor=meta, recv_counts_known=True, has_rdispls=False)")
v.expect("out", ranks.pieces(counts, starts, xs, 16), space="hbm")

COUNTS, STARTS = [[1, 2, 0], [3, 0, 4], [2, 2, 1]], [[5, 0, 0], [2, 0, 1], [0, 3, 6]]
for name, known, in_sbuf in (("counted", False, False), ("known", True, False), ("metadata_in_sbuf", False, True)):
    v = AAV.vector(name, "each rank sends a piece of its own length to each rank, into the sender's slot; row 2 " +
                   ("stays as it was" if known else "says how many elements came"), targets=BEFORE_TRN3, ranks=3)
    xs = v.random_ranks("x", "float32", (1, 8), bits=True)
    metas = [Data("uint32", [COUNTS[r], STARTS[r], [99] * 3]) for r in range(3)]
    with_metadata(v, "float32", metas, 12, in_sbuf)
    v.step(f"ncc.all_to_all_v([x], [out], ncc.ReplicaGroup([[0, 1, 2]]), meta{', recv_counts_known=True' if known else ''})")
    v.expect("out", ranks.pieces(COUNTS, STARTS, xs, 12), space="hbm")
    metadata_after(v, metas if known else received(metas, COUNTS), in_sbuf)
v = AAV.vector("places", "row 3 says where each rank's piece goes: over a switch, two cores a rank, two devices", targets=TRN3, ranks=8, cores=2)
rng = np.random.default_rng(5)
counts, starts = rng.integers(0, 4, (8, 8)), rng.integers(0, 6, (8, 8))
places = [[3 * int(p) for p in rng.permutation(8)] for _ in range(8)]
xs = v.random_ranks("x", "int16", (1, 9), bits=True)
metas = [Data("uint32", [counts[r], starts[r], [99] * 8, places[r]]) for r in range(8)]
with_metadata(v, "int16", metas, 24)
v.step(f"ncc.all_to_all_v(srcs=[x], dsts=[out], replica_group=ncc.ReplicaGroup([{list(range(8))}]), metadata_tensor=meta, has_rdispls=True)")
v.expect("out", ranks.pieces(counts, starts, xs, 24, places), space="hbm")
metadata_after(v, received(metas, counts))

# ---- permutations

cp = collective("collective_permute")
for name, pairs, shows in (("ring", [(0, 1), (1, 2), (2, 0)], "around a ring"), ("swap", [(0, 1), (1, 0), (2, 2)], "two ranks exchange, one sends to itself")):
    v = cp.vector(name, f"each pair's source to its target: {shows}", ranks=3)
    xs = v.random_ranks("x", "float32", (4, 6), bits=True)
    v.step(f"ncc.collective_permute([x], [out], {pairs})")
    v.expect("out", [xs[next(s for s, t in pairs if t == r)] for r in range(3)], space="hbm")
v = cp.vector("no_target", "the target of no pair keeps what its dst held", A, source="docs/numerics.md gap permute-untouched", ranks=3)
xs, ys = v.random_ranks("x", "uint8", (4, 6), bits=True), v.random_ranks("out", "uint8", (4, 6), bits=True)
v.step("ncc.collective_permute(srcs=[x], dsts=[out], source_target_pairs=[(0, 2)])")
v.expect("out", [ys[0], ys[1], xs[0]], space="hbm")

ci = collective("collective_permute_implicit")
v = ci.vector("ring", "to the next rank of the group, from the one before", A, source="docs/numerics.md gap ring-order", ranks=3)
xs = v.random_ranks("x", "float32", (4, 6), bits=True)
v.step("group = ncc.ReplicaGroup([[0, 1, 2]])", "ncc.collective_permute_implicit([[x]], [[out]], group)")
v.expect("out", ranks.ring_step([[0, 1, 2]], xs), space="hbm")
v = ci.vector("pair", "a ring of two ranks: they exchange", ranks=4)
xs = v.random_ranks("x", "bfloat16", (4, 6), space="sbuf", bits=True)
v.step(f"group = ncc.ReplicaGroup({PAIRS})", "ncc.collective_permute_implicit([[x]], [[out]], group)")
v.expect("out", ranks.ring_step(PAIRS, xs))
v = ci.vector("channels", "a tensor on each of two channels", A, source="docs/numerics.md gap ring-order", ranks=3)
xs, ys = v.random_ranks("x", "float32", (2, 6), bits=True), v.random_ranks("y", "float32", (2, 6), bits=True)
v.step("group = ncc.ReplicaGroup([[2, 1, 0]])",
       "ncc.collective_permute_implicit(srcs_by_channel=[[x], [y]], dsts_by_channel=[[out], [other]], replica_group=group, channel_ids=[0, 1])")
v.expect("out", ranks.ring_step([[2, 1, 0]], xs), space="hbm")
v.expect("other", ranks.ring_step([[2, 1, 0]], ys), space="hbm")

cr = collective("collective_permute_implicit_reduce")
for op in ("add", "maximum", "minimum"):
    v = cr.vector(op, f"the {op} of two sources goes to the next rank", ranks=2)
    xs, ys = v.random_ranks("x", "float32", (4, 6), floats=(-3, 3)), v.random_ranks("y", "float32", (4, 6), floats=(-3, 3))
    v.step("group = ncc.ReplicaGroup([[0, 1]])", f"ncc.collective_permute_implicit_reduce([[x]], [[y]], [[out]], group, nl.{op})")
    v.expect("out", ranks.ring_step([[0, 1]], [ranks.fold(op, [x, y]) for x, y in zip(xs, ys)]), space="hbm")
v = cr.vector("channels", "two channels around a ring of three", A, source="docs/numerics.md gap ring-order", ranks=3)
names = ("x", "y", "z", "w")
tensors = {name: v.random_ranks(name, "bfloat16", (2, 5), integers=(-20, 20)) for name in names}
v.step("group = ncc.ReplicaGroup([[0, 1, 2]])", "ncc.collective_permute_implicit_reduce(srcs0_by_channel=[[x], [y]], srcs1_by_channel=[[z], [w]], "
       "dsts_by_channel=[[out], [other]], replica_group=group, op=nl.add, channel_ids=[0, 1])")
for name, first, second in (("out", "x", "z"), ("other", "y", "w")):
    v.expect(name, ranks.ring_step([[0, 1, 2]], [ranks.fold("add", pair) for pair in zip(tensors[first], tensors[second])]), space="hbm")

# ---- ranks in registers

STORE = "nisa.register_store(dst=out{}, src={})"
ri, rp = collective("rank_id"), collective("collective_permute_implicit_current_processing_rank_id")
v = ri.vector("number", "the number of the rank in a register", ranks=3)
v.step("r = ncc.rank_id()", STORE.format("", "r"))
v.expect("out", [Data("int32", [[r]]) for r in range(3)])
v = ri.vector("address", "a rank's number as a row of an access", ranks=3)
x = v.random("x", "float32", (3, 5), space="hbm", bits=True)
v.step('r = ncc.rank_id(name="me")', "nisa.dma_copy(dst=out, src=x.ap(pattern=[[5, 1], [1, 5]], offset=0, scalar_offset=r, indirect_dim=0))")
v.expect("out", [Data("float32", x.words[r:r + 1]) for r in range(3)])
v = rp.vector("first", "iteration 0 processes the rank's own data", ranks=4)
v.step(f"r = ncc.collective_permute_implicit_current_processing_rank_id(0, ncc.ReplicaGroup({ODD}))", STORE.format("", "r"))
v.expect("out", [Data("int32", [[r]]) for r in range(4)])
v = rp.vector("around", "then that of the rank before, and so on around the ring", A, source="docs/numerics.md gap ring-order", ranks=3)
v.step("group = ncc.ReplicaGroup([[1, 2, 0]])", "for i in nl.static_range(4):\n    r = ncc.collective_permute_implicit_current_processing_rank_id(iteration_id=i, "
       "replica_group=group, channel_id=0)\n    nisa.register_store(dst=out[:, i:i + 1], src=r)")
v.expect("out", [Data("int32", [[(r - i) % 3 for i in range(4)]]) for r in range(3)])
v = rp.vector("pairs", "the rank whose data the exchange of two ranks brought", ranks=4)
xs = v.random_ranks("x", "int32", (1, 4), space="sbuf", bits=True)
v.step(f"group = ncc.ReplicaGroup({PAIRS})", sbuf("y", (1, 4), "int32"), "ncc.collective_permute_implicit([[x]], [[y]], group)",
       "r = ncc.collective_permute_implicit_current_processing_rank_id(1, group, channel_id=0)", STORE.format("", "r"), "nisa.tensor_copy(dst=other, src=y)")
v.expect("out", [Data("int32", [[r ^ 1]]) for r in range(4)])
v.expect("other", [xs[r ^ 1] for r in range(4)])

# ---- what is forbidden

TILES = {"x": ("float32", (4, 8), "hbm"), "h": ("float32", (4, 8), "hbm"), "h0": ("float32", (4, 8), "hbm"), "h2": ("float32", (8, 8), "hbm"),
         "h8": ("float32", (8, 8), "hbm"), "hb": ("bfloat16", (4, 8), "hbm"), "hb2": ("bfloat16", (8, 8), "hbm"), "s": ("float32", (4, 8), "sbuf"),
         "s2": ("float32", (4, 8), "sbuf"), "s8": ("float32", (8, 8), "sbuf"), "p": ("float32", (4, 8), "psum"), "m": ("uint32", (3, 2), "hbm"),
         "m4": ("uint32", (3, 4), "hbm"), "mi": ("int32", (3, 2), "hbm"), "mi4": ("int32", (3, 4), "hbm")}
G, G3, G4 = "ncc.ReplicaGroup([[0, 1]])", "ncc.ReplicaGroup([[0, 1, 2]])", f"ncc.ReplicaGroup({FOUR})"
INSTRUCTIONS = {i.name: i for i in (ar, ag, GAV, rs, aa, AAV, cp, ci, cr)}


def refused(function, name, code, why, call, targets=ALL, **more):
    """A vector whose tensors are those of TILES that the call names."""
    v = INSTRUCTIONS[function].vector(f"refused_{name}", why, targets=targets, ranks=2, **more)
    named = call.replace("(", " ").replace("[", " ").replace("]", " ").replace(",", " ").split()
    for tile in TILES:
        if tile in named:
            dtype, shape, space = TILES[tile]
            v.put(tile, Data(dtype, np.zeros(shape, np.uint32)), space=space)
    v.step(f"ncc.{function}({call})")
    v.refused(code, why)


BASES = {"all_reduce": ("[{}]", "x", "h", f"{G}, nl.add"), "all_gather": ("[{}]", "x", "h2", f"{G}, 0"), "reduce_scatter": ("[{}]", "h2", "h", f"{G}, 0, nl.add"),
         "all_to_all": ("[{}]", "x", "h", f"{G}, 0"), "collective_permute": ("[{}]", "x", "h", "[(0, 1), (1, 0)]"),
         "collective_permute_implicit": ("[[{}]]", "x", "h", G), "collective_permute_implicit_reduce": ("[[{}]]", "x", "h", f"{G}, nl.add")}
IN_BFLOAT16, IN_SBUF = {"h": "hb", "h2": "hb2"}, {"x": "s", "h": "s2", "h2": "s8"}


def call_of(function, source=None, destination=None, rest=None):
    form, base_source, base_destination, base_rest = BASES[function]
    sources = form.format(source or base_source)
    if function.endswith("reduce") and function != "all_reduce":
        sources = f"{sources}, {sources}"
    return f"{sources}, {form.format(destination or base_destination)}, {rest or base_rest}"


for function, (form_, source, destination, rest) in BASES.items():
    refused(function, "count", "E0518", "a destination for each source", call_of(function, source=f"{source}, {source}"))
    refused(function, "dtypes", "E0516", "source and destination have one dtype", call_of(function, destination=IN_BFLOAT16[destination]))
    refused(function, "size", "E0515", "the destination has as many elements as the ranks make of the source",
            call_of(function, destination="h2" if destination == "h" else "h"))
    refused(function, "mixed_memory", "E0517", "all tensors are in HBM or all in SBUF", call_of(function, destination=IN_SBUF[destination]))
    refused(function, "priority_range", "E0518", "priorities are 0 to 3", call_of(function, rest=f"{rest}, priority=4"), TRN3)
    refused(function, "priority_early", "E0534", "priorities need NeuronCore-v4", call_of(function, rest=f"{rest}, priority=1"), BEFORE_TRN3)
    if rest.startswith("ncc"):
        refused(function, "rank_twice", "E0518", "groups do not overlap", call_of(function, rest=rest.replace("[[0, 1]]", "[[0, 1], [1, 2]]")))
    if "nl.add" in rest:
        refused(function, "operator", "E0518", "the operator is add, minimum or maximum", call_of(function, rest=rest.replace("nl.add", "nl.multiply")))
    if function in ("all_reduce", "all_gather", "reduce_scatter"):
        near, far = IN_SBUF[source], IN_SBUF[destination]
        refused(function, "lists_in_sbuf", "E0517", "several tensors in HBM only", call_of(function, source=f"{near}, {near}", destination=f"{far}, {far}"))
    if "permute" in function:
        refused(function, "several", "E0518", "exactly one tensor in a list", call_of(function, source="x, x", destination="h, h0"))
    if "implicit" in function:
        refused(function, "channels", "E0410", "channels are numbered from 0", call_of(function, rest=f"{rest}, channel_ids=[1]"))
refused("collective_permute_implicit", "five_channels", "E0410", "there are 4 channels at most",
        f"[[x]] * 5, [[h]] * 5, {G}, channel_ids=[0, 1, 2, 3, 4]")
refused("all_reduce", "psum", "E0517", "PSUM is no memory of collectives", f"[s], [p], {G}, nl.add")
refused("all_gather", "dim_hbm", "E0518", "tensors in HBM grow along dimension 0", f"[x], [h2], {G}, 1")
refused("all_gather", "dim_sbuf", "E0518", "tiles in SBUF have dimensions 0 and 1", f"[s], [s8], {G}, 2")
refused("reduce_scatter", "dim", "E0518", "only dimension 0 is split", f"[h2], [h], {G}, 1, nl.add")
refused("all_to_all", "dim", "E0518", "only dimension 0 is split", f"[x], [h], {G}, 1")
refused("all_to_all", "sbuf", "E0517", "tensors in HBM", f"[s], [s2], {G}, 0")
refused("all_to_all", "uneven", "E0515", "the ranks split the source evenly", f"[x], [h], {G3}, 0")
refused("collective_permute", "sbuf", "E0517", "tensors in HBM", "[s], [s2], [(0, 1), (1, 0)]")
refused("collective_permute", "source_twice", "E0518", "a rank is the source of one pair at most", "[x], [h], [(0, 1), (0, 0)]")
refused("collective_permute", "no_pair", "E0518", "a pair is a source and a target", "[x], [h], [(0, 1, 1)]")
for function, four, more in (("all_to_all_v", False, {}), ("all_gather_v", True, {"cores": 2})):
    targets = SINCE_TRN2 if four else BEFORE_TRN3
    group, dst, meta, wrong, other = (G4, "h2", "m4", "mi4", "m") if four else (G, "h", "m", "mi", "m4")
    refused(function, "metadata_dtype", "E0536", "metadata is uint32", f"[x], [{dst}], {group}, {wrong}", targets, **more)
    refused(function, "metadata_shape", "E0515", "metadata has a column for each rank", f"[x], [{dst}], {group}, {other}", targets, **more)
    refused(function, "several", "E0518", "exactly one tensor", f"[x, x], [{dst}, h8], {group}, {meta}", targets, **more)
    refused(function, "places", "E0518", "has_rdispls is not supported here", f"[x], [{dst}], {group}, {meta}, has_rdispls=True", targets, **more)
refused("all_gather_v", "two_ranks", "E0518", "a group has exactly 4 ranks", f"[x], [h2], {G}, m", SINCE_TRN2, cores=2)
refused("all_gather_v", "one_core", "E0539", "two logical cores a rank", f"[x], [h2], {G4}, m4", SINCE_TRN2)
refused("all_to_all_v", "one_core", "E0539", "over a switch two logical cores a rank", f"[x], [h], {G4}, m4", TRN3)
refused("all_to_all_v", "one_device", "E0518", "over a switch more than one device", f"[x], [h], {G4}, m4", TRN3, cores=2)
refused("all_to_all_v", "part_of_a_device", "E0518", "over a switch all four ranks of a device are in the group", f"[x], [h], {G}, m", TRN3, cores=2)
