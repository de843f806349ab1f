from dataclasses import dataclass, field, replace, asdict, astuple, fields, is_dataclass
from enum import Enum, IntEnum, auto, Flag, IntFlag, unique
from typing import NamedTuple, Optional, List, ClassVar, Any, Union
@dataclass
class P:
    x: int
    y: int = 2
    tags: list = field(default_factory=list)
    K: ClassVar[int] = 7
    def norm(self): return self.x ** 2 + self.y ** 2
p = P(1); q = P(1, 2); p.tags.append("t"); print(p, q, p == q, P(1) == P(1), p.norm(), P.K, replace(p, x=9), asdict(p), astuple(q), [f.name for f in fields(P)], is_dataclass(P))
@dataclass(frozen=True, order=True)
class F:
    a: int
    b: str = "z"
print(F(1) < F(2), F(1, "a") < F(1, "b"), F(1) == F(1), hash(F(1)) == hash(F(1)), {F(1): 2}[F(1)], sorted([F(3), F(1)]))
try: F(1).a = 5
except Exception as e: print(type(e).__name__, e)
@dataclass
class C(P):
    z: float = 0.5
    w: Optional[int] = None
    def __post_init__(self): self.s = self.x + self.z
print(C(1), C(1, z=3.0).s, C(5, 6, [], 7.0, 8))
@dataclass
class H:
    a: int
    hidden: int = field(default=3, repr=False, compare=False)
    calc: int = field(init=False)
    def __post_init__(self): self.calc = self.a * 2
print(H(1), H(1).calc, H(1, 9) == H(1, 8), H(1).hidden)
@dataclass(eq=False)
class E0:
    v: int
print(E0(1) == E0(1), E0(1).v)
@dataclass(repr=False)
class R0:
    v: int
    def __repr__(self): return "custom"
print(R0(1))
for bad in (lambda: P(), lambda: P(1, 2, 3, 4), lambda: P(1, zz=2), lambda: F()):
    try: bad()
    except TypeError as e: print("TypeError", e)
class Color(Enum):
    RED = 1
    GREEN = 2
    BLUE = auto()
    CRIMSON = 1
    def desc(self): return f"{self.name}={self.value}"
    @staticmethod
    def st(): return "static"
    @classmethod
    def first(cls): return cls.RED
    @property
    def low(self): return self.name.lower()
print(Color.RED, repr(Color.GREEN), Color.BLUE.value, Color.CRIMSON is Color.RED, list(Color), len(Color), Color(2), Color["BLUE"], Color.RED == Color.RED, Color.RED != Color.GREEN, Color.RED.desc(), Color.st(), Color.first(), Color.RED.low, Color.RED in Color, isinstance(Color.RED, Color), {Color.RED: 1}[Color(1)], f"{Color.RED}", str(Color.GREEN), [c.name for c in Color], Color.RED in (Color.GREEN, Color.RED))
for bad in (lambda: Color(9), lambda: Color["X"]):
    try: bad()
    except (ValueError, KeyError) as e: print(type(e).__name__, e)
class Num(IntEnum):
    ONE = 1
    TWO = 2
print(Num.ONE + 1, Num.TWO > Num.ONE, Num.ONE == 1, Num.TWO >= 2, repr(Num.ONE), str(Num.TWO), f"{Num.TWO}", sorted([Num.TWO, Num.ONE]), [10, 20, 30][Num.TWO], int(Num.ONE), max(Num), isinstance(Num.ONE, int), Num(2))
class Sx(str, Enum):
    A = "aa"
    B = "bb"
print(Sx.A == "aa", Sx.A.value, Sx("bb"), Sx.A.upper(), repr(Sx.A), isinstance(Sx.A, str), {"aa": 1}[Sx.A])
class Planet(Enum):
    EARTH = (1.0, 2)
    MARS = (0.5, 3)
    def __init__(self, mass, r): self.mass = mass; self.r = r
    @property
    def g(self): return self.mass / self.r
print(Planet.EARTH.g, Planet.MARS.value, Planet.MARS.mass)
class Perm(Flag):
    R = auto()
    W = auto()
    X = auto()
print(Perm.R | Perm.W, (Perm.R | Perm.W) & Perm.W, Perm.R in (Perm.R | Perm.X), bool(Perm.R & Perm.W), Perm.X.value, repr(Perm.R | Perm.X))
class NT(NamedTuple):
    x: int
    y: str = "d"
    def both(self): return f"{self.x}{self.y}"
n = NT(1); print(n, n.x, n[1], n.both(), n._replace(x=3), NT(y="q", x=2), n == (1, "d"), list(n), NT._fields, n._asdict(), len(n), isinstance(n, tuple)); a, b = n; print(a, b)
try: NT()
except TypeError as e: print("TypeError")
Alias = Union[int, str]
def typed(a: "Undefined", b: List[NotDefinedYet] if False else int = 1) -> Any: return a
print(typed(3))
class Auto(Enum):
    A = auto()
    B = auto()
    C = 10
    D = auto()
print([m.value for m in Auto])
print(Color.__members__["RED"], Color.RED.__class__ is Color, type(Color.RED).__name__, hash(Color.RED) == hash(Color.RED))
