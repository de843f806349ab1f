# The front door: `make` builds build/klr; `make demo` and `make check` first install what is missing.
# Meson and ninja do the work; see docs/architecture.md.

BUILD := build
PYTHON := .venv/bin/python
export PATH := /usr/lib/ccache:$(PATH)

.PHONY: all setup demo check check-long asan clang baseline unit bench docs bless fuzz clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@tools/setup.sh build
	@meson setup $(BUILD) >/dev/null

# Debian packages and the virtual environment of the tests. Quick when everything is there.
setup:
	@tools/setup.sh build test

unit: all
	@$(BUILD)/tests/unit_tests

demo: setup all
	@$(PYTHON) tools/demo.py $(BUILD)/klr

# Every test, also under ASan+UBSan and with clang; the last line is `N passed, N failed`.
check: setup all
	@$(PYTHON) tools/check.py

check-long: setup all
	@$(PYTHON) tools/check.py --long

bench: setup all
	@$(PYTHON) bench/run.py $(BUILD)/klr

bless: setup all
	@$(PYTHON) tools/check.py --bless

clean:
	rm -rf build build-*
