from typing import Any, List, Tuple, TypeVar

F = TypeVar("F")
version: str

def Entry(function: F) -> F: ...

def kinds() -> List[Tuple[str, str, str, List[Tuple[str, str, str, str, str, bool]]]]: ...

class Session:
    def __getattr__(self, name: str) -> Any: ...

class Kernel:
    def __getattr__(self, name: str) -> Any: ...

class Registry:
    def __getattr__(self, name: str) -> Any: ...
