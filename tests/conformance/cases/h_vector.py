"""max8, nc_find_index8, nc_match_replace8, bn_stats, bn_aggr, sequence_bounds, nonzero_with_count, topk."""

import math

import numpy as np
from builder import SINCE_TRN2, A, Instruction, M
from oracles.alu import alu
from oracles.formats import Data, narrow

NAN, INF = math.nan, math.inf


def result(dtype, f32):
    return Data(dtype, narrow(f32, dtype))


# ---- max8

m8 = Instruction("max8")
for dtype in ("float32", "bfloat16", "int16", "uint8"):
    v = m8.vector(dtype, f"the eight largest of {dtype}, descending, equal values all kept")
    x = v.random("x", dtype, (5, 30), **({"floats": (-3, 3)} if "float" in dtype else {"integers": (0, 20)}))
    v.step("nisa.max8(dst=out, src=x)")
    v.expect("out", result(dtype, -np.sort(-x.f32, axis=1)[:, :8]))
v = m8.vector("converted", "values are float32 inside and converted to dst")
x = v.random("x", "float32", (5, 9), floats=(-3, 3))
v.step("nisa.max8(dst=out, src=x)")
v.expect("out", result("bfloat16", -np.sort(-x.f32, axis=1)[:, :8]))
v = m8.vector("three_dimensions", "rows of two free dimensions; infinities have their places; exactly 8 elements are allowed")
x = v.put("x", Data.of("float32", [[[INF, -INF, 1, 2], [3, -4, 0.5, 2]]]))
v.step("nisa.max8(dst=out, src=x)")
v.expect("out", result("float32", -np.sort(-x.f32.reshape(1, 8), axis=1)))
v = m8.vector("nan", "where a NaN stands among the values", A, source="docs/numerics.md 8", unspecified="max8-nan")
x = v.put("x", Data.of("float32", [[1, 2, NAN, 4, 5, 6, 7, 8, 9, -1]]))
v.step("nisa.max8(dst=out, src=x)")
v.expect("out", Data.of("float32", [[9, 8, 7, 6, 5, 4, 2, 1]]))

# ---- nc_find_index8, nc_match_replace8


def find(data, vals, sentinel):
    out = np.full(vals.shape, sentinel, object)
    for p in range(data.shape[0]):
        taken = set()
        for j in range(8):
            for i in range(data.shape[1]):
                if data[p, i] == vals[p, j] and i not in taken:
                    taken.add(i)
                    out[p, j] = i
                    break
    return out


def replace(data, vals, imm):
    out, index = data.copy(), np.full(vals.shape, 0xFFFFFFFF, object)
    for p in range(data.shape[0]):
        taken = set()
        for j in range(7, -1, -1):
            for i in range(data.shape[1]):
                if data[p, i] == vals[p, j] and i not in taken:
                    taken.add(i)
                    out[p, i], index[p, j] = imm, i
                    break
    return out, index


fi = Instruction("nc_find_index8")
for dtype, sentinel in (("uint32", 0xFFFFFFFF), ("uint16", 0xFFFF)):
    v = fi.vector(dtype, f"the first place of each value, as {dtype}; all ones where a value does not occur")
    x = v.put("x", Data.of("float32", [[5, 3, 9, -1, 0.5, 7, 2, 4, 6, 8], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]))
    y = v.put("y", Data.of("float32", [[9, 8, 7, 6, 5, 4, 3, 2], [0, 10, 11, 1, -1, 5.5, 2, 9]]))
    v.step("nisa.nc_find_index8(dst=out, data=x, vals=y)")
    v.expect("out", Data(dtype, find(x.f32, y.f32, sentinel)))
v = fi.vector("duplicates", "equal values take their places in ascending order; one more than there are gets all ones", M,
              source="nki.isa.nc_match_replace8; NKI release notes: duplicates advance, unmatched slots are all ones")
x = v.put("x", Data.of("float32", [[1, 2, 3, 4, 8, 8, 8, 8, 8, 8, 8], [8, 1, 8, 1, 8, 2, 3, 4, 5, 6, 7]]))
y = v.put("y", Data.of("float32", [[3, 8, 8, 8, 8, 8, 8, 8], [8, 8, 1, 8, 8, 1, 1, 7]]))
v.step("nisa.nc_find_index8(dst=out, data=x, vals=y)")
v.expect("out", Data("uint32", find(x.f32, y.f32, 0xFFFFFFFF)))
v = fi.vector("after_max8", "the places of the eight largest, in the order of max8; bfloat16 with equal values")
x = v.random("x", "bfloat16", (6, 40), integers=(0, 30))
v.tile("y", "bfloat16", (6, 8))
v.step("nisa.max8(dst=y, src=x)", "nisa.nc_find_index8(dst=out, data=x, vals=y)")
v.expect("out", Data("uint32", find(x.f32, -np.sort(-x.f32, axis=1)[:, :8], 0xFFFFFFFF)))
v = fi.vector("three_dimensions", "data of two free dimensions: places count over both")
x = v.put("x", Data.of("float32", [[[5, 3, 9, -1, 0.5], [7, 2, 4, 6, 8]]]))
y = v.put("y", Data.of("float32", [[9, 8, 7, 6, 5, 4, 3, 2]]))
v.step("nisa.nc_find_index8(dst=out, data=x, vals=y)")
v.expect("out", Data("uint32", find(x.f32.reshape(1, 10), y.f32, 0xFFFFFFFF)))
v = fi.vector("zeros", "-0.0 is found as 0.0, for comparisons are of float32 values", A, source="docs/numerics.md 8")
x = v.put("x", Data.of("float32", [[1, -0.0, 2, 3, 4, 5, 6, 7]]))
y = v.put("y", Data.of("float32", [[0.0, 1, 2, 3, 4, 5, 6, 7]]))
v.step("nisa.nc_find_index8(dst=out, data=x, vals=y)")
v.expect("out", Data("uint32", find(x.f32, y.f32, 0xFFFFFFFF)))
v = fi.vector("nan", "whether a NaN is found", A, source="docs/numerics.md 8", unspecified="find-nan")
x = v.put("x", Data.of("float32", [[1, NAN, 2, 3, 4, 5, 6, 7]]))
y = v.put("y", Data.of("float32", [[NAN, 1, 2, 3, 4, 5, 6, 7]]))
v.step("nisa.nc_find_index8(dst=out, data=x, vals=y)")
v.expect("out", Data("uint32", find(x.f32, y.f32, 0xFFFFFFFF)))

mr = Instruction("nc_match_replace8")
v = mr.vector("documented_example", "data 1 2 3 4 8 8 8 8 8 8 8 and vals 3 8 8 8 8 8 8 8 give 2 10 9 8 7 6 5 4: values from the last to the first")
x = v.put("x", Data.of("float32", [[1, 2, 3, 4, 8, 8, 8, 8, 8, 8, 8]]))
y = v.put("y", Data.of("float32", [[3, 8, 8, 8, 8, 8, 8, 8]]))
v.step("nisa.nc_match_replace8(dst=out, data=x, vals=y, imm=-1.0, dst_idx=index)")
v.expect("out", Data.of("float32", [[1, 2, -1, 4, -1, -1, -1, -1, -1, -1, -1]]))
v.expect("index", Data("uint32", [[2, 10, 9, 8, 7, 6, 5, 4]]))
v = mr.vector("first_place", "the first of equal elements is replaced; imm is converted to the dtype of dst", M,
              source="nki.isa.nc_match_replace8; NKI release notes: it goes from the last value to the first")
x = v.random("x", "bfloat16", (4, 24), integers=(0, 9))
y = v.put("y", Data.of("bfloat16", -np.sort(-x.f32, axis=1)[:, :8]))
v.step("nisa.nc_match_replace8(dst=out, data=x, vals=y, imm=-100.0, dst_idx=index)")
out, index = replace(x.f32, y.f32, -100.0)
v.expect("out", result("bfloat16", out))
v.expect("index", Data("uint32", index))
v = mr.vector("in_place", "dst may be data, and the indices may be left out; twice gives the 16 largest")
x = v.random("x", "float32", (3, 20), integers=(0, 99))
v.tile("y", "float32", (3, 8))
v.step("nisa.max8(dst=y, src=x)", "nisa.nc_match_replace8(dst=x, data=x, vals=y, imm=-1.0)", "nisa.max8(dst=out, src=x)")
after = x.f32
after, _ = replace(after, -np.sort(-after, axis=1)[:, :8], -1.0)
v.expect("x", result("float32", after))
v.expect("out", result("float32", -np.sort(-after, axis=1)[:, :8]))
v = mr.vector("no_match", "what dst_idx holds for a value that does not occur", A, source="docs/numerics.md 8", unspecified="match-index")
x = v.put("x", Data.of("float32", [[1, 2, 3, 4, 5, 6, 7, 8]]))
y = v.put("y", Data.of("float32", [[3, 8, 9, 1, 2, 4, 5, 6]]))
v.step("nisa.nc_match_replace8(dst=out, data=x, vals=y, imm=0.0, dst_idx=index)")
out, index = replace(x.f32, y.f32, 0.0)
v.expect("out", result("float32", out))
v.expect("index", Data("uint32", index))

# ---- bn_stats, bn_aggr


def total(row):
    state = np.float32(0)
    for n in row:
        state = np.float32(state + np.float32(n))
    return state


def stats(x):
    """Two passes in float32, left to right, for the even and the odd elements."""
    out = np.zeros((x.shape[0], 6), np.float32)
    for p in range(x.shape[0]):
        for half in (0, 1):
            row = x[p, half::2]
            if len(row):
                mean = np.float32(total(row) / np.float32(len(row)))
                away = [np.float32(n - mean) for n in row]
                out[p, 3 * half:3 * half + 3] = len(row), mean, total([np.float32(d * d) for d in away])
    return out


def aggregate(triples):
    out = np.zeros((triples.shape[0], 2), np.float32)
    f = np.float32
    for p in range(triples.shape[0]):
        rows = triples[p].reshape(-1, 3)
        n = total(rows[:, 0])
        mean = f(total([f(c * m) for c, m, _ in rows]) / n)
        spread = total([f(c * f(f(m - mean) * f(m - mean))) for c, m, _ in rows])
        out[p] = mean, f(f(total(rows[:, 2]) + spread) / n)
    return out


bs = Instruction("bn_stats")
v = bs.vector("exact", "count, mean and variance * count of the elements with even places, then of those with odd places: exact numbers")
x = v.put("x", Data.of("float32", [[1, 10, 3, 20, 5, 30, 7, 40], [2, -4, 2, -4, 2, -4, 2, -4]]))
v.step("nisa.bn_stats(dst=out, data=x)")
v.expect("out", Data.of("float32", [[4, 4, 20, 4, 25, 500], [4, 2, 0, 4, -4, 0]]))
v = bs.vector("odd_count", "an odd number of elements: one more has an even place")
x = v.put("x", Data.of("float32", [[1, 10, 3, 20, 5]]))
v.step("nisa.bn_stats(dst=out, data=x)")
v.expect("out", Data.of("float32", [[3, 3, 8, 2, 15, 50]]))
v = bs.vector("two_passes", "numbers that round: two passes in float32, the mean, then the squared distances, left to right", A, source="docs/numerics.md 5")
x = v.random("x", "bfloat16", (4, 37), floats=(-3, 3))
v.step("nisa.bn_stats(dst=out, data=x)")
v.expect("out", result("float32", stats(x.f32)))
v = bs.vector("most_elements", "512 elements, the most there may be; exact numbers")
x = v.random("x", "float32", (2, 512), integers=(0, 1))
x = v.put("x", Data.of("float32", np.tile([[0.0, 1.0, 2.0, 5.0], [1.0, 1.0, 3.0, 3.0]], (1, 128))))
v.step("nisa.bn_stats(dst=out, data=x)")
v.expect("out", result("float32", stats(x.f32)))
v = bs.vector("one_element", "a row of one element: there are no odd ones", A, source="docs/numerics.md 5", unspecified="bn-stats-empty")
x = v.put("x", Data.of("float32", [[7.0]]))
v.step("nisa.bn_stats(dst=out, data=x)")
v.expect("out", Data.of("float32", [[1, 7, 0, 0, 0, 0]]))

ba = Instruction("bn_aggr")
v = ba.vector("exact", "mean and population variance of what the triples describe: exact numbers")
x = v.put("x", Data.of("float32", [[4, 4, 20, 4, 8, 12], [2, 1, 0, 2, 3, 0]]))
v.step("nisa.bn_aggr(dst=out, data=x)")
v.expect("out", Data.of("float32", [[6, 8], [2, 1]]))
v = ba.vector("of_bn_stats", "statistics of one row in two pieces, aggregated", A, source="docs/numerics.md 5")
x = v.random("x", "float32", (3, 30), floats=(-2, 2))
v.tile("y", "float32", (3, 12))
v.step("nisa.bn_stats(dst=y[:, 0:6], data=x[:, 0:17])", "nisa.bn_stats(dst=y[:, 6:12], data=x[:, 17:30])", "nisa.bn_aggr(dst=out, data=y)")
v.expect("out", result("float32", aggregate(np.concatenate([stats(x.f32[:, :17]), stats(x.f32[:, 17:])], axis=1))))
v = ba.vector("nothing", "all counts are 0", A, source="docs/numerics.md 5", unspecified="bn-aggr-empty")
x = v.put("x", Data.of("float32", [[0, 3, 2, 0, 1, 1]]))
v.step("nisa.bn_aggr(dst=out, data=x)")
v.expect("out", Data.of("float32", [[0, 0]]))

# ---- sequence_bounds


def bounds(ids):
    n = len(ids)
    start, end = [0] * n, [0] * n
    for i in range(n):
        start[i] = n if ids[i] == 0 else start[i - 1] if i and ids[i] == ids[i - 1] else i
    for i in range(n - 1, -1, -1):
        end[i] = -1 if ids[i] == 0 else end[i + 1] if i < n - 1 and ids[i] == ids[i + 1] else i + 1
    return np.array([[start, end]])


sb = Instruction("sequence_bounds", source="nki.isa.sequence_bounds and its published test")
for name, ids in (("runs", [1, 1, 1, 2, 2, 3, 0, 0]), ("padding_first", [0, 0, 4, 4, 4, 0, 4, 7]), ("single", [5]), ("all_padding", [0, 0, 0]),
                  ("each_alone", [1, 2, 3, 4, 5])):
    for dtype in ("int32", "float32"):
        v = sb.vector(f"{name}_{dtype}", f"start and end of the run of each of {ids}; padding 0 has start n and end -1")
        x = v.put("x", Data(dtype, [ids]) if dtype == "int32" else Data.of(dtype, [ids]))
        v.step("nisa.sequence_bounds(dst=out, segment_ids=x)")
        value = bounds(ids)
        v.expect("out", Data(dtype, value & 0xFFFFFFFF) if dtype == "int32" else Data.of(dtype, value))

# ---- nonzero_with_count

nz = Instruction("nonzero_with_count", targets=SINCE_TRN2)


def nonzero(x, old, offset, padding):
    out = old.astype(np.int64)
    for p in range(0, x.shape[0], 16):
        found = [i + offset for i in range(x.shape[1]) if x[p, i] != 0]
        out[p] = found + [padding] * (x.shape[1] - len(found)) + [len(found)]
    return out & 0xFFFFFFFF


v = nz.vector("documented_example", "0 1 1 0 0 1 0 0 with offset 16: 17 18 21, padding -1, count 3")
x, y = v.put("x", Data("int32", [[0, 1, 1, 0, 0, 1, 0, 0]])), v.put("out", Data("int32", [[9] * 9]))
v.step("nisa.nonzero_with_count(dst=out, src=x, index_offset=16, padding_val=-1)")
v.expect("out", Data("int32", np.array([[17, 18, 21, -1, -1, -1, -1, -1, 3]]) & 0xFFFFFFFF))
for dtype in ("int32", "float32"):
    v = nz.vector(f"every_16th_{dtype}", f"partitions 0, 16, 32, ... of {dtype} only; the others of dst stay")
    x, y = v.random("x", dtype, (40, 6), integers=(-1, 1)), v.random("out", "int32", (40, 7), bits=True)
    v.step("nisa.nonzero_with_count(dst=out, src=x, index_offset=100, padding_val=77)")
    v.expect("out", Data("int32", nonzero(x.f32, y.words, 100, 77)))
v = nz.vector("all_and_none", "a row without zeros, and one of zeros")
x, y = v.put("x", Data.of("float32", np.concatenate([np.ones((16, 4)), np.zeros((16, 4))]))), v.random("out", "int32", (32, 5), bits=True)
v.step("nisa.nonzero_with_count(dst=out, src=x)")
v.expect("out", Data("int32", nonzero(x.f32, y.words, 0, -1)))
v = nz.vector("special", "-0.0 is zero, NaN and the smallest subnormal number are not", A, source="docs/numerics.md 8")
x, y = v.put("x", Data("float32", [[0x80000000, 0x7FC00000, 1, 0]])), v.put("out", Data("int32", [[9] * 5]))
v.step("nisa.nonzero_with_count(dst=out, src=x)")
v.expect("out", Data("int32", np.array([[1, 2, -1, -1, 2]]) & 0xFFFFFFFF))

# ---- topk

tk = Instruction("topk")


def topk(x, n, values, places):
    """x (P, X) of float32, a snake of n elements for 16 partitions each; results as a snake, ascending."""
    k = values.shape[1] * 16
    for g in range(0, x.shape[0], 16):
        snake = x[g:g + 16].T.reshape(-1)[:n]
        order = sorted(range(n), key=lambda e: (-snake[e], e))
        chosen = sorted(order[:values.shape[1]], key=lambda e: (snake[e], e))
        yield g, chosen, snake, k


v = tk.vector("snake", "the K largest of n values over 16 partitions, ascending, written as a snake", A, source="docs/numerics.md 8: the layout of the results")
x = v.random("x", "bfloat16", (16, 3), integers=(-99, 99))
n, k = 42, 8
out, index = v.put("out", Data("bfloat16", np.zeros((16, k)))), v.put("index", Data("uint32", np.zeros((16, k))))
v.step(f"nisa.topk(val_dst=out, idx_dst=index, src=x, n={n})")
values, places = out.f32.copy(), index.words.copy()
for g, chosen, snake, _ in topk(x.f32, n, values, places):
    for e, element in enumerate(chosen):
        values[g + e % 16, e // 16], places[g + e % 16, e // 16] = snake[element], element
v.expect("out", result("bfloat16", values))
v.expect("index", Data("uint32", places))
v = tk.vector("two_groups", "each group of 16 partitions for itself; K = 20 fills a second column", A, source="docs/numerics.md 8: the layout of the results")
x = v.random("x", "bfloat16", (32, 4), floats=(-3, 3))
n, k = 64, 20
out, index = v.put("out", Data("bfloat16", np.zeros((32, k)))), v.put("index", Data("uint32", np.zeros((32, k))))
v.step(f"nisa.topk(val_dst=out, idx_dst=index, src=x, n={n})")
values, places = out.f32.copy(), index.words.copy()
for g, chosen, snake, _ in topk(x.f32, n, values, places):
    for e, element in enumerate(chosen):
        values[g + e % 16, e // 16], places[g + e % 16, e // 16] = snake[element], element
v.expect("out", result("bfloat16", values))
v.expect("index", Data("uint32", places))
v = tk.vector("nan", "where a NaN stands among the values", A, source="docs/numerics.md 8", unspecified="topk-nan")
x = v.put("x", Data.of("bfloat16", [[i] for i in range(15)] + [[NAN]]))
out, index = v.put("out", Data("bfloat16", np.zeros((16, 1)))), v.put("index", Data("uint32", np.zeros((16, 1))))
v.step("nisa.topk(val_dst=out, idx_dst=index, src=x, n=16)")
v.expect("out", Data.of("bfloat16", [[14.0]] + [[0.0]] * 15))
v.expect("index", Data("uint32", [[14]] + [[0]] * 15))
v = m8.vector("zeros", "-0.0 and 0.0 are equal: the one that comes first stands first", A, source="docs/numerics.md 8")
x = v.put("x", Data.of("float32", [[-0.0, 0.0, 5, -1, 0.0, -0.0, 3, -2, -3, -4]]))
v.step("nisa.max8(dst=out, src=x)")
v.expect("out", Data.of("float32", [[5, 3, -0.0, 0.0, 0.0, -0.0, -1, -2]]))
