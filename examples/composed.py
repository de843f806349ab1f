"""A kernel put together from classes and function values: a small MLP whose activation is chosen by the caller."""

from dataclasses import dataclass
from enum import Enum

import nki
import nki.isa as nisa
import nki.language as nl


class Activation(Enum):
    RELU = "relu"
    GELU = "gelu"
    SILU = "silu"


def fetch(source):
    tile = nl.ndarray(source.shape, dtype=source.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=source)
    return tile


@dataclass
class Layer(nl.NKIObject):
    """y = act(W^T x + b) with x held transposed: (features, batch)."""

    weight: object
    bias: object
    act: object = None

    def features(self):
        return self.weight.shape[1]

    def __call__(self, x_t):
        features, batch = self.features(), x_t.shape[1]
        product = nl.ndarray((features, batch), dtype=nl.float32, buffer=nl.psum)
        nisa.nc_matmul(dst=product, stationary=fetch(self.weight), moving=x_t)
        y = nl.ndarray((features, batch), dtype=x_t.dtype, buffer=nl.sbuf)
        self.act(y, product, fetch(self.bias))
        return y


def activate_with(op):
    """A function that applies `op` and a bias per partition."""

    def apply(dst, src, bias):
        nisa.activation(dst=dst, op=op, data=src, bias=bias)

    return apply


CHOICES = {Activation.RELU: nl.relu, Activation.GELU: nl.gelu, Activation.SILU: nl.silu}


@nki.jit
def mlp(x_t, w1, b1, w2, b2, activation="gelu"):
    """x_t (inputs <= 128, batch <= 512), w1 (inputs, hidden <= 128), b1 (hidden, 1), w2 (hidden, outputs), b2 (outputs, 1).
    """
    layers = [Layer(weight=w1, bias=b1, act=activate_with(CHOICES[Activation(activation)])),
              Layer(w2, b2, activate_with(nl.copy))]
    x = fetch(x_t)
    for layer in layers:
        x = layer(x)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=x)
    return out
