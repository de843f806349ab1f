class A:
    count = 0
    def __init__(self, x): self.x = x; A.count += 1
    def m(self): return ("A.m", self.x)
    @property
    def double(self): return self.x * 2
    @double.setter
    def double(self, v): self.x = v // 2
    @staticmethod
    def st(a): return a + 1
    @classmethod
    def make(cls, x): return cls(x + 100)
    def __repr__(self): return f"A({self.x})"
    def __add__(self, o): return A(self.x + (o.x if isinstance(o, A) else o))
    def __radd__(self, o): return A(o + self.x)
    def __iadd__(self, o): self.x += o; return self
    def __mul__(self, o): return NotImplemented
    def __eq__(self, o): return isinstance(o, A) and self.x == o.x
    def __hash__(self): return hash(self.x)
    def __lt__(self, o): return self.x < o.x
    def __len__(self): return self.x
    def __getitem__(self, i): return (self.x, i)
    def __contains__(self, i): return i == self.x
    def __call__(self, *a, k=0): return (self.x, a, k)
    def __bool__(self): return self.x > 0
    def __neg__(self): return A(-self.x)
    def __iter__(self): return iter(range(self.x))
    def __format__(self, spec): return f"<{spec}:{self.x}>"
    def __index__(self): return self.x
    def __str__(self): return "str:" + str(self.x)
a = A(3); print(a, repr(a), a.m(), a.double, A.st(1), a.st(2), A.make(1), a + 4, 4 + a, a + a, a == A(3), a != A(4), a < A(5), sorted([A(3), A(1)]), len(a), a[5], 3 in a, a(1, k=2), bool(A(0)), -a, list(a), f"{a:xyz}", [10, 20, 30, 40][a], hash(a) == hash(3), {a: 1}[A(3)])
a.double = 20; print(a.x); a += 5; print(a.x, A.count, a.count, a.__class__.__name__, type(a) is A, isinstance(a, A))
a.new = 1; print(a.new, hasattr(a, "new"), getattr(a, "zip", "dflt"), a.__dict__); setattr(a, "q", 2); del a.new; print(hasattr(a, "new"), a.q)
class B(A):
    def __init__(self, x, y): super().__init__(x); self.y = y
    def m(self): return ("B.m",) + super().m()
    @property
    def double(self): return super().double + 1000
b = B(1, 2); print(b.m(), b.double, b, isinstance(b, A), issubclass(B, A), B.__mro__ == (B, A, object), B.__name__, B.__bases__ == (A,), B.make(1).x if False else "")
class X:
    def who(self): return "X"
class Y(X):
    def who(self): return "Y" + super().who()
class Z(X):
    def who(self): return "Z" + super().who()
class W(Y, Z):
    def who(self): return "W" + super().who()
print(W().who(), [c.__name__ for c in W.__mro__])
class Stack:
    def __init__(self): self.items = []
    def push(self, i): self.items.append(i); return self
    def __enter__(self): print("enter"); return self
    def __exit__(self, t, v, tb): print("exit", t.__name__ if t else None); return t is ValueError
with Stack() as s: s.push(1).push(2); print(s.items)
with Stack() as s: raise ValueError("x")
class It:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if self.n == 0: raise StopIteration
        self.n -= 1
        return self.n
print(list(It(3)), sum(It(4)), [x for x in It(2)], 1 in It(3), max(It(5)))
class Old:
    def __getitem__(self, i):
        if i > 2: raise IndexError
        return i * 10
print(list(Old()), 20 in Old())
class Dyn:
    def __getattr__(self, name):
        if name.startswith("x"): return name.upper()
        raise AttributeError(name)
    def __setattr__(self, n, v): object.__setattr__(self, n, v * 2)
d = Dyn(); d.v = 5; print(d.v, d.xyz, hasattr(d, "q"))
class M(dict):
    def __missing__(self, k): return k * 2
mm = M(a=1); mm["b"] = 2; print(mm["a"], mm["zz"], len(mm), sorted(mm), mm)
class L(list):
    def total(self): return sum(self)
l = L([1, 2, 3]); l.append(4); print(l, l.total(), len(l), l[0], l[1:], l + [5], isinstance(l, list), [1, 2, 3, 4] == l)
class I(int):
    def plus(self): return self + 1
print(I(5).plus(), I(5) * 2, I("7"), isinstance(I(1), int), I(3) == 3)
class S(str): pass
print(S("abc").upper(), S("a") + "b", len(S("xyz")))
class New:
    def __new__(cls, v):
        o = super().__new__(cls)
        o.v = v
        return o
print(New(5).v)
class Cls:
    items = []
    K = 5
    L2 = [K] * 2
    def add(self, i): self.items.append(i)
    class Inner:
        z = 9
Cls().add(1); Cls().add(2); print(Cls.items, Cls.L2, Cls.Inner.z, Cls.Inner().z)
print(A.m(a), A.__name__, type(5).__name__, type(None).__name__, type([]).__name__, type("").__name__, type(1.5) is float, type(print).__name__, type(A).__name__)
class P:
    def __init__(self): self.__secret = 1
    def get(self): return self.__secret
print(P().get(), P()._P__secret)
from functools import total_ordering
@total_ordering
class T:
    def __init__(self, v): self.v = v
    def __eq__(self, o): return self.v == o.v
    def __lt__(self, o): return self.v < o.v
print(T(1) <= T(1), T(2) > T(1), T(1) >= T(2), T(1) < T(2))
class Sub:
    subs = []
    def __init_subclass__(cls, **k): Sub.subs.append(cls.__name__)
class S1(Sub): pass
class S2(Sub): pass
print(Sub.subs)
class V:
    def __init__(self, *c): self.c = c
    def __sub__(self, o): return V(*[a - b for a, b in zip(self.c, o.c)])
    def __mul__(self, k): return V(*[a * k for a in self.c])
    def __rmul__(self, k): return self * k
    def __truediv__(self, k): return V(*[a / k for a in self.c])
    def __floordiv__(self, k): return V(*[a // k for a in self.c])
    def __mod__(self, k): return V(*[a % k for a in self.c])
    def __pow__(self, k): return V(*[a ** k for a in self.c])
    def __matmul__(self, o): return sum(a * b for a, b in zip(self.c, o.c))
    def __and__(self, o): return "and"
    def __or__(self, o): return "or"
    def __xor__(self, o): return "xor"
    def __lshift__(self, o): return "lshift"
    def __rshift__(self, o): return "rshift"
    def __invert__(self): return "inv"
    def __pos__(self): return "pos"
    def __abs__(self): return sum(abs(x) for x in self.c)
    def __round__(self, n=0): return "round"
    def __int__(self): return 7
    def __float__(self): return 7.5
    def __le__(self, o): return "le"
    def __ge__(self, o): return "ge"
    def __ne__(self, o): return "ne"
    def __setitem__(self, i, v): self.c = self.c[:i] + (v,) + self.c[i + 1:]
    def __delitem__(self, i): self.c = self.c[:i] + self.c[i + 1:]
    def __divmod__(self, o): return "divmod"
    def __reversed__(self): return iter(self.c[::-1])
v = V(1, 2, 3); w = V(4, 5, 6)
print((w - v).c, (v * 2).c, (2 * v).c, (v / 2).c, (w // 2).c, (w % 4).c, (v ** 2).c, v @ w, v & w, v | w, v ^ w, v << w, v >> w, ~v, +v, abs(v), round(v), int(v), float(v), v <= w, v >= w, v != w, divmod(v, 2), list(reversed(v)))
v[0] = 100; print(v.c); del v[1]; print(v.c)
print(callable(a), callable(A), callable(5), callable(print), callable(lambda: 1))
