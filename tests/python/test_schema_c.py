"""libklr_schema from C: the example of docs/schema.md as a reader would build it, what the library exports and asks for, and its header in C and C++."""

import os
import re
import shutil
import subprocess

import pytest
from conftest import KLR, ROOT

LAUNCHER = os.path.join(ROOT, "build", "tools", "launcher")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not os.path.exists(os.path.join(LAUNCHER, "libklr_schema.a")), reason="built without objcopy")]


def output(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What `meson install` puts below its prefix, and a folder as docs/schema.md assumes it."""
    where = tmp_path_factory.mktemp("installed")
    output("meson", "install", "-C", os.path.join(ROOT, "build"), "--no-rebuild", "--quiet", "--tags", "devel,runtime", "--destdir", where)
    for name in ("kernels", "examples"):
        (where / name).symlink_to(os.path.join(ROOT, name))
    (where / "bin").mkdir()
    (where / "bin" / "klr").symlink_to(KLR)
    prefix = next(path for path in where.rglob("klr_schema.pc")).parent
    environment = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": str(where), "PKG_CONFIG_PATH": str(prefix), "LD_LIBRARY_PATH": str(prefix.parent),
                   "PATH": f"{where}/bin:{os.environ['PATH']}", "KLR_CACHE": str(where / "cache")}
    return where, environment


def commands():
    with open(os.path.join(ROOT, "docs", "schema.md"), encoding="utf-8") as page:
        block = re.search(r"^    \$ meson install.*\n((?:    .*\n)+)", page.read(), re.M)[1]
    return [(first, "".join(line + "\n" for line in rest)) for first, *rest in (part.rstrip("\n").replace("\n    ", "\n").split("\n") for part in block.split("    $ ")[1:])]


def test_the_commands_of_the_page(installed):
    where, environment = installed
    assert len(commands()) == 3
    for command, shown in commands():
        got = output("sh", "-c", command, cwd=where, env=environment)
        assert not shown or got == shown


@pytest.mark.parametrize("compiler", [name for name in ("gcc", "clang") if shutil.which(name)])
def test_linked_statically(installed, compiler):
    where, environment = installed
    output("sh", "-c", commands()[0][0], cwd=where, env=environment)
    flags = output("pkg-config", "--cflags", "klr_schema", env=environment).split()
    libraries = next(where.rglob("libklr_schema.a"))
    output(compiler, "-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", *flags, "examples/schema/main.c", libraries, "-o", "static", "-pthread", "-ldl", cwd=where)
    assert "libklr" not in output("ldd", where / "static")
    assert output(where / "static", "libraries", cwd=where) == commands()[2][1]
    ran = subprocess.run([where / "static", "nowhere"], cwd=where, capture_output=True, text=True, check=False)
    assert ran.returncode == 1 and ran.stderr == "nowhere: No such file or directory\n"
    (where / "none").mkdir(exist_ok=True)
    ran = subprocess.run([where / "static", "none"], cwd=where, capture_output=True, text=True, check=False)
    assert ran.returncode == 1 and ran.stderr == "there is no kernel `vector_add`\n"


def test_what_it_exports_and_asks_for():
    with open(os.path.join(ROOT, "include", "klr_schema.h"), encoding="utf-8") as header:
        declared = set(re.findall(r"^[\w *]*?\b(klr_\w+)\((?!name)", re.sub(r"^static.*", "", re.sub(r"/\*.*?\*/", "", header.read(), flags=re.S), flags=re.M), re.M))
    for file, option in (("libklr_schema.so", "-D"), ("libklr_schema.a", "-g")):
        assert set(output("nm", option, "--defined-only", "-j", os.path.join(LAUNCHER, file)).split()) - {"launcher.o:"} == declared
    needed = re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d", os.path.join(LAUNCHER, "libklr_schema.so")))
    assert all(name.startswith(("libc.so", "libdl.so", "libpthread.so", "ld-linux")) for name in needed), needed


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler")
def test_the_header_is_cpp_too(tmp_path):
    (tmp_path / "m.cpp").write_text("#include <klr_schema.h>\nint main() { KlrLaunchArgument a[] = {klr_u32(3), klr_array(nullptr, 0, KLR_F64)};\n"
                                    "  KlrRegistry *r = klr_registry_new(); bool ok = klr_launch(r, 0, a, 2, nullptr); klr_registry_free(r); return ok; }\n")
    output("c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", tmp_path / "m.cpp", os.path.join(LAUNCHER, "libklr_schema.a"), "-pthread", "-ldl",
           "-o", tmp_path / "m")
    output(tmp_path / "m")
