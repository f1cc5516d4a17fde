# Works on a fresh clone with python3 (3.11 or newer), make and a package index: each target makes
# what it needs, the virtual environment included.

VENV         ?= .venv
WORKERS      ?= 2
FUZZ_SECONDS ?= 600
SEED         ?=

# The first interpreter that is new enough; PYTHON=... overrides it.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Types are checked for it too: the driver's are other ones from 3.12 on.
NEWEST := 3.14

BIN    := $(VENV)/bin
SETUP   = $(if $(strip $(PYTHON)),,$(error no Python 3.11 or newer found: install one, or name it with PYTHON=...))\
	$(PYTHON) tools/bootstrap.py $(VENV)

.DEFAULT_GOAL := help
.PHONY: help demo test check format fuzz bench bench-peers coverage clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.ready-to-run ## watch a live view follow a database that 12 agents write to
	@$(BIN)/smithers-db demo

test: check ## everything that must hold: the checks, then the whole test suite (WORKERS=2 processes)
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal

check: $(VENV)/.ready-to-develop ## lint, formatting and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy & $(BIN)/mypy --python-version $(NEWEST) && wait $$!

format: $(VENV)/.ready-to-develop ## mend what lint and formatting can mend by themselves
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

fuzz: $(VENV)/.ready-to-develop ## random databases and writes, then many processes, against oracles (FUZZ_SECONDS=600 each, SEED=)
	$(BIN)/python -m tests.properties.fuzz --seconds $(FUZZ_SECONDS) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.neighbours.fuzz --seconds $(FUZZ_SECONDS) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.ready-to-develop ## measure, as ratios to raw SQLite in the same run
	$(BIN)/python -m benchmarks

bench-peers: $(VENV)/.ready-to-develop ## the same questions put to comparable libraries
	$(BIN)/python -m benchmarks peers

coverage: $(VENV)/.ready-to-develop ## the test suite, with the lines and branches it does not reach
	$(BIN)/python -m pytest --cov --cov-report=term

clean: ## remove the virtual environment and everything generated
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.ready-to-run: pyproject.toml tools/bootstrap.py
	@$(SETUP) '.[cli]'
	@touch $@

$(VENV)/.ready-to-develop: pyproject.toml tools/bootstrap.py
	@$(SETUP) '.[dev]'
	@touch $@ $(VENV)/.ready-to-run
