from typing import Any, List, Tuple

version: str

def kinds() -> List[Tuple[str, str, str, List[Tuple[str, str, str, str, str, bool]]]]: ...

class Session:
    def __getattr__(self, name: str) -> Any: ...

class Kernel:
    def __getattr__(self, name: str) -> Any: ...
