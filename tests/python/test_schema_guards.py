"""Guards that bound ids from below and above: the loop over threads takes their place, and every thread that they let through runs."""

import numpy as np
import pytest
from schema_library import COMPILERS, Interpreted, cpu_has
from test_schema_native import HEAD, build

# The guard, how its body stands, and whether loops take its place.
LINES = [
    ("if 0 < i < n - 1:", True), ("if i > 0 and i < n - 1:", True), ("if i >= 3 and i < n:", True), ("if 1 <= i <= n - 2:", True), ("if i != 0 and i < n:", True),
    ("if i == 0 or i >= n - 1:\n        return", True), ("if i < k or i > n - 2:\n        return", True), ("if i > k and i < n and i >= 2:", False),
    ("if i <= 4 or i >= n:\n        return", True), ("if k < i < n:", True), ("if i + 2 > k and i - 1 < n:", True), ("if i == 2 or i >= n:\n        return", False),
    ("if i >= big and i < n:", False), ("if i != 1 and i < n:", False), ("if i % 2 > 0 and i < n:", False), ("if u8(i) > 3 and i < n:", False),
]
PLANES = [
    ("if 0 < r < m - 1 and 0 < c < n - 1:", True), ("if c > 0 and c < n and r < m:", True), ("if r > k and c < n and r < m:", True), ("if c >= n or r == 0 or r >= m:\n        return", True),
    ("if c < 2 or r < 1 or c >= n - 2 or r >= m - 1:\n        return", True),
]
PARAMETERS = "x: DeviceArray[f32], y: DeviceArray[f32], n: u32, m: u32, k: i32, big: i64"


def kernel(name, head, guard, body):
    indent = "    " if "return" in guard else "        "
    return f"def {name}({PARAMETERS}):\n{head}    {guard}\n" + "".join(f"{indent}{line}\n" for line in body)


LINE = "    i = get_global_id()\n"
PLANE = "    c, r = get_global_id(0), get_global_id(1)\n"
SUM = ["total = y[i]", "for j in range(3):", "    total += x[j * 400 + i]", "y[i] = total"]   # of strips
CELL = ["total = 0.25", "for j in range(3):", "    total += x[j * 400 + r * 20 + c]", "y[r * 20 + c] = total"]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_threads_that_run(tmp_path, compiler):
    made = []  # name, text, grids
    for i, (guard, _) in enumerate(LINES):
        made.append((f"a{i}", kernel(f"a{i}", LINE, guard, ["y[i] = x[i] + 1.0"]), [(390, 1, 1), (7, 1, 1), None]))
        if i % 3:
            continue
        made.append((f"s{i}", kernel(f"s{i}", LINE, guard, SUM), [(70, 1, 1), None]))
        made.append((f"r{i}", kernel(f"r{i}", LINE, guard, ["atomic_add(y, 399, x[i])"]), [(390, 1, 1), None]))
    for i, (guard, _) in enumerate(PLANES):
        made.append((f"p{i}", kernel(f"p{i}", PLANE, guard, ["y[r * 20 + c] = x[r * 20 + c] * 2.0"]), [(20, 20, 1), (3, 15, 1), None]))
        made.append((f"q{i}", kernel(f"q{i}", PLANE, guard, CELL), [(20, 20, 1), (18, 2, 1), None]))
    native = build(tmp_path, "".join(text for _, text, _ in made), compiler=compiler)
    draw = np.random.default_rng(3)
    for name, text, grids in made:
        oracle = Interpreted(HEAD + text)
        for n, m, k in ((20, 20, 3), (1, 1, 0), (2, 17, -5), (0, 0, 1), (13, 5, 40)):
            if name[0] in "asr":
                n *= 15
            given = dict(x=draw.standard_normal(1700).astype(np.float32), y=draw.standard_normal(400).astype(np.float32), n=n, m=m, k=k, big=k)
            for grid in grids:
                if grid is None and n < 3:  # n - 1 wraps: as large as a grid gets
                    continue
                launch = dict(grid=grid) if grid else {}
                want = oracle.run(name, given, **launch)["y"]
                for isa in filter(cpu_has, range(3)):
                    for pieces in (1, 3):
                        got = native.run(name, given, isa=isa, pieces=pieces, **launch)[0]["y"]
                        assert got.tobytes() == want.tobytes(), (text, n, m, k, grid, isa, pieces)


@pytest.mark.parametrize("head, guard, is_bound", [(LINE, *row) for row in LINES] + [(PLANE, *row) for row in PLANES])
def test_loops_take_their_place(tmp_path, head, guard, is_bound):
    from conftest import run_klr
    (tmp_path / "k.py").write_text(HEAD + kernel("k", head, guard, ["y[0] = 1.0"]))
    text = run_klr("schema", "build", tmp_path / "k.py", "--emit-c", "-o", "-").stdout
    body = text[text.index("KLR_BODY void kernel_k_body("):text.index("static void kernel_k_base")]
    assert ("klr_from" in body and " if (" not in body.split("klr_thread++")[1]) == is_bound, body
