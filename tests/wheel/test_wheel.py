"""The wheel in a clean virtual environment: the package, the program, scripts that say `import nki`.

Environments get numpy and ml_dtypes from PyPI, as a user's do. With KLR_WHEEL_PYTHONS=all every CPython from 3.9 to 3.13 gets the
same wheel: those that pyenv has here, or that are on the path as `python3.9` and so on. One that is not here is skipped, by name.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN = "%d.%d" % sys.version_info[:2]
VERSIONS = ["3.9", "3.10", "3.11", "3.12", "3.13"] if os.environ.get("KLR_WHEEL_PYTHONS") == "all" else [OWN]
SYSTEM = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}

KERNEL = """
@nki.jit
def scale(x, factor=2.0):
    tile = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.sbuf)
    nisa.dma_copy(dst=tile, src=x)
    nisa.tensor_scalar(dst=tile, data=tile, op0=nl.multiply, operand0=factor)
    out = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    nisa.dma_copy(dst=out, src=tile)
    return out
"""
PACKAGE_SCRIPT = f"""
import numpy as np
import klr, klr.core, klr.frontend
import klr.nki as nki, klr.nki.isa as nisa, klr.nki.language as nl
{KERNEL}
x = np.arange(12, dtype=np.float32).reshape(4, 3)
assert np.array_equal(scale(x), x * 2)
assert scale(x.astype(nl.bfloat16)).dtype == nl.bfloat16
try:
    scale(np.zeros((129, 4), np.float32))
except klr.Error as error:
    assert error.code == "E0401", error
kernel = klr.frontend.Kernel(scale)
assert [op.kind for op in kernel.specialize((x, 3.0)).operators()] == ["nc_dma_copy", "tensor_scalar", "nc_dma_copy"]
assert np.array_equal(klr.frontend.deserialize(kernel.serialize()).run(x)[0], x * 3)
import klr.schema as ks
@ks.kernel
def double(x: ks.DeviceArray[ks.f32], n: ks.u32):
    i = ks.get_global_id()
    if i < n:
        x[i] *= 2.0
double.launch((x, x.size), interpret=True)
assert x.sum() == 132
print("ran", klr.__version__)
"""
NKI_SCRIPT = f"""
import sys
import numpy as np
import nki, nki.isa as nisa, nki.language as nl
import neuronxcc.nki.language, nki_cpu_simulator, neuron_dtypes
{KERNEL}
assert np.array_equal(scale(np.ones((2, 3), np.float32)), np.full((2, 3), 2))
print("ran", nki.__name__, sys.argv[1:])
"""


def call(*command, cwd, check=True, **environment):
    """The completed process, in an environment where nothing of this checkout is at hand."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")}
    done = subprocess.run([str(c) for c in command], cwd=cwd, text=True, capture_output=True, timeout=3600,
                          env={**clean, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment})
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """(klr's wheel, klr-nki's wheel)"""
    place = tmp_path_factory.mktemp("wheels")
    call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", place, ROOT, ROOT / "python" / "nki_alias", cwd=place)
    found = sorted(place.glob("*.whl"))
    assert len(found) == 2
    return found


class Environment:
    """A virtual environment in `place`."""

    def __init__(self, place, interpreter):
        self.place = place
        call(interpreter, "-m", "venv", place / "venv", cwd=place)
        self.bin = place / "venv" / "bin"

    def install(self, *what):
        self.python("-m", "pip", "install", "-q", *what)

    def python(self, *arguments, **keywords):
        return call(self.bin / "python", *arguments, cwd=self.place, **keywords)

    def script(self, text, name="script.py"):
        path = self.place / name
        path.write_text(text)
        return path

    def site_packages(self):
        return pathlib.Path(self.python("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())


def interpreter_of(version):
    """A CPython of `version` that can make virtual environments, or None."""
    known = sorted(pathlib.Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for found in [sys.executable if version == OWN else None, *map(str, known), shutil.which(f"python{version}")]:
        if found and subprocess.run([found, "-c", f"import ensurepip, sys, venv; assert sys.version.startswith('{version}.')"],
                                    capture_output=True).returncode == 0:
            return found
    return None


@pytest.fixture(scope="session", params=VERSIONS)
def environment(request, wheels, tmp_path_factory):
    interpreter = interpreter_of(request.param)
    if not interpreter:
        pytest.skip(f"no CPython {request.param} here: neither in ~/.pyenv/versions nor on the path as python{request.param}")
    made = Environment(tmp_path_factory.mktemp("environment"), interpreter)
    made.install(wheels[0], "pytest")
    return made


def needed(path):
    """The shared libraries that an ELF file names."""
    listing = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"NEEDED\s+(\S+)", listing))


def test_the_wheel_is_for_every_python_from_3_9_and_stands_alone(wheels, tmp_path):
    assert re.fullmatch(r"klr-[\d.]+-cp39-abi3-manylinux_2_\d+_\w+\.whl", wheels[0].name)
    assert re.fullmatch(r"klr_nki-[\d.]+-py3-none-any\.whl", wheels[1].name)
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(tmp_path)
    tag = next(tmp_path.glob("*.dist-info/WHEEL")).read_text()
    assert "Tag: " + wheels[0].name.split("-", 2)[2][:-4] in tag
    package = tmp_path / "klr"
    assert needed(next(tmp_path.glob("*.data/scripts/klr"))) <= SYSTEM
    beside = {path.name for path in package.glob("lib*.so*")}
    for path in list(package.glob("*.so*")):
        assert needed(path) <= beside | SYSTEM, path
    assert "$ORIGIN" in subprocess.run(["objdump", "-p", package / "_native.abi3.so"], capture_output=True, text=True).stdout


def test_the_package(environment):
    assert environment.python(environment.script(PACKAGE_SCRIPT)).stdout.startswith("ran ")


@pytest.mark.skipif(os.environ.get("KLR_WHEEL_PYTHONS") != "all", reason="installs mypy")
def test_the_package_is_typed(environment):
    environment.install("mypy")
    environment.python("-m", "mypy", "--strict", ROOT / "tests" / "wheel" / "typed_sample.py")


def test_the_program_is_on_the_path(environment):
    path = environment.script("import nki, nki.isa as nisa, nki.language as nl\n" + KERNEL, "kernel.py")
    done = call(environment.bin / "klr", "run", path, "x=ones:f32[2,3]", cwd=environment.place)
    assert re.search(r"out\S*\s+float32\[2,3\]\s+min 2\s+max 2", done.stdout)
    assert "usage" in call(environment.bin / "klr", "--help", cwd=environment.place).stdout.lower()


def test_scripts_that_import_nki(environment):
    path = environment.script(NKI_SCRIPT)
    assert environment.python("-m", "klr", path, "--a", "b").stdout == "ran klr.nki ['--a', 'b']\n"
    assert "ran klr.nki" in environment.python("-m", "klr", "-c", NKI_SCRIPT).stdout
    assert "python -m klr SCRIPT" in environment.python("-m", "klr", "--help").stdout
    missing = environment.python("-m", "klr", "nowhere.py", check=False)
    assert missing.returncode == 2 and "no file 'nowhere.py'" in missing.stderr and "Traceback" not in missing.stderr
    unasked = environment.python(path, check=False)
    assert "No module named 'nki'" in unasked.stderr


def test_the_pytest_plugin_is_there(environment):
    environment.script("import numpy as np, nki, nki.isa as nisa, nki.language as nl\n" + KERNEL + """
def test_scale(klr):
    klr.check(scale, (np.ones((2, 3), np.float32),), np.full((2, 3), 2.0))
""", "test_scale.py")
    done = environment.python("-m", "pytest", "-q", "--klr-nki", "--klr-target", "trn3", "test_scale.py")
    assert "1 passed" in done.stdout


def test_the_opt_in_package_and_a_vendor_package(environment, wheels):
    environment.install("--no-deps", "--no-index", wheels[1])
    path = environment.script(NKI_SCRIPT)
    assert environment.python("-W", "error", path).stdout == "ran klr.nki []\n"
    assert environment.python("-c", "import sys; print('klr' in sys.modules)").stdout == "False\n"
    vendor = environment.site_packages() / "nki"
    vendor.mkdir()
    (vendor / "__init__.py").write_text("WHO = 'vendor'\n")
    (vendor / "isa.py").write_text("WHO = 'vendor'\n")
    try:
        done = environment.python("-c", "import nki, nki.isa; print(nki.WHO, nki.isa.WHO)")
        assert done.stdout == "vendor vendor\n"
        assert str(vendor) in done.stderr and "not KLR's" in done.stderr and "python -m klr SCRIPT" in done.stderr
        assert "not KLR's" not in environment.python("-c", "import klr.nki").stderr
        assert environment.python("-m", "klr", path).stdout == "ran klr.nki []\n"
    finally:
        for file in vendor.glob("*.py"):
            file.unlink()
    environment.python("-m", "pip", "uninstall", "-q", "-y", "klr-nki")
    assert environment.python("-c", "import nki.isa", check=False).returncode == 1
