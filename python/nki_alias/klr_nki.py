"""Lets `import nki`, `neuronxcc.nki`, `nki_cpu_simulator`, `neuron_dtypes`, `atlas_kernel` and `atlas_compile` mean KLR's where nothing
else is called so.

Python imports this file when it starts, through klr_nki.pth; nothing of KLR is loaded before one of the names is asked for.
"""

import sys


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in ("nki", "neuronxcc", "nki_cpu_simulator", "neuron_dtypes", "atlas_kernel", "atlas_compile"):
            return None
        try:
            from klr import _alias
        except ImportError:  # klr itself was removed
            return None
        return _alias.find_spec(name, path, Finder)


sys.meta_path.insert(0, Finder)
