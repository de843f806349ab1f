"""Whole kernels of examples/ at the sizes of production, on this computer's cores, against NumPy on as many threads.

rows() gives (name, our seconds, "NumPy", its seconds, the share of ours that is spent outside of tile arithmetic): on
parsing, tracing and verifying, and on what an instruction costs whatever its tiles, which is measured apart. NumPy
computes the same in float32; of the longer kernels a part is measured and multiplied.

    bench_whole.py build/klr [PART OF A NAME] [--json]
"""

import json
import os
import subprocess
import sys
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROUNDS = 2


def softmax(x):
    x -= x.max(axis=1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=1, keepdims=True)
    return x


def normal(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def attention(tokens=4096, depth=128):
    q, k, v = normal(tokens, depth), normal(tokens, depth), normal(tokens, depth)
    return lambda: softmax(q @ k.T * np.float32(depth**-0.5)) @ v


def swiglu(x, w_gate, w_up, w_down):
    gate = x @ w_gate
    return (gate / (1 + np.exp(-gate)) * (x @ w_up)) @ w_down


def mlp(tokens, features=4096, hidden=14336):
    x, w_gate, w_up, w_down = (normal(*shape) / 64 for shape in (
        (tokens, features), (features, hidden), (features, hidden), (hidden, features)))
    return lambda: swiglu(x, w_gate, w_up, w_down)


# (name, the kernel and its arguments, what NumPy runs, how often that is contained in the kernel)
KERNELS = [
    ("attention, 8 heads x 4096 x 128, bf16", ["attention_fwd.py"] + [f"{name}=randn:bf16[8,4096,128]" for name in "qkv"],
     attention, 8),
    ("MLP, 4096 x 4096 x 14336, bf16",
     ["mlp.py", "x=uniform:bf16[4096,4096]", "w_gate=uniform:bf16[4096,14336]", "w_up=uniform:bf16[4096,14336]",
      "w_down=uniform:bf16[14336,4096]"], lambda: mlp(256), 16),
    ("mixture of experts, 1024 x 2048 x 2048, best 2 of 8, bf16",
     ["moe.py", "--target", "trn3", "x=randn:bf16[1024,2048]", "router=randn:bf16[2048,8]", "w_gate=uniform:bf16[8,2048,2048]",
      "w_up=uniform:bf16[8,2048,2048]", "w_down=uniform:bf16[8,2048,2048]"], lambda: mlp(256, 2048, 2048), 8),
]


def run(klr, words):
    command = [klr, "run", "--json", os.path.join(ROOT, "examples", words[0]), *words[1:]]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def fixed_cost(klr):
    """Seconds that one instruction takes on a tile of one element."""
    program = os.path.join(os.path.dirname(klr), "bench", "bench_sim")
    out = subprocess.run([program, "one_element"], capture_output=True, text=True, check=True).stdout
    return float(out.split()[1]) * 1e-9


def rows(klr, wanted=""):
    each = fixed_cost(klr)
    for name, words, peer, times in KERNELS:
        if wanted not in name:
            continue
        results = [run(klr, words) for _ in range(ROUNDS)]
        seconds = {stage: min(result["seconds"][stage] for result in results) for stage in results[0]["seconds"]}
        before = seconds["parse"] + seconds["trace"] + seconds["verify"]
        ours = before + seconds["run"]
        function = peer()
        theirs = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            function()
            theirs.append(time.perf_counter() - start)
        yield name, ours, "NumPy f32", min(theirs) * times, (before + each * results[0]["instructions"]) / ours


def main():
    words = [word for word in sys.argv[1:] if word != "--json"]
    for row in rows(os.path.abspath(words[0]), *words[1:2]):
        if "--json" in sys.argv:
            print(json.dumps(row), flush=True)
            continue
        name, ours, peer, theirs, outside = row
        print(f"{name:60} {ours:6.2f} s  {peer} {theirs:6.2f} s  {theirs / ours:5.2f}  outside {100 * outside:.1f} %", flush=True)


if __name__ == "__main__":
    main()
