"""Correctly rounded functions: decimal arithmetic of many digits, rounded once to float32."""

import math
from decimal import Decimal, getcontext, localcontext
from fractions import Fraction

DIGITS = 90
getcontext().prec = DIGITS
SMALLEST = Fraction(1, 2**149)


def round_f32(exact):
    """The float32 nearest to a fraction, ties to even, as a Python float; beyond the largest an infinity."""
    exact = Fraction(exact)
    if exact == 0:
        return 0.0
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** max(exponent - 23, -149)
    steps = round(size / unit)  # halves to even
    number = steps * unit
    result = math.inf if number >= Fraction(2) ** 128 else float(number)
    return math.copysign(result, -1.0 if exact < 0 else 1.0)


def dec(number):
    return Decimal(number)


def constant_pi():
    """pi by Machin's formula, in whole numbers."""
    unit = 10 ** (DIGITS + 20)

    def arctan_of_inverse(n):
        total = term = unit // n
        k, sign = 3, -1
        while term:
            term //= n * n
            total += sign * (term // k)
            k, sign = k + 2, -sign
        return total

    return Decimal(4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))) / Decimal(unit)


PI = constant_pi()


def d_sin(x):
    """sin of a Decimal of moderate size by its series."""
    with localcontext() as context:
        context.prec = DIGITS + 30
        term, total, k = x, x, 1
        while abs(term) > Decimal(10) ** (-DIGITS - 25):
            term = -term * x * x / ((k + 1) * (k + 2))
            total += term
            k += 2
        return total


def d_arctan(x):
    if x < 0:
        return -d_arctan(-x)
    if x > 1:
        return PI / 2 - d_arctan(1 / x)
    with localcontext() as context:
        context.prec = DIGITS + 20
        for _ in range(6):  # arctan x = 2 arctan(x / (1 + sqrt(1 + x^2)))
            x = x / (1 + (1 + x * x).sqrt())
        term, total, k = x, x, 1
        while abs(term) > Decimal(10) ** (-DIGITS - 15) * abs(x):
            term = -term * x * x
            total += term / (k + 2)
            k += 2
        return total * 64


def d_erf(x):
    """erf by its series; |x| < 30."""
    with localcontext() as context:
        context.prec = DIGITS + 30 + int(abs(x) * abs(x)) * 9 // 10
        term, total, k = x, x, 0
        while abs(term) > Decimal(10) ** (-context.prec + 5) * max(abs(total), Decimal(10) ** -60):
            k += 1
            term = -term * x * x / k
            total += term / (2 * k + 1)
        return 2 * total / PI.sqrt()


def d_tanh(x):
    if abs(x) > 300:
        return Decimal(1).copy_sign(x)
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


def d_sigmoid(x):
    return 1 / (1 + (-x).exp())


def d_phi(x):
    """Phi(x) of the normal distribution, with all digits on the left side too."""
    with localcontext() as context:
        context.prec = DIGITS + int(x * x) + 40
        return (1 + d_erf(x / Decimal(2).sqrt())) / 2


def d_density(x):
    return (-x * x / 2).exp() / (2 * PI).sqrt()


def softplus(x):
    return x if x > 250 else (1 + x.exp()).ln()


def sin_of_the_engine(x):
    """sin within [-pi, pi]; beyond, the cubic of its series at the end of that range."""
    if abs(x) <= PI:
        return d_sin(x)
    u = x - PI.copy_sign(x)
    return -u + u * u * u / 6


def gelu_tanh(x):
    return x / 2 * (1 + d_tanh((2 / PI).sqrt() * (x + Decimal("0.044715") * x * x * x)))


def slope(x):
    s = d_sigmoid(x)
    return s * (1 + x * (1 - s))


# name: (function of a Decimal, its value at -inf, its value at inf). -0.0 at 0 where the function is odd or x times something.
FUNCTIONS = {
    "exp": (lambda x: x.exp(), 0.0, math.inf), "log": (lambda x: x.ln(), math.nan, math.inf),
    "tanh": (d_tanh, -1.0, 1.0), "sigmoid": (d_sigmoid, 0.0, 1.0), "erf": (d_erf, -1.0, 1.0),
    "arctan": (d_arctan, -PI / 2, PI / 2), "sin": (sin_of_the_engine, None, None), "softplus": (softplus, 0.0, math.inf),
    "silu": (lambda x: x * d_sigmoid(x), -0.0, math.inf), "silu_dx": (slope, -0.0, 1.0),
    "gelu": (lambda x: x * d_phi(x), -0.0, math.inf),
    "gelu_dx": (lambda x: d_phi(x) + x * d_density(x), -0.0, 1.0),
    "gelu_apprx_tanh": (gelu_tanh, -0.0, math.inf),
    "gelu_apprx_sigmoid": (lambda x: x * d_sigmoid(Decimal("1.702") * x), -0.0, math.inf),
    "gelu_apprx_sigmoid_dx": (lambda x: slope(Decimal("1.702") * x), -0.0, 1.0),
    "mish": (lambda x: x * d_tanh(softplus(x)), -0.0, math.inf),
    "erf_dx": (lambda x: 2 / PI.sqrt() * (-x * x).exp(), 0.0, 0.0),
}
ODD_AT_ZERO = {"tanh", "erf", "arctan", "sin", "silu", "gelu", "gelu_apprx_tanh", "gelu_apprx_sigmoid", "mish"}
ONLY_NEGATIVE = {"silu", "silu_dx", "gelu", "gelu_dx", "gelu_apprx_tanh", "gelu_apprx_sigmoid", "gelu_apprx_sigmoid_dx", "mish"}


def function(name, x):
    """The float32 nearest to the value of the named function at the float x."""
    if math.isnan(x):
        return math.nan
    call, low, high = FUNCTIONS[name]
    if math.isinf(x):
        value = low if x < 0 else high
        return round_f32(Fraction(value)) if isinstance(value, Decimal) else value
    if x == 0 and name in ODD_AT_ZERO:
        return x
    if name == "log" and x <= 0:
        return -math.inf if x == 0 else math.nan
    if name == "exp" and abs(x) > 200:
        return math.inf if x > 0 else 0.0
    far = abs(x) > 40
    if far and name in ("erf", "tanh", "sigmoid", "silu", "silu_dx", "gelu", "gelu_dx", "gelu_apprx_tanh", "softplus", "mish",
                        "gelu_apprx_sigmoid", "gelu_apprx_sigmoid_dx", "erf_dx"):
        if name == "erf_dx":
            return 0.0
        if name in ("erf", "tanh"):
            return math.copysign(1.0, x)
        if x > 0:
            return x if high == math.inf else 1.0
        if name.startswith("gelu") or x < -250:
            return -0.0 if name in ONLY_NEGATIVE else 0.0
    value = call(dec(x))
    result = round_f32(Fraction(value))
    if result == 0:
        return -0.0 if value < 0 or (x < 0 and name in ONLY_NEGATIVE) else 0.0
    return result


def power(a, b):
    """a to the power b as C's powf has it, correctly rounded."""
    if a == 0 and b < 0:
        return math.copysign(math.inf, a) if not math.isinf(b) and b == math.floor(b) and int(b) % 2 else math.inf
    try:
        rough = math.pow(a, b)  # decides special values only
    except ValueError:
        return math.nan
    except OverflowError:
        rough = math.inf
    if math.isnan(a) or math.isnan(b) or math.isinf(a) or math.isinf(b) or a == 0 or b == 0 or abs(a) == 1:
        return rough
    if math.isnan(rough):
        return rough
    negative = a < 0 and int(b) % 2 == 1
    if b == int(b) and abs(b) < 200:
        value = Fraction(abs(a)) ** int(b)
    else:
        size = dec(b) * dec(abs(a)).ln()
        if abs(size) > 200:
            return math.copysign(math.inf if size > 0 else 0.0, -1.0 if negative else 1.0)
        value = Fraction(nearly_exact(size.exp()))
    result = round_f32(value)
    return -result if negative else result


def nearly_exact(value):
    """A power that is a short number in truth (4 ** 0.5) misses it by an error in the last digits: take the short one."""
    short = +value.quantize(Decimal(1).scaleb(value.adjusted() - 60))
    return short
