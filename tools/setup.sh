#!/bin/sh
# Installs what is missing: `setup.sh build` what the program needs, `setup.sh build test` also what the tests need.
# Debian packages come by apt-get (through sudo unless root), Python packages into .venv from PyPI.
set -eu
cd "$(dirname "$0")/.."

build_packages="gcc libc6-dev make meson ninja-build pkg-config ccache libgmp-dev libmpfr-dev libjansson-dev libxxhash-dev"
test_packages="python3 python3-venv python3-dev clang llvm libclang-rt-14-dev libpython3.11-testsuite"
python_packages="pytest hypothesis numpy ml_dtypes jax"

packages=""
for want in "$@"; do
  case $want in
    build) packages="$packages $build_packages" ;;
    test) packages="$packages $test_packages" ;;
    *) echo "usage: setup.sh [build] [test]" >&2; exit 2 ;;
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

case " $* " in
  *" test "*)
    if [ ! -x .venv/bin/python ] || [ ! -f .venv/klr-packages ] || [ "$(cat .venv/klr-packages)" != "$python_packages" ]; then
      echo "installing into .venv: $python_packages" >&2
      /usr/bin/python3 -m venv .venv
      .venv/bin/python -m pip install -q --disable-pip-version-check $python_packages
      echo "$python_packages" >.venv/klr-packages
    fi ;;
esac
