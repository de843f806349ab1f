"""Random Python programs that end, whose output does not depend on hashing or addresses.

`program(seed)` gives the text. Expressions are made by type, so most of them work; those that do not raise an exception,
which the program prints.
"""

import random

INTS = ["0", "1", "-1", "2", "3", "5", "7", "-8", "10", "63", "64", "100", "2**31", "-2**63", "2**64", "10**19"]
FLOATS = ["0.0", "-0.0", "1.0", "0.5", "-1.5", "2.675", "3.14159", "1e16", "1e-7", "123456.789", "1e300", "0.1"]
WORDS = ["''", "'a'", "'abc'", "'Hello World'", "'x,y,,z'", "'  pad '", "'naïve'", "'%d items'", "'{}-{}'", "'AbC'"]
SPECS = ["", "5", "<6", ">6", "^7", "*^9", "05", "+", "x", "#x", "b", "o", ",", "_", "e", ".2f", "10.3f", ".3g", "%",
         "+.1e", "08.2f", "d", "n", "c", "s", ".2", "=+8", "_x", ",.2f", ".0f", "#.3g", "z.1f"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.variables = {"int": [], "float": [], "str": [], "list": [], "dict": [], "tuple": [], "bool": []}
        self.functions = []
        self.count = 0
        self.lines = []

    def pick(self, items):
        return self.random.choice(items)

    def chance(self, probability):
        return self.random.random() < probability

    def name(self, prefix="v"):
        self.count += 1
        return f"{prefix}{self.count}"

    def of(self, kind, depth=0):
        if self.variables[kind] and self.chance(0.4):
            return self.pick(self.variables[kind])
        return getattr(self, "a_" + kind)(depth)

    def any(self, depth=0):
        return self.of(self.pick(["int", "int", "float", "str", "list", "dict", "tuple", "bool"]), depth)

    def a_int(self, depth):
        if depth > 3 or self.chance(0.25):
            return self.pick(INTS)
        i, j = (lambda: self.of("int", depth + 1)), (lambda: f"({self.of('int', depth + 1)})")
        return self.pick([
            lambda: f"({i()} {self.pick(['+', '-', '*', '//', '%', '&', '|', '^'])} {i()})",
            lambda: f"({j()} {self.pick(['<<', '>>'])} {self.random.randint(0, 70)})",
            lambda: f"({j()} ** {self.random.randint(0, 6)})",
            lambda: f"{self.pick(['-', '+', '~'])}{j()}",
            lambda: f"abs({i()})", lambda: f"len({self.of('list', depth + 1)})", lambda: f"len({self.of('str', depth + 1)})",
            lambda: f"int({self.of('float', depth + 1)})", lambda: f"round({self.of('float', depth + 1)})",
            lambda: f"max({i()}, {i()})", lambda: f"min({i()}, {i()}, {i()})", lambda: f"sum({self.ints(depth)})",
            lambda: f"divmod({i()}, {i()})[{self.random.randint(0, 1)}]",
            lambda: f"({i()} if {self.of('bool', depth + 1)} else {i()})",
            lambda: f"{j()}.bit_length()", lambda: f"hash({i()})" if self.chance(0.2) else i(),
            lambda: f"{self.of('str', depth + 1)}.find({self.of('str', depth + 1)})",
            lambda: f"{self.of('str', depth + 1)}.count('a')", lambda: f"int(str({i()}))",
            lambda: f"{self.ints(depth)}[{self.random.randint(-3, 3)}]", lambda: f"round({i()}, -{self.random.randint(0, 3)})",
            lambda: f"pow({i()}, {self.random.randint(0, 20)}, {self.random.randint(1, 50)})",
            lambda: f"(lambda q: q + {i()})({i()})", lambda: f"{self.call(depth)}" if self.functions else i(),
        ])()

    def call(self, depth):
        name, arity, keywords = self.pick(self.functions)
        arguments = [self.of("int", depth + 1) for _ in range(arity)]
        split = self.random.randint(0, arity)
        parts = arguments[:split] + [f"{keywords[k]}={arguments[k]}" for k in range(split, arity)]
        return f"{name}({', '.join(parts)})"

    def ints(self, depth):
        return "[" + ", ".join(self.of("int", depth + 1) for _ in range(self.random.randint(1, 4))) + "]"

    def a_float(self, depth):
        if depth > 3 or self.chance(0.3):
            return self.pick(FLOATS)
        f, i = (lambda: self.of("float", depth + 1)), (lambda: self.of("int", depth + 1))
        return self.pick([
            lambda: f"({f()} {self.pick(['+', '-', '*', '/', '//', '%'])} {f()})",
            lambda: f"({f()} {self.pick(['+', '-', '*', '/'])} {i()})", lambda: f"({i()} / {i()})",
            lambda: f"-({f()})", lambda: f"abs({f()})", lambda: f"float({i()})",
            lambda: f"round({f()}, {self.random.randint(-2, 6)})", lambda: f"max({f()}, {f()})",
            lambda: f"float(repr({f()}))", lambda: f"sum([{f()}, {f()}, {f()}])",
        ])()

    def a_str(self, depth):
        if depth > 3 or self.chance(0.25):
            return self.pick(WORDS)
        s, i = (lambda: self.of("str", depth + 1)), (lambda: self.of("int", depth + 1))
        return self.pick([
            lambda: f"({s()} + {s()})", lambda: f"({s()} * {self.random.randint(-1, 3)})", lambda: f"str({self.any(depth + 1)})",
            lambda: f"repr({self.any(depth + 1)})",
            lambda: f"{s()}.{self.pick(['upper', 'lower', 'title', 'strip', 'swapcase', 'capitalize', 'lstrip', 'rstrip'])}()",
            lambda: f"{s()}.replace({s()}, {s()})", lambda: f"{s()}[{self.slice()}]", lambda: f"','.join({self.words(depth)})",
            lambda: f"f'{{{self.no_quotes(i())}}} {{{self.no_quotes(i())}!r:>{self.random.randint(1, 9)}}}'",
            lambda: f"format({i()}, {self.pick(SPECS)!r})", lambda: f"format({self.of('float', depth + 1)}, {self.pick(SPECS)!r})",
            lambda: f"format({s()}, {self.pick(SPECS)!r})", lambda: f"'%s|%r|%5s' % ({self.any(depth + 1)}, {s()}, {i()})",
            lambda: f"'%d %x %.3f %e' % ({i()}, abs({i()}), {self.of('float', depth + 1)}, {self.of('float', depth + 1)})",
            lambda: f"'{{0}} {{1!r}} {{0:>8}}'.format({s()}, {self.any(depth + 1)})", lambda: f"{s()}.center({self.random.randint(0, 12)}, '*')",
            lambda: f"{s()}.zfill({self.random.randint(0, 8)})", lambda: f"hex({i()})", lambda: f"bin({i()})",
            lambda: f"''.join(sorted({s()}))", lambda: f"''.join(reversed({s()}))", lambda: f"max({s()}, {s()})",
        ])()

    def no_quotes(self, text):
        return text if "'" not in text and "{" not in text and "}" not in text and ":" not in text and "\\" not in text else "42"

    def words(self, depth):
        return "[" + ", ".join(self.of("str", depth + 1) for _ in range(self.random.randint(0, 3))) + "]"

    def slice(self):
        part = lambda: self.pick(["", "", str(self.random.randint(-5, 6))])
        return f"{part()}:{part()}" + (f":{self.pick(['1', '2', '-1', '-2', '3'])}" if self.chance(0.4) else "")

    def a_list(self, depth):
        if depth > 3 or self.chance(0.3):
            return "[" + ", ".join(self.any(depth + 2) for _ in range(self.random.randint(0, 4))) + "]"
        xs, i = (lambda: self.of("list", depth + 1)), (lambda: self.of("int", depth + 1))
        return self.pick([
            lambda: f"({xs()} + {xs()})", lambda: f"({self.ints(depth)} * {self.random.randint(-1, 3)})", lambda: f"{xs()}[{self.slice()}]",
            lambda: f"sorted({self.ints(depth)}, reverse={self.of('bool', depth + 1)})", lambda: f"sorted({self.words(depth)}, key=len)",
            lambda: f"[q * q for q in range({self.random.randint(0, 6)}) if q % 2 == {self.random.randint(0, 1)}]",
            lambda: f"[(q, w) for q in {self.ints(depth)} for w in {self.words(depth)}]",
            lambda: f"list(range({self.random.randint(-5, 5)}, {self.random.randint(-5, 12)}, {self.pick([1, 2, -1, 3])}))",
            lambda: f"{self.of('str', depth + 1)}.split({self.pick(['', repr(','), repr('a'), 'None'])})",
            lambda: f"list({self.of('str', depth + 1)})", lambda: f"list({self.of('dict', depth + 1)}.items())",
            lambda: f"list(zip({xs()}, {xs()}))", lambda: f"list(enumerate({xs()}))", lambda: f"list(map(str, {xs()}))",
            lambda: f"list(filter(None, {xs()}))", lambda: f"list(reversed({xs()}))", lambda: f"[*{xs()}, {i()}, *{self.of('tuple', depth + 1)}]",
        ])()

    def a_tuple(self, depth):
        if depth > 3 or self.chance(0.5):
            return "(" + "".join(self.any(depth + 2) + ", " for _ in range(self.random.randint(0, 3))) + ")"
        return self.pick([lambda: f"tuple({self.of('list', depth + 1)})", lambda: f"({self.of('tuple', depth + 1)} + {self.of('tuple', depth + 1)})",
                          lambda: f"divmod({self.of('int', depth + 1)}, {self.of('int', depth + 1)})",
                          lambda: f"{self.of('str', depth + 1)}.partition({self.of('str', depth + 1)})"])()

    def key(self, depth):
        return self.of(self.pick(["int", "str", "str", "bool"]), depth + 2)

    def a_dict(self, depth):
        if depth > 3 or self.chance(0.4):
            return "{" + ", ".join(f"{self.key(depth)}: {self.any(depth + 2)}" for _ in range(self.random.randint(0, 3))) + "}"
        return self.pick([lambda: f"{{q: q * {self.of('int', depth + 1)} for q in {self.ints(depth)}}}",
                          lambda: f"dict(zip({self.words(depth)}, {self.ints(depth)}))",
                          lambda: f"{{**{self.of('dict', depth + 1)}, 'k': {self.any(depth + 1)}}}",
                          lambda: f"({self.of('dict', depth + 1)} | {self.of('dict', depth + 1)})",
                          lambda: f"dict(sorted({self.of('dict', depth + 1)}.items(), key=lambda kv: str(kv[0])))"])()

    def a_bool(self, depth):
        if depth > 3 or self.chance(0.2):
            return self.pick(["True", "False"])
        kind = self.pick(["int", "float", "str", "list", "tuple"])
        a, b = self.of(kind, depth + 1), self.of(kind, depth + 1)
        operator = self.pick(["<", "<=", ">", ">=", "==", "!="]) if kind in ("int", "float", "str") else self.pick(["==", "!="])
        return self.pick([
            lambda: f"({a} {operator} {b})", lambda: f"({a} {operator} {b} {self.pick(['==', '!='])} {self.any(depth + 2)})",
            lambda: f"(not {self.any(depth + 1)})", lambda: f"({self.of('bool', depth + 1)} {self.pick(['and', 'or'])} {self.of('bool', depth + 1)})",
            lambda: f"({self.of('int', depth + 1)} {operator if kind in ('int', 'float') else '=='} {self.of('float', depth + 1)})",
            lambda: f"({self.any(depth + 2)} {self.pick(['in', 'not in'])} {self.of('list', depth + 1)})",
            lambda: f"isinstance({self.any(depth + 1)}, {self.pick(['int', 'float', 'str', '(int, str)', 'bool', 'list'])})",
            lambda: f"bool({self.any(depth + 1)})", lambda: f"any({self.of('list', depth + 1)})", lambda: f"all({self.of('list', depth + 1)})",
        ])()

    def emit(self, indent, text):
        self.lines.append("    " * indent + text)

    def show(self, indent, expression):
        self.emit(indent, f"try: print(show({expression}))")
        self.emit(indent, "except Exception as e: print(type(e).__name__, str(e)[:60] if type(e) in (ZeroDivisionError, TypeError, IndexError, KeyError) else '')")

    def statement(self, indent=0):
        choice = self.random.random()
        if choice < 0.35:
            self.show(indent, self.any())
        elif choice < 0.6:
            kind = self.pick(list(self.variables))
            name = self.name()
            self.emit(indent, f"try: {name} = {self.of(kind)}")
            self.emit(indent, f"except Exception as e: {name} = {dict(int='1', float='1.5', str=repr('s'), list='[1]', dict='{}', tuple='()', bool='True')[kind]}; print(type(e).__name__)")
            if indent == 0:
                self.variables[kind].append(name)
        elif choice < 0.68 and self.variables["list"]:
            name = self.pick(self.variables["list"])
            self.emit(indent, "try: " + self.pick([f"{name}.append({self.any(2)})", f"{name}[{self.slice()}] = {self.of('list', 2)}",
                                                   f"{name}.insert({self.random.randint(-3, 3)}, {self.any(2)})", f"del {name}[{self.slice()}]",
                                                   f"{name}.extend({self.of('tuple', 2)})", f"{name}.reverse()", f"{name} += [{self.of('int', 2)}]",
                                                   f"print(show({name}.pop({self.random.randint(-2, 2)})))"]))
            self.emit(indent, "except Exception as e: print(type(e).__name__, e)")
            self.show(indent, name)
        elif choice < 0.74 and self.variables["dict"]:
            name = self.pick(self.variables["dict"])
            self.emit(indent, "try: " + self.pick([f"{name}[{self.key(1)}] = {self.any(2)}", f"print(show({name}.pop({self.key(1)}, None)))",
                                                   f"print(show({name}.setdefault({self.key(1)}, {self.any(2)})))", f"{name}.update(k={self.any(2)})",
                                                   f"print(show({name}.get({self.key(1)})))", f"print(show(list({name}.values())))"]))
            self.emit(indent, "except Exception as e: print(type(e).__name__)")
            self.show(indent, name)
        elif choice < 0.8 and indent < 2:
            name = self.name("i")
            self.emit(indent, f"for {name} in range({self.random.randint(0, 4)}):")
            if self.chance(0.3):
                self.emit(indent + 1, f"if {name} == {self.random.randint(0, 3)}: {self.pick(['break', 'continue'])}")
            self.variables["int"].append(name)
            self.statement(indent + 1)
            self.variables["int"].remove(name)
            if self.chance(0.4):
                self.emit(indent, "else: print('else')")
        elif choice < 0.86 and indent == 0:
            self.function()
        elif choice < 0.92 and indent == 0:
            self.make_class()
        elif choice < 0.96:
            self.unpack(indent)
        else:
            self.closure(indent)

    def function(self):
        name, arity = self.name("f"), self.random.randint(1, 3)
        parameters = [f"p{k}" for k in range(arity)]
        defaults = self.random.randint(0, arity)
        signature = [p if k < defaults else f"{p}={self.pick(INTS[:8])}" for k, p in enumerate(parameters)]
        self.emit(0, f"def {name}({', '.join(signature)}):")
        saved = self.variables
        self.variables = {kind: [] for kind in saved}
        self.variables["int"] = parameters
        functions, self.functions = self.functions, []
        self.emit(1, f"if {self.of('bool', 2)}: return {self.of('int', 2)}")
        self.emit(1, f"p0 {self.pick(['+', '-', '*', '|', '^'])}= {self.of('int', 2)}")
        self.emit(1, f"return {self.of('int', 1)}")
        self.variables, self.functions = saved, functions + [(name, arity, parameters)]

    def make_class(self):
        name = self.name("C")
        base = self.pick([""] + [f"({c})" for c in self.__dict__.setdefault("classes", [])])
        self.emit(0, f"class {name}{base}:")
        self.emit(1, f"K = {self.pick(INTS[:8])}")
        self.emit(1, "def __init__(self, x, y=1):")
        self.emit(2, f"self.x = {self.pick(['x', 'x + y', 'x * 2', '[x, y]'])}; self.y = y")
        if self.chance(0.6):
            self.emit(1, f"def __repr__(self): return f'{name}({{self.x!r}}, {{self.y}})'")
        else:
            self.emit(1, f"def __str__(self): return 'obj' + str(self.x)")
            self.emit(1, f"def __repr__(self): return '<{name}>'")
        if self.chance(0.5):
            self.emit(1, f"def __add__(self, o): return {name}(self.y, {self.pick(['1', 'self.K', 'self.y'])})")
        if self.chance(0.4):
            self.emit(1, "def __eq__(self, o): return isinstance(o, type(self)) and self.x == o.x")
        if self.chance(0.4):
            self.emit(1, f"def __lt__(self, o): return str(self.x) < str(o.x)")
        if self.chance(0.4):
            self.emit(1, "@property")
            self.emit(1, "def p(self): return (self.y, self.K)")
        if self.chance(0.3):
            self.emit(1, "def __len__(self): return 3")
        if self.chance(0.3):
            self.emit(1, "def __getitem__(self, i): return [self.x, i, self.K][i]")
        if self.chance(0.3):
            self.emit(1, "def __call__(self, *a, **k): return (a, sorted(k))")
        self.classes.append(name)
        one, two = f"{name}({self.of('int', 2)})", f"{name}({self.of('int', 2)}, {self.of('int', 2)})"
        for text in [one, f"{one} + {two}", f"{one} == {two}", f"{one} < {two}", f"{one}.p", f"len({one})", f"{one}[1]", f"{one}(1, b=2)",
                     f"str({two})", f"[{one}, {two}]", f"{name}.K", f"{one}.nope", f"bool({one})", f"f'{{{name}(1)}}'"]:
            if self.chance(0.5):
                self.show(0, text)

    def unpack(self, indent):
        names = [self.name("u") for _ in range(self.random.randint(1, 3))]
        star = self.random.randint(0, len(names) - 1) if self.chance(0.5) else -1
        target = ", ".join(("*" if k == star else "") + n for k, n in enumerate(names)) + ","
        self.emit(indent, f"try:")
        self.emit(indent + 1, f"{target} = {self.pick([self.of('list', 2), self.of('tuple', 2), self.of('str', 2)])}")
        self.emit(indent + 1, f"print(show([{', '.join(names)}]))")
        self.emit(indent, "except Exception as e: print(type(e).__name__, e)")

    def closure(self, indent):
        name = self.name("g")
        self.emit(indent, f"def {name}(n):")
        self.emit(indent + 1, "acc = []")
        self.emit(indent + 1, "def inner(k=2):")
        self.emit(indent + 2, "nonlocal n")
        self.emit(indent + 2, f"n {self.pick(['+', '-', '*'])}= k")
        self.emit(indent + 2, "acc.append(n)")
        self.emit(indent + 2, "return n")
        self.emit(indent + 1, f"return [inner(), inner({self.of('int', 3)}), acc, [h() for h in [lambda: n, lambda m=n: m]]]")
        self.show(indent, f"{name}({self.of('int', 2)})")

    def text(self):
        self.emit(0, "def show(v):")
        self.emit(1, "t = repr(v)")
        self.emit(1, "return t if len(t) < 400 else (t[:200], len(t), t[-100:])")
        for _ in range(25):
            self.statement()
        return "\n".join(self.lines) + "\n"


def program(seed):
    return Generator(seed).text()
