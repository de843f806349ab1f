"""One kernel and one input give one result: every compiler, instruction set, number of threads and executor computes the
same bits, and every build writes the same .klr file."""

import os

import pytest
from conftest import ROOT, run_klr

BUILDS = ["build", "build-clang", "build-baseline"]

# kernel in examples/, its arguments, options
KERNELS = [
    ("attention.py", ["q=randn:bf16[512,16]", "k=randn:bf16[512,16]", "v=randn:bf16[512,16]"], []),
    ("attention_fwd.py", ["q=randn:bf16[1,512,64]", "k=randn:bf16[1,512,64]", "v=randn:bf16[1,512,64]"], []),
    ("avgpool.py", ["x=randn:f32[5,6,9]", "pool=3"], []),
    ("composed.py:mlp", ["x_t=randn:f32[20,30]", "w1=randn:f32[20,40]", "b1=randn:f32[40,1]", "w2=randn:f32[40,7]",
                         "b2=randn:f32[7,1]", "activation='gelu'"], []),
    ("composed.py:mlp", ["x_t=randn:f32[9,300]", "w1=randn:f32[9,40]", "b1=randn:f32[40,1]", "w2=randn:f32[40,7]",
                         "b2=randn:f32[7,1]", "activation='silu'"], []),
    ("dynamic_loop.py", ["x=randn:f32[3,128,20]", "count=randint(2,3):i32[1,1]"], []),
    ("lnc2.py", ["x=randn:f32[140,33]", "factor=0.3"], ["--lnc", "2"]),
    ("matmul.py:matmul_one_tile", ["lhs_t=randn:f32[77,13]", "rhs=randn:f32[77,41]"], []),
    ("matmul.py:matmul_tiled", ["lhs_t=randn:bf16[256,128]", "rhs=randn:bf16[256,512]"], []),
    ("matmul.py:matmul_hoisted", ["lhs_t=randn:f32[256,128]", "rhs=randn:f32[256,512]"], []),
    ("matmul.py:matmul_blocked", ["lhs_t=randn:f16[128,256]", "rhs=randn:f16[128,512]", "tiles_in_m=2", "tiles_in_n=1"],
     []),
    ("mlp.py", ["x=randn:bf16[128,128]", "w_gate=randn:bf16[128,256]", "w_up=randn:bf16[128,256]",
                "w_down=randn:bf16[256,128]"], []),
    ("moe.py", ["x=randn:bf16[128,128]", "router=randn:bf16[128,8]", "w_gate=randn:bf16[8,128,128]",
                "w_up=randn:bf16[8,128,128]", "w_down=randn:bf16[8,128,128]"], ["--target", "trn3"]),
    ("norms.py:rmsnorm", ["x=randn:f32[130,77]", "weight=randn:f32[1,77]"], []),
    ("norms.py:layernorm", ["x=randn:f32[130,77]", "weight=randn:f32[1,77]", "bias=randn:f32[1,77]"], []),
    ("rope.py", ["x=randn:f32[130,34]", "cos=randn:f32[130,17]", "sin=randn:f32[130,17]"], []),
    ("selective_scan.py", ["delta=uniform:f32[130,20]", "u=randn:f32[130,20]", "A=randn:f32[130,3]",
                           "B=randn:f32[3,20]", "C=randn:f32[3,20]"], []),
    ("softmax.py", ["x=randn:f32[130,77]"], []),
    ("softmax.py", ["x=randn:bf16[7,300]"], []),
    ("tensor_add.py", ["a=randn:f16[130,77]", "b=randn:f16[130,77]"], []),
    ("topk.py", ["x=randn:f32[9,77]", "k=16"], []),
    ("transpose.py", ["x=randn:f32[128,128]"], []),
]
IDS = [f"{kernel}-{arguments[0].split(':')[1]}" for kernel, arguments, _ in KERNELS]


def programs():
    """(name, path) of each build that stands beside this one's sources."""
    found = [(folder, os.path.join(ROOT, folder, "klr")) for folder in BUILDS]
    missing = [folder for folder, path in found if not os.path.exists(path)]
    if missing:
        pytest.skip(f"not built: {', '.join(missing)} (tools/check.py builds them)")
    return found


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix == ".npy"}


def test_every_example_is_here():
    files = {name for name in os.listdir(os.path.join(ROOT, "examples")) if name.endswith(".py")}
    assert files == {kernel.split(":")[0] for kernel, _, _ in KERNELS}


@pytest.mark.slow
@pytest.mark.parametrize("kernel, arguments, options", KERNELS, ids=IDS)
def test_bits(tmp_path, kernel, arguments, options):
    path = os.path.join(ROOT, "examples", kernel)
    want = file = None
    for name, program in programs():
        traced = tmp_path / f"{name}.klr"
        result = run_klr("trace", path, *arguments, *options, "-o", traced, program=program)
        assert result.returncode == 0, result.stderr
        file = file or traced.read_bytes()
        assert traced.read_bytes() == file, f"{name} writes another .klr file"
        ways = [["--threads", 1], ["--threads", 2]] + [["--reference"]] * (name == "build")
        for way in ways:
            out = tmp_path / f"out-{name}-{len(way)}-{way[-1]}"
            result = run_klr("run", path, *arguments, *options, *way, "--out", out, program=program)
            assert result.returncode == 0, result.stderr
            want = want or contents(out)
            assert want and contents(out) == want, f"{name} {way} computes other bits"
