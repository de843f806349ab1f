#!/bin/sh
# Installs what is missing: `setup.sh build` what the program needs, `setup.sh build test` also what the tests need,
# `setup.sh bench` what is only measured against. Debian packages come by apt-get (through sudo unless root), Python
# packages from PyPI: into .venv, those of the bench into .venv-bench.
set -eu
cd "$(dirname "$0")/.."

build_packages="gcc libc6-dev make meson ninja-build pkg-config ccache libgmp-dev libmpfr-dev libjansson-dev libxxhash-dev"
test_packages="python3 python3-venv python3-dev clang llvm libclang-rt-14-dev libpython3.11-testsuite"
python_packages="pytest hypothesis numpy ml_dtypes jax jsonschema"
bench_packages="numba ml_dtypes"

packages=""
for want in "$@"; do
  case $want in
    build) packages="$packages $build_packages" ;;
    test) packages="$packages $test_packages" ;;
    bench) ;;
    *) echo "usage: setup.sh [build] [test] [bench]" >&2; exit 2 ;;
  esac
done

missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "installing:$missing" >&2
  sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# environment FOLDER PACKAGES: a virtual environment that has these.
environment() {
  if [ ! -x "$1/bin/python" ] || [ ! -f "$1/klr-packages" ] || [ "$(cat "$1/klr-packages")" != "$2" ]; then
    echo "installing into $1: $2" >&2
    /usr/bin/python3 -m venv "$1"
    "$1/bin/python" -m pip install -q --disable-pip-version-check $2
    echo "$2" >"$1/klr-packages"
  fi
}

case " $* " in
  *" test "*) environment .venv "$python_packages" ;;
esac
case " $* " in
  *" bench "*) environment .venv-bench "$bench_packages" ;;
esac
