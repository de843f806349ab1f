"""Enumerations that instructions take."""

from enum import Enum


class engine(Enum):
    """The engine that executes an instruction; `unknown` leaves the choice open."""

    unknown = 0
    tensor = 1
    scalar = 2
    gpsimd = 3
    dma = 4
    vector = 5
    sync = 6


class reduce_cmd(Enum):
    """What an instruction does with its engine's accumulator, one 32-bit register a partition."""

    idle = 0          # leave it
    reset = 1         # set it to the start value
    reduce = 2        # go on from the kept value
    reset_reduce = 3  # start anew
    load_reduce = 4   # start from a given value


class dge_mode(Enum):
    """Who makes the descriptors of a DMA transfer."""

    unknown = 0
    swdge = 1
    hwdge = 2
    none = 3


class oob_mode(Enum):
    """What a DMA transfer does with an index out of bounds."""

    error = 0
    skip = 1


class matmul_perf_mode(Enum):
    """How the tensor engine is fed; double_row takes two rows of 8-bit floats at a time."""

    none = "none"
    double_row = "double_row"


class dma_engine(Enum):
    """Which DMA engines exchange tiles between cores."""

    dma = 1
    gpsimd_dma = 2


class nc_version(Enum):
    """NeuronCore generations, ordered; also compared with plain integers."""

    gen1 = 1
    gen2 = 2
    gen3 = 3
    gen4 = 4

    def __lt__(self, other):
        return self.value < _generation(other)

    def __le__(self, other):
        return self.value <= _generation(other)

    def __gt__(self, other):
        return self.value > _generation(other)

    def __ge__(self, other):
        return self.value >= _generation(other)

    def __eq__(self, other):
        return self.value == _generation(other)

    def __hash__(self):
        return hash(self.value)


def _generation(version):
    return version.value if isinstance(version, nc_version) else version
