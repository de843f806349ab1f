s = "Hello, World"
u = "héllo €uro 日本"
print(s.upper(), s.lower(), s.title(), s.swapcase(), s.capitalize(), len(s), len(u), u[1], u[-1], u[::-1], u[1:4])
print(s.find("o"), s.rfind("o"), s.find("z"), s.index("W"), s.count("l"), s.startswith("Hell"), s.endswith(("x", "ld")), "World" in s, "x" not in s)
print(s.replace("l", "L"), s.replace("l", "L", 1), "aaa".replace("", "-"), s.split(", "), "a b  c".split(), "a,b,,c".split(","), "a,b,c".rsplit(",", 1), "a,b,c".split(",", 1))
print("  x ".strip() + "|", "  x ".lstrip() + "|", "  x ".rstrip() + "|", "xxabcxx".strip("x"), "abc".removeprefix("a"), "abc".removesuffix("c"), "k=v=w".partition("="), "k=v=w".rpartition("="))
print("a".join(["x", "y", "z"]), ",".join(str(i) for i in range(5)), "ab" * 3, 3 * "ab", "" * 5, "-" * 10)
print("abc".center(9, "*"), "abc".ljust(6) + "|", "abc".rjust(6) + "|", "42".zfill(5), "-42".zfill(5), "a\tb".expandtabs(4))
print("123".isdigit(), "abc".isalpha(), "abc1".isalnum(), " ".isspace(), "ABC".isupper(), "abc".islower(), "Abc Def".istitle(), "a_b1".isidentifier(), "".isdigit())
print("line1\nline2\r\nline3".splitlines(), "abc" < "abd", "a" < "B", "" < "a", "abc" == "abc", "z" > "aa")
print(repr("it's"), repr('say "hi"'), repr("both ' and \""), repr("tab\t nl\n bs\\ \x00 \x7f é"), ascii("é€😀"), str(None), str(True), str(1.5))
x = 42; y = 3.14159; name = "bob"; neg = -7
print(f"{x} {y:.2f} {name!r} {x:5d}|{x:<5d}|{x:^5d}|{x:>5d}|{x:05d}|{x:+d}|{neg: d}|{x:x}|{x:#x}|{x:#b}|{x:o}|{x:X}|{x:c}|{1234567:,}|{1234567:_}|{x:e}|{x:%}")
print(f"{y:10.3f}|{y:<10.3f}|{y:^10.3f}|{y:+.1f}|{y:e}|{y:.3E}|{y:g}|{1e10:g}|{1e-10:g}|{0.00001234:g}|{1234567.891:,.2f}|{0.256:.1%}|{y:08.3f}|{-y:08.3f}|{1e22:f}|{100.0:g}|{y:.0f}|{2.5:.0f}|{3.5:.0f}")
print(f"{name:10}|{name:>10}|{name:^10}|{name:*^10}|{name:.2}|{name:10.1}|{name!s:>5}|{name!a}")
print(f"{x=} {y=:.1f} {name = } {x + 1 = } {[1, 2]=} {name=!s}", f"{{}} {{{x}}}", f"{'nested ' + name}", f"{x:{'>'}{10}}", f"{y:{8}.{2}f}")
print(f"{1.0} {1e100} {1.5:10} {True:5} {None} {[1, 'a']} {(1,)} {{'a': 1}} {float('nan'):.2f} {float('inf'):5.1f} {1.0:.3} {12345.678:.3} {0.1:.20} {5:.1f} {1e16:.5}")
print("%d %s %r %5.2f %x %o %e %g %% %c %05d %-5d| %+d %i %10s %-10s| %.2s" % (42, "s", "r", 3.14159, 255, 8, 12345.678, 0.0001, "c", 42, 42, 42, 7, "right", "left", "cut"))
print("%(a)s and %(b)03d" % {"a": 1, "b": 2}, "%s" % (1,), "%s %s" % ("x", [1]), "%5s|%-5s|" % ("a", "b"), "%*d" % (5, 42), "%#x %#o" % (255, 8))
print("{} {} {}".format(1, "a", 2.5), "{1} {0}".format("a", "b"), "{x} {y:.2f}".format(x=1, y=2), "{0[1]} {0[0]}".format([5, 6]), "{a[k]}".format(a={"k": 9}), "{:>{w}}".format("r", w=6), "{!r:>6}".format("q"), "{{}}".format())
print("{:,} {:_} {:.1%} {:e}".format(1234567, 1234567, 0.5, 12345.6789), "{0.real} {0.imag}".format(5), format(255, "x"), format(3.14159, ".3f"), format("a", ">5"), format(1234.5, ",.1f"))
print([c for c in "abc"], list("héé"), sorted("hello"), "".join(reversed("abc")), "abc"[-2:], "abc"[:-1], "abcdef"[::2], "abcdef"[::-2], "abcdef"[4:1:-1])
print("a" "b" 'c', "tri" """ple
d""", r"raw\n", "\x41\u00e9\U0001F600\101", b"bytes\x00", len(b"abc"), b"abc"[1], "abc".encode(), b"abc".decode())
print("Hello".translate(str.maketrans("el", "ip")), "x".casefold(), "ß".upper(), "ÀÉ".lower(), "a-b_c".replace("-", "_").split("_"))
print(" ".join("%02d" % i for i in range(3)), "abc" + str(1) + repr("x"), "é".encode().hex())
for t in [0.1, 1e-5, 123456.789, 1e20, 9.995, 0.5, 1e-320]:
    print(f"{t:.0f} {t:.1f} {t:.2f} {t:.3g} {t:.10g} {t:.2e} {t!r} {t:15.4f}| {t:<12.3e}| {t:+} {t:.1%} {t:#.3g} {t:n}")
for i in [0, 7, -42, 10 ** 12, -10 ** 25]:
    print(f"{i:d} {i:,} {i:10,}| {i:020,} {i:+} {i:x} {i:#b} {i:_x} {i:^30}| {i:<+30}| {i:=+30}| {i:08.2f} {i:g} {i:e}")
