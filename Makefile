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

# Parts of `check` alone: under the sanitizers, with clang, without vector clones.
asan clang baseline: setup
	@$(PYTHON) tools/check.py --only build-$@,unit-$@,python-$@

# Each libFuzzer target for FUZZ_SECONDS, from the inputs in tests/fuzz/corpus/NAME, those that it kept before, and of scalar kernels
# the catalogue; what it finds is left in build-fuzz/.
FUZZ_SECONDS := 60
fuzz: setup all
	@[ -f build-fuzz/build.ninja ] || CC=clang CFLAGS=-fsanitize=fuzzer-no-link \
	  meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false >/dev/null
	@ninja -C build-fuzz --quiet
	@$(BUILD)/klr schema compile kernels -o build-fuzz/seeds/schema/
	@mkdir -p build-fuzz/seeds/schema_python && cp kernels/*/*.py tests/schema_published/*.py build-fuzz/seeds/schema_python
	@cd build-fuzz && for target in tests/fuzz/fuzz_*; do [ -x $$target ] && [ -f $$target ] && name=$${target#*fuzz_} && \
	  mkdir -p kept/$$name seeds/$$name && echo $$target && $$target -max_total_time=$(FUZZ_SECONDS) -timeout=20 \
	  kept/$$name seeds/$$name $$(ls -d ../tests/fuzz/corpus/$$name 2>/dev/null) 2>&1 | tail -1 || true; done

# The pages that are made from tables.
docs: all
	@KLR_BLESS=1 $(BUILD)/tests/unit_tests --filter _page
	@$(BUILD)/klr explain isa > docs/isa.md

bench: setup all
	@tools/setup.sh bench
	@$(PYTHON) bench/run.py $(BUILD)/klr

bless: setup all
	@$(PYTHON) tools/check.py --bless

clean:
	rm -rf build build-*
