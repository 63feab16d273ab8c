# Everything a newcomer needs: `make demo` and `make test`. Each sets up .venv by itself.
#
# PYTHON  interpreter for the environment; found by itself, version 3.11 or later
# ONLY    for bench and interop: run only what contains this text, as in `make interop ONLY=modbus`

PYTHON ?= $(firstword $(foreach name,python3.11 python3,$(if $(shell $(name) -c $(NEW_ENOUGH) 2>/dev/null),$(name))))
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ONLY   ?=

NEW_ENOUGH := 'import sys, venv, ensurepip; print("yes") if sys.version_info >= (3, 11) else sys.exit(1)'
NO_PYTHON  := needs Python 3.11 or later with its venv module: install python3.11 and python3.11-venv, or name one \
	with `make PYTHON=/path/to/python3`

# Registries fail now and then: three attempts, each with pip's own retries.
PIP := attempt() { for left in 2 1 0; do \
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --retries 5 --timeout 30 "$$@" && return; \
	test $$left = 0 || { echo "installing failed; $$left more attempts" >&2; sleep 10; }; \
	done; return 1; }; attempt

# One thread for every linear algebra call: the matrices are small, and tests share the cores.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test bench interop lint format lock clean setup

help:
	@echo "make demo      watch a dispatch being limited in a simulated zone"
	@echo "make test      run the tests"
	@echo "make lint      check form, types and architecture"
	@echo "make interop   run against peers that nobody here wrote   (ONLY=name)"
	@echo "make bench     measure speed                               (ONLY=name)"
	@echo "make format    let ruff put the code in shape"
	@echo "make lock      resolve the dependencies anew into requirements/lock.txt"
	@echo "make clean     remove what these commands leave behind"

demo: $(STAMP)
	$(BIN)/ampacity demo

# What only computes runs on every core; what talks over sockets or starts processes runs alone.
PURE := tests/grid_engine tests/scenarios tests/gateway/coordination tests/config

test: $(STAMP)
	@failed=0; \
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not interop and not sockets" $(PURE) || failed=1; \
	$(BIN)/python -m pytest -m "not interop" $(foreach path,$(PURE),--ignore=$(path)) || failed=1; \
	$(BIN)/python -m pytest -m sockets $(PURE) || failed=1; \
	exit $$failed

bench: $(STAMP)
	$(BIN)/python -m tests.bench --only "$(ONLY)"

interop: $(STAMP)
	$(BIN)/python -m tests.interop --only "$(ONLY)"

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: $(STAMP)

$(STAMP): requirements/lock.txt pyproject.toml
	@$(BIN)/python -c $(NEW_ENOUGH) >/dev/null 2>&1 || { test -n "$(PYTHON)" && $(PYTHON) -c $(NEW_ENOUGH) >/dev/null \
		&& $(PYTHON) -m venv --clear $(VENV); } || { echo '$(NO_PYTHON)' >&2; exit 1; }
	@echo "installing into $(VENV); the first time takes a few minutes"
	@$(PIP) --require-hashes -r requirements/lock.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@echo "compiling the grid engine, once"
	@$(BIN)/python -m grid_engine.rehearsal
	@touch $@

lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements/lock.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
