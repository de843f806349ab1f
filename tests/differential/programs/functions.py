def f(a, b=2, *args, c, d=4, **kw): return (a, b, args, c, d, kw)
print(f(1, c=3), f(1, 2, 3, 4, c=5, d=6, e=7), f(*[1, 2, 3], **{"c": 1, "z": 2}))
def g(a, /, b, *, c): return a, b, c
print(g(1, 2, c=3), g(1, b=2, c=3))
def default(x, acc=[]): acc.append(x); return acc
print(default(1), default(2), default(3, []))
def fact(n): return 1 if n < 2 else n * fact(n - 1)
print(fact(30))
def counter():
    n = 0
    def inc(by=1):
        nonlocal n
        n += by
        return n
    def get(): return n
    return inc, get
inc, get = counter(); inc(); inc(5); print(get())
fs = [lambda: i for i in range(3)]; print([h() for h in fs])
fs = [lambda i=i: i for i in range(3)]; print([h() for h in fs])
def make(n): return lambda x: x + n
print(make(5)(10), (lambda *a, **k: (a, k))(1, b=2), (lambda: None)())
G = 10
def use(): return G
def setg():
    global G
    G = 20
setg(); print(use(), G)
def early(xs):
    for i, x in enumerate(xs):
        if x < 0: break
        if x == 0: continue
        print(i, x)
    else:
        print("no break")
    return "done"
print(early([1, 0, 2]), early([1, -1]))
n = 0
while n < 5:
    n += 1
    if n == 2: continue
    if n == 4: break
    print(n)
else: print("never")
while n < 6: n += 1
else: print("else", n)
def gen(n):
    for i in range(n): yield i * i
print(list(gen(4)), sum(gen(5)))
def gen2():
    yield from gen(3)
    yield 100
print(list(gen2()), next(gen2()))
if (m := 10) > 5: print(m)
print([y := 1, y + 1], (z := 3) + z)
def deco(fn):
    def wrap(*a, **k):
        print("call", fn.__name__)
        return fn(*a, **k)
    return wrap
@deco
@deco
def hi(x): return x * 2
print(hi(4), hi.__name__)
def vararg(*a): return len(a)
print(vararg(), vararg(1, 2), vararg(*range(5)))
def kw(**k): return sorted(k.items())
print(kw(b=1, a=2), kw(**dict(x=1), y=2))
def nested():
    x = 1
    def a():
        def b(): return x
        return b
    x = 2
    return a()()
print(nested())
def comp_scope():
    x = "outer"
    r = [x for x in range(3)]
    return x, r, [[y for y in range(x)] for x in range(3)]
print(comp_scope())
def shadow():
    total = 0
    for total in range(3): pass
    return total
print(shadow())
print(f.__name__, f.__defaults__, fact.__qualname__, make.__name__, (lambda: 1).__name__)
def ack(m, n):
    if m == 0: return n + 1
    if n == 0: return ack(m - 1, 1)
    return ack(m - 1, ack(m, n - 1))
print(ack(2, 3))
def order(x): print("eval", x); return x
print(order(1) + order(2) * order(3), order(1) < order(0) < order(5), order(0) and order(1), [order(2), order(3)][order(0)])
d = {order("k"): order("v")}; order(d)[order("z")] = order(9); print(d)
def ret_multi(): return 1, 2, 3
a, b, c = ret_multi(); print(a, b, c)
def docs():
    """Doc."""
print(docs.__doc__, docs())
def unpack_nested():
    for (a, b), c in [((1, 2), 3), ((4, 5), 6)]: print(a + b + c)
    for i, (k, v) in enumerate({"x": 1}.items()): print(i, k, v)
unpack_nested()
x = 5
x += 3; x -= 1; x *= 2; x //= 3; x **= 2; x %= 7; x <<= 3; x |= 1; x &= 0xff; x ^= 2; x >>= 1; print(x)
class Matcher:
    def __init__(self, a, b): self.a, self.b = a, b
    __match_args__ = ("a", "b")
def m(v):
    match v:
        case 0: return "zero"
        case 1 | 2: return "small"
        case int(n) if n > 100: return f"big {n}"
        case [a, b]: return f"pair {a} {b}"
        case [first, *rest]: return f"list {first} {rest}"
        case {"k": w, **others}: return f"map {w} {others}"
        case Matcher(1, b=q): return f"matcher {q}"
        case str() as s: return "str " + s
        case None: return "none"
        case _: return "other"
print([m(v) for v in (0, 2, 500, [1, 2], [1, 2, 3], {"k": 1, "z": 2}, Matcher(1, 7), Matcher(2, 7), "s", None, 50, [])])
