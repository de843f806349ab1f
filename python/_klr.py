"""What the NKI library is made of, for Python: the module that `nki/*.py` imports, as the tracer has its own."""

from klr._library import *  # noqa: F401,F403
