"""`make demo`: a flash-attention forward kernel on random bfloat16 tensors, against a float64 reference.

Prints the size of the traced core, a summary of the result, the error, and the time.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

import ml_dtypes
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOKENS, DEPTH = 2048, 128


def reference(q, k, v):
    """softmax(q k^T / sqrt(d)) v with a causal mask, in float64."""
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    scores = q @ k.T / np.sqrt(q.shape[1])
    scores[np.triu_indices(len(q), 1)] = -np.inf
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights @ v / weights.sum(axis=1, keepdims=True)


def main():
    klr = sys.argv[1]
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((TOKENS, DEPTH)).astype(ml_dtypes.bfloat16) for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        arguments = []
        for name, array in (("q", q), ("k", k), ("v", v)):
            np.save(f"{folder}/{name}.npy", array.astype(np.float32))
            arguments.append(f"{name}=@{folder}/{name}.npy:bf16")
        command = [klr, "run", os.path.join(ROOT, "examples", "attention.py"), *arguments, "--out", f"{folder}/out", "--json"]
        print("klr run examples/attention.py q=@q.npy:bf16 k=@k.npy:bf16 v=@v.npy:bf16 --out out\n")
        start = time.monotonic()
        result = subprocess.run(command, capture_output=True, text=True)
        seconds = time.monotonic() - start
        if result.returncode != 0:
            print(result.stdout, result.stderr, sep="")
            return 1
        report = json.loads(result.stdout)
        output = report["outputs"][0]
        got = np.load(f"{folder}/out/{output['file']}")
    want = reference(q, k, v)
    error = np.abs(got - want)
    print(f"kernel      {report['kernel']} on {report['target']}, q, k, v: bfloat16[{TOKENS},{DEPTH}], causal")
    print(f"core        {report['operators']} operators, {report['tensors']} tensors")
    print(f"result      {output['name']}: {output['dtype']}{output['shape']}  min {output['min']:.4f}  "
          f"max {output['max']:.4f}  mean {output['mean']:.6f}")
    print(f"error       max {error.max():.2e}, relative L2 {np.linalg.norm(got - want) / np.linalg.norm(want):.2e} "
          "against float64 NumPy")
    print(f"time        {seconds:.2f} s in all: trace {report['seconds']['trace'] * 1e3:.1f} ms, "
          f"run {report['seconds']['run']:.2f} s on {report['threads']} threads "
          f"({report['multiply_adds'] / report['seconds']['run'] / 1e9:.1f} G multiply-adds/s)")
    return 0 if error.max() < 2e-2 else 1


if __name__ == "__main__":
    sys.exit(main())
