def attempt(f):
    try: r = f()
    except Exception as e: print(type(e).__name__, "|", e, "|", e.args if not isinstance(e, (KeyError, OverflowError)) else "")
    else: print("ok", r)
class A:
    def __init__(self, x): self.x = x
    @property
    def ro(self): return 1
tests = [
    lambda: 1 / 0, lambda: 1 // 0, lambda: 1 % 0, lambda: 1.0 / 0, lambda: 1.0 // 0, lambda: 1.0 % 0, lambda: 0 ** -1, lambda: divmod(1, 0),
    lambda: 1 + "a", lambda: "a" + 1, lambda: [1] + (2,), lambda: "a" * "b", lambda: [] - [], lambda: {} < {}, lambda: 1 < "a", lambda: None + 1, lambda: -"a", lambda: ~1.5, lambda: "a" - "b", lambda: 1.5 << 2, lambda: [1] * 1.5,
    lambda: [1, 2][5], lambda: (1,)[3], lambda: "abc"[10], lambda: {}["k"], lambda: {1: 2}[3], lambda: [1]["a"], lambda: "abc"["x"], lambda: (1,)["a"], lambda: 5[0], lambda: None[0], lambda: {}[[]], lambda: {[]: 1}, lambda: {{}}, lambda: hash([]),
    lambda: undefined_name, lambda: A(1).nope, lambda: [].foo, lambda: "s".bar, lambda: (5).baz, lambda: None.x, lambda: A.zzz, lambda: A(), lambda: A(1, 2), lambda: A(y=1), lambda: len(5), lambda: len(), lambda: 5(), lambda: "s"(), lambda: None(),
    lambda: int("abc"), lambda: int("12", 1), lambda: float("x"), lambda: int([]), lambda: float([]), lambda: int(float("nan")), lambda: int(float("inf")), lambda: chr(-1), lambda: ord("ab"), lambda: ord(5),
    lambda: [].pop(), lambda: [1].pop(5), lambda: [1].remove(2), lambda: [1].index(2), lambda: (1,).index(2), lambda: "a".index("b"), lambda: {}.pop("k"), lambda: {}.popitem(), lambda: set().pop(), lambda: {1}.remove(2), lambda: "a".join([1]), lambda: "".split(""),
    lambda: max([]), lambda: min(), lambda: sum(["a"]), lambda: sorted([1, "a"]), lambda: next(iter([])), lambda: list(5), lambda: tuple(None), lambda: dict([1]), lambda: dict([(1, 2, 3)]), lambda: set(5), lambda: enumerate(5), lambda: zip(5), lambda: range(1.5), lambda: range(0, 5, 0), lambda: [1, 2][::0],
    lambda: (lambda a, b: 1)(1), lambda: (lambda a: 1)(1, 2), lambda: (lambda a: 1)(b=1), lambda: (lambda a: 1)(1, a=2), lambda: (lambda *, k: 1)(), lambda: (lambda a, b, c: 1)(), lambda: (lambda: 1)(1), lambda: (lambda a, b=1: 1)(1, 2, 3),
    lambda: setattr(A(1), "ro", 5), lambda: setattr(5, "x", 1), lambda: isinstance(1, 5), lambda: 1 in 5, lambda: "a" in 5, lambda: 5 in "a", lambda: round("a"), lambda: abs("a"), lambda: "%d" % "a", lambda: "%s %s" % (1,), lambda: "%s" % (1, 2), lambda: "{} {}".format(1), lambda: "{x}".format(), lambda: f"{5:q}", lambda: f"{'a':d}", lambda: f"{1.5:d}", lambda: f"{[]:5}", lambda: 1 << -1, lambda: (-1) ** 0.5 if False else 10.0 ** 400, lambda: float(10 ** 400), lambda: 10 ** 400 / 1,
    lambda: 2 .foo, lambda: __import__("nope_module"), lambda: object().x, lambda: pow(2, -1, 4), lambda: bytes, lambda: "abc".center(5, "xx"),
]
for t in tests: attempt(t)
def unpack1(): a, b = [1]
def unpack2(): a, b = [1, 2, 3]
def unpack3(): a, *b, c = [1]
def unpack4(): a, b = 5
def local():
    print(v)
    v = 1
def dele():
    w = 1
    del w
    return w
def setslice():
    l = [1, 2, 3]
    l[::2] = [1]
def setitem(): (1,)[0] = 5
def setstr(): "a"[0] = "b"
def delitem(): del {}["a"]
def delattr_(): del A(1).zzz
def listset(): [][0] = 1
def assert1(): assert 1 == 2
def assert2(): assert False, "message"
def raise1(): raise ValueError
def raise2(): raise ValueError("a", 1)
def raise3(): raise KeyError("k")
def raise4(): raise 5
def imp(): import no_such_module_xyz
def imp2(): from math import nothing_here
def rec(n=0): return rec(n + 1)
for t in (unpack1, unpack2, unpack3, unpack4, local, dele, setslice, setitem, setstr, delitem, delattr_, listset, assert1, assert2, raise1, raise2, raise3, raise4, imp, rec): attempt(t)
try: imp2()
except ImportError as e: print(type(e).__name__, str(e)[:40])
class MyErr(Exception):
    def __init__(self, code): super().__init__(f"code {code}"); self.code = code
class Sub(MyErr): pass
try: raise Sub(5)
except (KeyError, MyErr) as e: print(type(e).__name__, e, e.code, isinstance(e, Exception))
def flow(k):
    try:
        if k == 0: return "ret"
        if k == 1: raise ValueError("v")
        if k == 2: raise KeyError("key")
        if k == 3: 1 / 0
    except ValueError as e: return f"caught {e}"
    except KeyError: print("re"); raise
    else: return "else"
    finally: print("finally", k)
    return "end"
for k in (0, 1, 3, 4):
    try: print(flow(k))
    except Exception as e: print("out", repr(e))
try: flow(2)
except KeyError as e: print(repr(e), str(e))
def fin():
    for i in range(3):
        try:
            if i == 1: continue
            if i == 2: break
            print("body", i)
        finally: print("fin", i)
    try: return 1
    finally: print("after return")
print(fin())
def override():
    try: return 1
    finally: return 2
print(override())
try:
    try: raise ValueError("inner")
    except ValueError as e: raise RuntimeError("outer") from e
except RuntimeError as e: print(e, repr(e.__cause__))
print(repr(ValueError()), repr(ValueError("a")), repr(ValueError("a", 2)), str(ValueError("a", 2)), str(KeyError("x")), ValueError("q").args, issubclass(ZeroDivisionError, ArithmeticError), issubclass(KeyError, LookupError))
try:
    [1, 2, 3].foo()
except AttributeError as err: saved = str(err)
print(saved)
try: err
except NameError as e: print(e)
