import itertools
def f(n):
    g = (i * n for i in itertools.count() if i % 2)
    n = 10
    return next(g), next(g), g
a, b, g = f(3)
print(a, b, next(g))
print(any(print(i) or i > 1 for i in range(5)))
xs = [1, 2, 3]
h = (x + y for x in xs for y in xs if x != y)
print(list(h), list(h))
print([list(zip((a for a in p), (a for a in p))) for p in ("ab", "cd")])
print(sum(x * x for x in (y + 1 for y in xs)))
def outer():
    fs = [lambda: k for k in range(3)]
    gs = [(k + j for j in range(2)) for k in range(3)]
    return [q() for q in fs], [list(z) for z in gs]
print(outer())
class C:
    ys = tuple(v for v in range(3))
print(C.ys, max((w for w in []), default=7), dict((c, 1) for c in "ab"))
def rec(n): return sum(rec(m) for m in range(n)) + 1
print(rec(5))
gg = (next(gg) for _ in range(3))
try: next(gg)
except ValueError as e: print(e)
g3 = ((lambda: q)() for q in range(3))
print(list(g3))
print(next(i for i in range(10**12) if i > 5))
