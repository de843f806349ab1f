"""Annotations for tensors: `tensor`, `tensor[128, 512]`. They document; shapes and dtypes are not checked.

`isinstance(x, tensor)` asks whether x is a tensor.
"""

import _klr

tensor = _klr.NkiTensor
mutable_tensor = _klr.NkiTensor
