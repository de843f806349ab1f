"""Kernels inside of programs that use torch or jax. Tests of a framework that is not installed are skipped; `make check-long`
installs torch for them (tests/long/test_torch.py)."""

import os
import sys
import threading
import traceback
import warnings

import ml_dtypes
import numpy as np
import pytest

from conftest import PACKAGE

if not os.path.exists(os.path.join(PACKAGE, "klr", "_native.abi3.so")):
    pytest.skip("the Python package is not built", allow_module_level=True)
sys.path.insert(0, PACKAGE)

import klr  # noqa: E402
import klr.core  # noqa: E402
import klr.frontend  # noqa: E402
import klr.nki as nki  # noqa: E402
import klr.nki.isa as nisa  # noqa: E402
import klr.nki.language as nl  # noqa: E402

pytestmark = pytest.mark.slow  # one interpreter, without the sanitizers' runtime


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def jax():
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    return pytest.importorskip("jax")


def load(x):
    t = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=t, src=x)
    return t


def store(t):
    out = nl.ndarray(t.shape, dtype=t.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=t)
    return out


@nki.jit
def add(a, b):
    t = load(a)
    nisa.tensor_tensor(dst=t, data1=t, data2=load(b), op=nl.add)
    return store(t)


@nki.jit
def scaled(x, factor):
    t = load(x)
    nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=factor)
    return store(t)


@nki.jit
def negated(x):
    t = load(x)
    nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=-1.0)
    nisa.dma_copy(dst=x, src=t)
    return x


@nki.jit
def negate(x):
    t = load(x)
    nisa.tensor_scalar(dst=t, data=t, op0=nl.multiply, operand0=-1.0)
    nisa.dma_copy(dst=x, src=t)


@nki.jit
def rows_and_cast(x, dtype):
    wide, narrow = load(x), nl.ndarray(x.shape, dtype=dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=narrow, src=x)
    return store(narrow), None, store(wide)


@nki.jit
def grouped(group):
    return add(group["a"], group["b"][0])


@nki.jit
def fails(x):
    assert x.shape[0] == 3, "three rows"
    return store(load(x))


# ---- torch

TORCH_TYPES = ["float32", "float16", "bfloat16", "int32", "int16", "int8", "uint8", "uint16", "uint32", "bool", "float8_e4m3fn",
               "float8_e5m2", "float8_e8m0fnu"]


@pytest.mark.parametrize("name", TORCH_TYPES)
def test_torch_types_go_both_ways(torch, name):
    if not hasattr(torch, name):
        pytest.skip(f"this torch has no {name}")
    dtype = getattr(torch, name)
    x = torch.tensor([[0.0, 1.0, 2.0], [1.0, 4.0, 0.5]]).to(dtype)
    result = scaled(x, 1.0) if name not in ("bool", "float8_e8m0fnu") else rows_and_cast(x, nl.float32)[2]
    assert isinstance(result, torch.Tensor) and result.dtype == dtype and result.shape == x.shape
    assert torch.equal(result.to(torch.float32), x.to(torch.float32))


def test_torch_dtypes_as_arguments(torch):
    narrow, nothing, wide = rows_and_cast(torch.ones(4, 3), torch.bfloat16)
    assert (narrow.dtype, nothing, wide.dtype) == (torch.bfloat16, None, torch.float32)


def test_torch_memory_is_used_in_place(torch):
    x = torch.arange(12.0).reshape(3, 4)
    before, version = x.clone(), x._version
    assert negated(x) is x and torch.equal(x, -before) and x._version > version
    for view in (x.T, x[:, ::2], x[1:]):
        before = view.clone()
        assert negate(view) is None
        assert torch.equal(view, -before)
    with pytest.raises(ValueError, match="several elements lie in one place"):
        negate(torch.ones(1, 4).expand(3, 4))
    half = torch.ones(4, 4, dtype=torch.bfloat16)
    negate(half[:, :2])
    assert half.sum() == 0


def test_torch_layouts_that_are_read(torch):
    x = torch.arange(12.0).reshape(3, 4)
    for view in (x, x.T, x[:, 1::2], x[:1].expand(3, 4), torch._neg_view(x), torch.nn.Parameter(x, requires_grad=False),
                 x.as_subclass(type("Sub", (torch.Tensor,), {}))):
        assert torch.equal(add(view, view), view.as_subclass(torch.Tensor) * 2)


def test_torch_tensors_that_no_kernel_takes(torch):
    x = torch.ones(3, 4)
    for wrong, message in ((torch.ones(3, 4, device="meta"), "meta device"), (x.to_sparse(), "to_dense"), (x.to_sparse_csr(), "to_dense"),
                           (x.to(torch.float64), r"\.to\(torch\.float32\)"), (x.to(torch.int64), r"\.to\(torch\.int32\)"),
                           (x.to(torch.complex64), "does not have"), (torch.quantize_per_tensor(x, 1.0, 0, torch.quint8), "does not have")):
        with pytest.raises(TypeError, match=f"argument `b` is .*{message}"):
            add(x, wrong)
    from torch._subclasses.fake_tensor import FakeTensorMode
    with FakeTensorMode(), pytest.raises(TypeError, match="without memory of its own"):
        add(torch.ones(3, 4), torch.ones(3, 4))
    with pytest.raises(TypeError, match="torch.func"):
        torch.vmap(lambda y: add(y, y))(torch.ones(2, 3, 4))


def test_torch_gradients(torch):
    x = torch.ones(3, 4, requires_grad=True)
    with pytest.warns(klr.Warning, match="argument `a` requires a gradient") as caught:
        assert not add(x, x).requires_grad
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match="requires a gradient"):
        negate(x)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(add(x, x), torch.full((3, 4), 2.0))
        negate(x)
    assert x.min() == -1
    with torch.inference_mode():
        y = torch.ones(2, 2)
        assert negated(y) is y and y.max() == -1

    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.factor = factor
            return scaled(x, factor)

        @staticmethod
        def backward(ctx, gradient):
            return scaled(gradient.contiguous(), ctx.factor), None

    x = torch.ones(3, 4, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (Scale.apply(Scale.apply(x, 3.0), 2.0) * 5).sum().backward()
    assert torch.equal(x.grad, torch.full((3, 4), 30.0))

    y = torch.ones(3, 4, requires_grad=True)
    z = y * 1.0
    squared = (z * z).sum()
    with torch.no_grad():
        negate(z)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        squared.backward()


def test_torch_modules_and_compiled_functions(torch):
    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.full((3, 4), 2.0), requires_grad=False)
            self.kernel = add[2]

        def forward(self, x):
            return self.kernel(x, self.weight)

    layer, x = Layer(), torch.ones(3, 4)
    assert torch.equal(layer(x), x * 3)

    def function(y):
        return add(y * 2, y) + 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(torch.compile(function, backend="eager")(x), x * 4)
        assert torch._dynamo.explain(function)(x).graph_break_count == 1  # the compiler does not look into the call
    with pytest.raises(klr.Error) as caught:
        torch.compile(function, backend="eager")(torch.ones(129, 4))
    assert traceback.extract_tb(caught.value.__traceback__)[-1].filename == __file__


def test_torch_with_other_arrays(torch):
    x = torch.ones(3, 4)
    assert isinstance(add(x, x.numpy()), np.ndarray)
    with pytest.raises(ValueError, match="shares memory"):
        copy = nki.jit(copied)
        copy(x, x.numpy())
    assert float(scaled(x, torch.tensor(3.0))[0, 0]) == 3
    assert torch.equal(grouped({"a": x, "b": [x * 2]}), x * 3)
    assert isinstance(klr.frontend.Kernel(add.function).specialize((x, x)), klr.core.Kernel)


def copied(x, y):
    nisa.dma_copy(dst=x, src=load(y))


# ---- jax

JAX_TYPES = ["float32", "float16", "bfloat16", "int32", "int16", "int8", "uint8", "uint16", "uint32", "float8_e4m3", "float8_e4m3fn", "float8_e5m2"]


@pytest.mark.parametrize("name", JAX_TYPES)
def test_jax_types_go_both_ways(jax, name):
    x = jax.numpy.array([[0, 1, 2], [1, 4, 3]], name)
    for call in (scaled, jax.jit(lambda y, f: scaled(y, 1.0)), jax.jit(scaled, static_argnums=1)):
        result = call(x, 1.0)
        assert isinstance(result, jax.Array) and result.dtype == x.dtype
        assert np.array_equal(np.asarray(result).astype(np.float32), np.asarray(x).astype(np.float32))


def test_jax_dtypes_as_arguments(jax):
    narrow, nothing, wide = rows_and_cast(jax.numpy.ones((4, 3)), jax.numpy.bfloat16)
    assert (narrow.dtype, nothing, wide.dtype) == (ml_dtypes.bfloat16, None, np.float32)


def test_jax_functions_that_call_kernels(jax):
    jnp = jax.numpy
    x = jnp.arange(12.0).reshape(3, 4)
    assert jnp.array_equal(jax.jit(lambda y: add(y * 2, jnp.ones_like(y)) - 1)(x), x * 2)
    narrow, nothing, wide = jax.jit(lambda y: rows_and_cast(y + 1, nl.bfloat16))(x)
    assert narrow.dtype == jnp.bfloat16 and nothing is None and jnp.array_equal(wide, x + 1)
    assert jnp.array_equal(jax.jit(lambda y: grouped({"a": y, "b": [np.ones((3, 4), np.float32)]}))(x), x + 1)
    many = jnp.arange(24.0).reshape(2, 3, 4)
    for over in (jax.vmap, lambda f: jax.jit(jax.vmap(f))):
        assert jnp.array_equal(over(lambda y: add(y, x))(many), many + x)
    assert jnp.array_equal(jax.lax.fori_loop(0, 5, lambda i, y: add(y, x), x), x * 6)
    assert jnp.array_equal(jax.jit(lambda y: jax.lax.cond(y[0, 0] > 1, negated, lambda z: add(z, z), y))(x), x * 2)
    shape = jax.eval_shape(lambda y: scaled(y, 2.0), jax.ShapeDtypeStruct((5, 6), jnp.bfloat16))
    assert shape.shape == (5, 6) and shape.dtype == jnp.bfloat16
    large = jnp.ones((128, 8192))
    assert jnp.array_equal(jax.jit(lambda y: add(y, y))(large), large * 2)


def test_jax_gradients(jax):
    jnp = jax.numpy
    x = jnp.ones((3, 4))
    with pytest.raises(ValueError, match="custom_[jv][vj]p"):
        jax.grad(lambda y: scaled(y, 2.0).sum())(x)

    @jax.custom_vjp
    def triple(y):
        return scaled(y, 3.0)

    triple.defvjp(lambda y: (triple(y), None), lambda _, g: (scaled(g, 3.0),))
    for grad in (jax.grad, lambda f: jax.jit(jax.grad(f))):
        assert jnp.array_equal(grad(lambda y: (triple(triple(y)) * 2).sum())(x), x * 18)


def test_jax_arrays_are_never_written(jax):
    jnp = jax.numpy
    x = jnp.arange(12.0).reshape(3, 4)
    wanted = -np.asarray(x)
    for call in (negated, jax.jit(negated)):
        assert np.array_equal(call(x), wanted)
        assert np.array_equal(x, -wanted)
    for call in (negate, jax.jit(negate)):
        with pytest.raises(TypeError, match="argument `x` and does not return it"):
            call(x)
    with pytest.raises(TypeError, match="`x`"):
        nki.jit(copied)(x, np.zeros((3, 4), np.float32))


def test_jax_errors(jax):
    jnp = jax.numpy
    x = jnp.ones((4, 4))
    with pytest.raises(AssertionError, match="three rows") as caught:
        jax.jit(fails)(x)
    assert caught.value.code == "E0309"
    with pytest.raises(TypeError, match="argument `factor` is a number that jax traces.*static_argnums"):
        jax.jit(scaled)(x, 2.0)
    assert float(scaled(x, jnp.float32(2.0))[0, 0]) == 2
    for wrong in (jnp.ones((4, 4), jnp.complex64), jax.random.key(0)[None]):
        with pytest.raises(TypeError, match="argument `b` is an array of dtype"):
            add(x, wrong)
    gone = jnp.ones((4, 4))
    gone.delete()
    with pytest.raises(RuntimeError, match="deleted"):
        add(x, gone)
    assert jnp.array_equal(add(x, x), x * 2)


def test_jax_from_many_threads(jax):
    jnp = jax.numpy
    compiled, wrong = jax.jit(lambda y: scaled(y + 1, 2.0)), []

    def call(n):
        x = jnp.full((n + 1, 3), float(n))
        for _ in range(10):
            if not np.array_equal(compiled(x), np.full((n + 1, 3), 2.0 * (n + 1))):
                wrong.append(n)

    workers = [threading.Thread(target=call, args=(n,)) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_jax_sees_what_the_kernel_reaches_when_it_traces(jax):
    numbers = [2.0]

    @nki.jit
    def kernel(x):
        return scaled(x, numbers[0])

    x = jax.numpy.ones((2, 2))
    assert float(jax.jit(lambda y: kernel(y))(x)[0, 0]) == 2
    numbers[0] = 3.0
    assert float(kernel(x)[0, 0]) == 3 and float(jax.jit(lambda y: kernel(y))(x)[0, 0]) == 3
