"""What the NKI library is made of, for Python: the module that `nki/*.py` imports, as the tracer has its own."""

import sys

from klr import _library

sys.modules[__name__] = _library
