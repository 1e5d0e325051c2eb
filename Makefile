# Each target creates .venv and installs what it needs, from lock files.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8080
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: serve test check gate bench train lock

serve: .venv/serve
	$(BIN)/antiphon serve --host $(HOST) --port $(PORT)

test: .venv/dev
	$(BIN)/pytest

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

gate: .venv/dev
	$(BIN)/python -m benchmarks.gate

bench: .venv/dev
	$(BIN)/python -m benchmarks.duplex --limit 10
	$(BIN)/python -m benchmarks.capacity --limit 4

train: .venv/dev
	$(BIN)/python -m models.training all

# What runs the server: no torch. The lock file is complete, so nothing is resolved again.
.venv/serve: requirements/serve.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --no-deps -r requirements/serve.lock
	$(PIP) --no-deps --editable .
	touch $@

# Tests, checks and training: torch by itself, since its wheel chooses its own companions.
.venv/dev: requirements/dev.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch==2.13.0
	$(PIP) --no-deps -r requirements/dev.lock
	$(PIP) --no-deps --editable .
	touch $@ .venv/serve

LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 \
	--no-annotate --no-header --no-emit-index-url --quiet
lock: .venv/dev
	$(PIP) uv
	$(LOCK) --override requirements/serve.overrides --output-file requirements/serve.lock
	$(LOCK) --extra dev --extra training --override requirements/dev.overrides \
		--no-emit-package torch --output-file requirements/dev.lock
