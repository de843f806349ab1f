import math
vals = [0, 1, -1, 2, 3, -7, 7, 10, 255, 2**31, -2**31, 2**63 - 1, -2**63, 2**64, -2**70, 10**30]
for a in vals:
    for b in vals:
        row = [a + b, a - b, a * b, a & b, a | b, a ^ b, a == b, a < b, a <= b, a > b, a != b]
        if b:
            row += [a // b, a % b, a / b, divmod(a, b)]
        print(a, b, row)
for a in vals:
    print(a, -a, +a, ~a, abs(a), bool(a), a << 5, a >> 3, a.bit_length(), hex(a), bin(a), oct(a), repr(a), str(a), float(a))
fl = [0.0, -0.0, 1.0, -1.5, 2.5, 0.1, 1e300, -1e-300, 1e16, 123456789.125, float("inf"), float("-inf"), 5e-324]
for x in fl:
    for y in fl:
        row = [x + y, x - y, x * y, x == y, x < y, x >= y]
        if y and not math.isinf(x):
            row += [x / y, x // y, x % y, divmod(x, y)]
        print(x, y, row)
for x in [0.5, 1.5, 2.5, -0.5, 2.675, 1234.5678, 1e22, -2.5]:
    print(round(x), [round(x, n) for n in (-3, -2, -1, 0, 1, 2, 3, 20)], int(x), x.is_integer(), x.as_integer_ratio(), x.hex())
print([round(n, k) for n in (12345, 15, 25, -15, 1250) for k in (-1, -2, -3, 0, 2)])
print(2 ** 10, 2 ** -1, (-2) ** 3, 2.0 ** 0.5, 0 ** 0, 10 ** 20, 2 ** 100, pow(3, 200, 7), pow(3, -1, 7))
print(1 == 1.0, True == 1, hash(1) == hash(1.0), 2 ** 53 == float(2 ** 53), 2 ** 53 + 1 == float(2 ** 53), 2 ** 53 + 1 > float(2 ** 53))
print(1 < 2 < 3, 1 < 3 < 2, 1 < 2 > 0 != 5, 3 > 2 > 1 == 1)
print(int("42"), int(" -17 "), int("0x1f", 16), int("1_000"), int("ff", 16), int("0b101", 0), int(3.99), int(-3.99), int("9" * 30), int(True))
print(float("1.5"), float(" 1e5 "), float("-inf"), float("nan"), float("1_0.5"), float(10 ** 20))
print(7 // 2, -7 // 2, 7 // -2, -7 // -2, 7 % 3, -7 % 3, 7 % -3, -7 % -3, 7.5 // 2, -7.5 // 2, -7.5 % 2, 1e20 // 3)
print(True + True, True & False, True | False, True ^ True, ~True, -True, True * 5, isinstance(True, int))
print(math.floor(2.7), math.ceil(2.1), math.floor(-2.7), math.trunc(-2.7), math.gcd(12, 18), math.lcm(4, 6), math.factorial(20), math.comb(10, 3), math.perm(5, 2), math.isqrt(99), math.prod([1, 2, 3, 4]))
print(math.sqrt(2), math.exp(1), math.log(10), math.log2(1024), math.log10(1000), math.log(8, 2), math.pi, math.e, math.inf, math.tau)
print(math.sin(1.0), math.cos(1.0), math.tan(0.5), math.atan2(1, 2), math.hypot(3, 4), math.copysign(3, -0.0), math.fmod(-7, 3), math.isclose(0.1 + 0.2, 0.3))
print(math.frexp(10.0), math.ldexp(0.5, 4), math.modf(3.25), math.degrees(math.pi), math.radians(180), math.fsum([0.1] * 10), math.isnan(float("nan")))
print(0.1 + 0.2, 1 / 3, 1e100, 1e-7, 123456789012345680.0, 1e15, 1e16, 100.0, 1.0e5)
print(10 ** 18 * 10 ** 18 // 10 ** 17, (10 ** 40) / (10 ** 20), 3 * 0.1, 2 ** 0.5 * 2 ** 0.5)
print((1 << 100) >> 98, -1 >> 100, (-5) >> 1, 1 << 0, 5 & -2, -5 | 3, -5 ^ 3, (1 << 70) & (1 << 69), -(1 << 70) | 5)
print(max(1, 2.0, 3), min(3, 1.0), max([1, 5, 2]), min("hello"), max("a", "b", key=lambda c: -ord(c)), sum([1, 2, 3]), sum([0.1] * 3), sum([[1], [2]], []))
print(chr(65), ord("A"), chr(8364), ord("€"), bin(-5), hex(-255))
