"""The methods of NkiTensor: what each view shows, against NumPy, on chip and in HBM; and what is refused."""

import json

import numpy as np
import pytest
from conftest import run_klr
from test_language_functions import outputs, source

RNG = np.random.default_rng(17)
X = RNG.integers(-1000, 1000, (6, 8, 10)).astype(np.int32)  # in HBM x, in SBUF t
I16 = X.view(np.int16)

# Views of t, a tile of X; `n` is X. On chip dimension 0 is the partition and stays, and two dimensions remain.
ON_CHIP = {
    "t.slice(1, 2, 7)": X[:, 2:7], "t.slice(2, 1, 10, 3)": X[:, :, 1:10:3], "t.slice(dim=0, start=0, end=2)": X[0:2],
    "t.select(1, 3)": X[:, 3], "t.select(2, 0)": X[:, :, 0], "t.select(1, 3).select(1, 2)": X[:, 3, 2:3],
    "t.permute((0, 2, 1))": X.transpose(0, 2, 1), "t[:, 0:1].broadcast(1, 4)": np.repeat(X[:, 0:1], 4, 1),
    "t.expand_dim(1)": X[:, None], "t.expand_dim(3)": X[..., None], "t.expand_dim(2).squeeze_dim(2)": X,
    "t.reshape_dim(1, (2, 4))": X.reshape(6, 2, 4, 10), "t.reshape_dim(2, (5, -1))": X.reshape(6, 8, 5, 2),
    "t.flatten_dims(1, 2)": X.reshape(6, 80), "t.reshape((6, 80))": X.reshape(6, 80), "t.reshape((6, 4, 20))": X.reshape(6, 4, 20),
    "t.rearrange(('p', ('a', 'b'), 'c'), ('p', 'b', 'a', 'c'), {'a': 2})": X.reshape(6, 2, 4, 10).transpose(0, 2, 1, 3),
    "t.rearrange(('p', 'a', 'b'), ('p', ('a', 'b')))": X.reshape(6, 80),
    "t.ap([[80, 6], [1, 5]], offset=12)": X.reshape(6, 80)[:, 12:17], "t.ap(pattern=[[80, 3], [20, 4], [2, 5]])":
    np.lib.stride_tricks.as_strided(X, (3, 4, 5), (320, 80, 8)), "t.ap([(80, 6), (0, 3), (1, 2)])":
    np.repeat(X.reshape(6, 80)[:, None, :2], 3, 1), "t.ap(t.get_pattern())": X, "t[2:4].ap([[80, 2], [1, 3]])": X[2:4, 0, :3],
    "t[:, 3]": X[:, 3], "t[0]": X[0:1], "t[:, 0, 5]": X[:, 0, 5:6], "t[0, 0, 5]": X[0:1, 0, 5:6], "t[..., 9]": X[..., 9],
    "t[:, -1]": X[:, -1], "t[..., -3:]": X[..., -3:], "t[:, ::3, 1::4]": X[:, ::3, 1::4], "t[2:4, ...]": X[2:4],
    "t[:, nl.ds(2, 3), :]": X[:, 2:5], "t[0:6, 0:8][:, 1:3].permute((0, 2, 1))[:, 4]": X[:, 1:3, 4],
    "t.view(nl.uint32)": X.view(np.uint32), "t.view(nl.int16)": I16, "t.view(nl.int16)[:, :, 0::2]": I16[..., 0::2],
    "t.view(nl.int16).view(nl.int32)": X, "t.reinterpret_cast(nl.int8)": X.view(np.int8),
}
IN_HBM = {
    "x.slice(0, 1, 5, 2)": X[1:5:2], "x.select(0, 3)": X[3], "x.select(1, 7)": X[:, 7], "x.permute((2, 0, 1))": X.transpose(2, 0, 1),
    "x.permute((1, 0, 2))": X.transpose(1, 0, 2), "x[0:1].broadcast(0, 3)": np.repeat(X[0:1], 3, 0), "x.expand_dim(0)": X[None],
    "x[0:1].squeeze_dim(0)": X[0], "x.reshape_dim(0, (2, 3))": X.reshape(2, 3, 8, 10), "x.flatten_dims(0, 1)": X.reshape(48, 10),
    "x.reshape((120, 4))": X.reshape(120, 4), "x[2]": X[2], "x[2, 3:5]": X[2, 3:5], "x[-1, ..., 0:2]": X[-1, :, 0:2],
    "x.ap([[1, 7], [80, 6]], offset=3)": X.reshape(6, 80)[:, 3:10].T, "x.vector_select(0, rows)": X[[5, 0, 3, 3]],
    "x.select(0, one)": X[4], "x.view(nl.int16)": I16, "x.view(nl.int8).reshape((6, 320))": X.view(np.int8).reshape(6, 320),
    "x.ap([[80, 4], [1, 10]], offset=20, vector_offset=rows, indirect_dim=0)": X[[5, 0, 3, 3], 2],
    "x.ap([[10, 8], [1, 10]], scalar_offset=one, indirect_dim=0)": X[4],
    # A run-time index counts along the dimensions of the view, reshaped or reinterpreted.
    "x.reshape((1, 480)).ap([[480, 1], [1, 5]], offset=2, scalar_offset=one, indirect_dim=1)": X.reshape(1, 480)[:, 6:11],
    "x.reshape((48, 10)).ap([[10, 2], [1, 10]], scalar_offset=one, indirect_dim=0)": X.reshape(48, 10)[4:6],
    "x.reshape((480,)).ap([[3, 4], [1, 1]], offset=0, vector_offset=rows, indirect_dim=0)": X.reshape(480)[[5, 0, 3, 3]][:, None],
    "x.view(nl.int16).ap([[1, 3], [1, 1]], scalar_offset=one, indirect_dim=2)": I16[0, 0, 4:7][:, None],
    "x[2:4].ap([[10, 8], [1, 10]], offset=0, scalar_offset=one, indirect_dim=0)": X[4],
}
PREPARE = ["t = nl.ndarray(x.shape, x.dtype)", "nisa.dma_copy(dst=t, src=x)", "r = nl.load(rows_)", "rows = r[:, 0:1]",
           "one = nl.load(one_)"]
ARRAYS = {"x": X, "rows_": np.array([[5], [0], [3], [3]], np.int32), "one_": np.array([[4]], np.int32)}


def viewed(tmp_path, expressions, *options):
    """What each view holds, copied into a tensor of its own."""
    lines = list(PREPARE)
    for i, expression in enumerate(expressions):
        copy = "nisa.tensor_copy(dst=c, src=v)" if expression[:4] not in ("t[2:", *(h[:4] for h in IN_HBM)) else "nisa.dma_copy(dst=c, src=v)"
        lines += [f"v = {expression}", "c = nl.ndarray(v.shape, v.dtype)", copy,
                  f"out{i} = nl.ndarray(v.shape, v.dtype, nl.shared_hbm)", f"nisa.dma_copy(dst=out{i}, src=c)"]
    lines.append("return (" + " ".join(f"out{i}," for i in range(len(expressions))) + ")")
    return outputs(tmp_path, ARRAYS, lines, len(expressions), *options)


@pytest.mark.parametrize("cases", [ON_CHIP, IN_HBM], ids=["on chip", "in HBM"])
def test_views_show_what_numpy_shows(tmp_path, cases):
    for (expression, wanted), (_, found) in zip(cases.items(), viewed(tmp_path, cases)):
        assert found.shape == wanted.shape, expression
        np.testing.assert_array_equal(found, wanted, expression)


def test_views_are_written_through(tmp_path):
    writes = ["t[:, 3]", "t.slice(2, 1, 10, 3)", "t.permute((0, 2, 1))[:, 4]", "t.view(nl.int16)[:, 0, 0:4]", "t.select(1, 7)",
              "t.ap([[80, 6], [1, 5]], offset=12)"]
    lines = [*PREPARE, *(f"nisa.memset(dst={w}, value={100 + i})" for i, w in enumerate(writes)),
             "out = nl.ndarray(x.shape, x.dtype, nl.shared_hbm)", "nl.store(out, t)", "return out"]
    ((_, found),) = outputs(tmp_path, ARRAYS, lines, 1)
    n = X.copy()
    n[:, 3] = 100
    n[:, :, 1:10:3] = 101
    n.transpose(0, 2, 1)[:, 4] = 102
    n.view(np.int16)[:, 0, 0:4] = 103
    n[:, 7] = 104
    n.reshape(6, 80)[:, 12:17] = 105
    np.testing.assert_array_equal(found, n)


def test_elements_chosen_by_a_tensor_on_chip(tmp_path):
    # Offset i comes from index[i % 16, i // 16]: element columns 16 partitions deep (NeuronCore-v4).
    x = RNG.standard_normal((16, 40)).astype(np.float32)
    index = RNG.integers(0, 40, (16, 2)).astype(np.uint32)
    lines = ["t = nl.load(x)", "i = nl.ndarray((16, 2), nl.uint32)", "nisa.dma_copy(dst=i, src=index)", "v = t.indirect(i, 20)",
             "assert v.is_indirect() and v.shape == (16, 20) and t.indirect(i).shape == (16, 32)",
             "c = nl.ndarray(v.shape, v.dtype)", "nisa.tensor_copy(dst=c, src=v, engine=nisa.engine.vector)",
             "out = nl.ndarray(v.shape, v.dtype, nl.shared_hbm)", "nl.store(out, c)", "return out"]
    ((_, found),) = outputs(tmp_path, {"x": x, "index": index}, lines, 1, "--target", "trn3")
    np.testing.assert_array_equal(found, x[:, [index[i % 16, i // 16] for i in range(20)]])


def test_attributes_and_queries(tmp_path):
    lines = [*PREPARE,
             "assert (t.shape, t.strides, t.offset, t.ndim, t.size) == ((6, 8, 10), (80, 10, 1), 0, 3, 480)",
             "v = t[:, 2:4].permute((0, 2, 1))", "assert (v.shape, v.strides, v.offset) == ((6, 10, 2), (80, 1, 10), 20)",
             "assert v.get_pattern() == [[80, 6], [1, 10], [10, 2]] and v.dtype == nl.int32 and v.buffer == nl.sbuf",
             "assert t.is_contiguous() and not v.is_contiguous() and t[2:4].is_contiguous() and not t[:, :, 0:9].is_contiguous()",
             "assert not v.is_indirect() and x.select(0, one).is_indirect() and x.vector_select(0, rows).is_indirect()",
             "assert x.is_contiguous() and not x[:, 0].is_contiguous() and x.name == 'x' and x.buffer == nl.hbm",
             "assert x[6:6].shape == (0, 8, 10) and t[:, 3:1].permute((0, 2, 1)).shape == (6, 10, 0) and t[:, 2:2].size == 0",
             "assert nl.ndarray((4, 4), nl.int8, name='mine').name == 'mine' and t.view(nl.int16).strides == (160, 20, 1)"]
    (tmp_path / "k.py").write_text(source(ARRAYS, lines))
    done = run_klr("trace", tmp_path / "k.py", "x=i32[6,8,10]", "rows_=i32[4,1]", "one_=i32[1,1]")
    assert done.returncode == 0, done.stderr


REFUSED = {
    "t.slice(1, 2, 9)": ("E0402", ["9", "8"]), "nisa.memset(t.slice(1, 3, 3), 0)": ("E0402", ["(6, 0, 10)"]), "t.slice(1, 0, 4, 0)": ("E040", ["step"]),
    "t.slice(3, 0, 1)": ("E0406", ["3"]), "t.slice(1, -2, 4)": ("E0402", ["-2"]), "t.select(1, 8)": ("E0402", ["8"]),
    "t.select(0, one)": ("E0405", ["partition"]), "t.select(1, 2.5)": ("E0406", ["2.5"]),
    "x.select(0, one).select(0, one)": ("E0407", ["run"]), "t.vector_select(0, rows)": ("E0407", ["on chip"]),
    "x.vector_select(1, rows)": ("E0407", ["0"]), "x.vector_select(0, 3)": ("E0406", ["tensor"]),
    "t.permute((1, 0, 2))": ("E0405", ["partition"]), "t.permute((0, 1))": ("E0406", ["3"]), "t.permute((0, 1, 1))": ("E0406", ["1"]),
    "t.broadcast(1, 4)": ("E0406", ["1", "8"]), "t[0:1].broadcast(0, 4)": ("E0405", ["partition"]),
    "t.expand_dim(0)": ("E0405", ["partition"]), "t.expand_dim(5)": ("E0406", ["5"]), "t.squeeze_dim(1)": ("E0406", ["8"]),
    "t[0:1].squeeze_dim(0)": ("E0405", ["partition"]), "t.reshape_dim(1, (3, 3))": ("E0406", ["8"]),
    "t.reshape_dim(1, (-1, -1))": ("E0406", ["-1"]), "t.reshape_dim(0, (2, 3))": ("E0405", ["partition"]),
    "t.flatten_dims(0, 1)": ("E0405", ["partition"]), "t[:, :, 0:9].flatten_dims(1, 2)": ("E0404", ["memory"]),
    "t.reshape((6, 79))": ("E0406", ["480"]), "t.reshape((48, 10))": ("E0405", ["partition"]),
    "t.permute((0, 2, 1)).reshape((6, 80))": ("E0404", ["memory"]),
    "t.rearrange(('p', 'a'), ('p', 'a'))": ("E0406", ["2 dimensions"]), "t.rearrange(('p', 'a', 'b'), ('p', 'a', 'c'))": ("E0406", ["c"]),
    "nisa.memset(t.ap([[80, 6], [1, 81]]), 0)": ("E0409", []), "t.ap([[80, 6], [1, 5]], offset=-1)": ("E0409", ["-1"]),
    "nisa.memset(t.ap([[10, 6], [1, 5]]), 0)": ("E0409", ["partition"]), "t.ap(3)": ("E0406", ["pattern"]),
    "nisa.memset(t.ap([[80, 6], [1, 5]], offset=479), 0)": ("E0409", ["made here"]), "t.view('float7')": ("E0408", ["float7"]),
    "t.permute((0, 2, 1)).view(nl.int16)": ("E0408", ["step 10"]), "t.view(nl.int16)[:, :, 0:3].view(nl.int32)": ("E0408", ["3"]),
    "t[9]": ("E0402", ["9"]), "t[:, 0:9]": ("E0402", ["9"]), "t[0, 0, 0, 0]": ("E0403", ["4 indices"]), "t['a']": ("E0403", ["str"]),
    "t[:, ::-1]": ("E0403", ["step"]), "nisa.memset(t[:, 5:3], 0)": ("E0402", ["(6, 0, 10)"]),
    "t[6:6][0]": ("E0402", ["size 0"]), "nisa.dma_copy(dst=t, src=x.vector_select(0, rows[2:2]))": ("E0407", ["(0, 1)"]),
}


@pytest.mark.parametrize("expression", REFUSED)
def test_what_no_view_can_show_is_refused(tmp_path, expression):
    code, texts = REFUSED[expression]
    (tmp_path / "k.py").write_text(source(ARRAYS, [*PREPARE, expression]))
    done = run_klr("run", tmp_path / "k.py", "x=zeros:i32[6,8,10]", "rows_=zeros:i32[4,1]", "one_=zeros:i32[1,1]", "--json")
    assert done.returncode == 1, done.stdout
    first = next(d for d in json.loads(done.stdout)["diagnostics"] if d["severity"] == "error")
    assert first["code"].startswith(code) and first["line"] == 12, first
    for text in texts:
        assert text in json.dumps(first), first
