# Everything a newcomer needs: `make demo` and `make test`. Each sets up .venv by itself.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ONLY   ?=

.PHONY: demo test bench interop lint lock clean setup

demo: $(STAMP)
	$(BIN)/ampacity demo

test: $(STAMP)
	$(BIN)/python -m pytest

bench: $(STAMP)
	$(BIN)/python -m tests.bench --only "$(ONLY)"

interop: $(STAMP)
	$(BIN)/python -m tests.interop --only "$(ONLY)"

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(STAMP)

$(STAMP): requirements/lock.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --retries 5 --require-hashes -r requirements/lock.txt
	$(BIN)/python -m pip install --quiet --retries 5 --no-deps --no-build-isolation --editable .
	touch $@

lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements/lock.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
