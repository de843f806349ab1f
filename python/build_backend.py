"""Builds the wheel: what meson-python makes, with the tags that are true of it.

The extension keeps to the stable interface of Python 3.9, so the wheel is for that and all later ones, not for the one it
was built with; and it needs no library but the C library, so it runs where that is as new as here.
"""

import base64
import hashlib
import os
import platform
import re
import zipfile

import mesonpy
from mesonpy import build_editable, build_sdist, get_requires_for_build_sdist, get_requires_for_build_wheel  # noqa: F401

get_requires_for_build_editable = get_requires_for_build_wheel


def true_tag(tag):
    """cp311-abi3-linux_x86_64 is cp39-abi3-manylinux_2_36_x86_64 where the C library is glibc 2.36."""
    name, version = platform.libc_ver()
    tag = re.sub(r"^cp3\d+-abi3-", "cp39-abi3-", tag)
    if name == "glibc":
        tag = re.sub(r"-linux_", "-manylinux_{}_{}_".format(*version.split(".")[:2]), tag)
    return tag


def _record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"{name},sha256={digest},{len(data)}"


def retag(path):
    """Rewrite a wheel under its true tag; its new name."""
    stem, tag = re.fullmatch(r"(.+?-.+?)-(cp.*)\.whl", os.path.basename(path)).groups()
    name = f"{stem}-{true_tag(tag)}.whl"
    target = os.path.join(os.path.dirname(path), name)
    if target == path:
        return name
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith(".dist-info/WHEEL"):
                data = wheel = re.sub(r"(?m)^Tag: (\S+)", lambda m: "Tag: " + true_tag(m[1]), data.decode()).encode()
                wheel_name = info.filename
            if info.filename.endswith(".dist-info/RECORD"):
                lines = data.decode().splitlines()
                data = "".join((_record_line(wheel_name, wheel) if line.startswith(wheel_name + ",") else line) + "\n"
                               for line in lines).encode()
            new.writestr(info, data)
    os.unlink(path)
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = mesonpy.build_wheel(wheel_directory, config_settings, metadata_directory)
    return retag(os.path.join(wheel_directory, name))
