# `make` alone lists the commands. Everything lives in .venv; nothing else on the machine is touched.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHORT := --seed 21 --faults 12 --minutes 1 --processes 2 --partitions 4 --rate 150 --day-seconds 20 --pause-seconds 0.5
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help install demo test check campaign schedules torture fuzz bench scenarios monitoring docs lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## Make .venv with the sluice command

demo: $(VENV)/.installed ## Run the main job on an embedded Apache Kafka: a seeded shop, a killed process, the files
	@$(BIN)/sluice demo

test: $(VENV)/.dev ## Set everything up and run the tests (they start their own Apache Kafka)
	@$(BIN)/python -m pytest

check: $(VENV)/.dev ## Everything CI does: lint, types, import contracts, tests, simulated schedules, a minute of torture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest
	@$(BIN)/python -m tests.schedules
	@$(BIN)/python -m tests.torture $(SHORT)

campaign: $(VENV)/.dev ## Run the long fault campaigns (kills, zombies, lost answers) on a real Apache Kafka
	@HYPOTHESIS_PROFILE=random $(BIN)/python -m pytest -m campaign -n 0

schedules: $(VENV)/.dev ## Simulate 20,000 runs in which processes die, hang and lose their broker at any step; verify every number
	@$(BIN)/python -m tests.schedules

torture: $(VENV)/.dev ## Harm processes, connections, broker and disks for an hour, then verify every number, record and file
	@$(BIN)/python -m tests.torture

fuzz: $(VENV)/.dev ## Try a million hostile inputs on everything that reads bytes, then poison at scale
	@$(PIP) --require-hashes -r requirements/fuzz.txt
	@$(BIN)/python -m tests.fuzz --inputs 1000000
	@$(BIN)/python -m tests.fuzz --poison

bench: $(VENV)/.dev ## Measure throughput beside the raw consumer's ceiling, memory and restore time
	@$(BIN)/python -m tests.bench

scenarios: $(VENV)/.dev ## Run drawn shops, quiet and with faults, and say what the rules find and how fast
	@$(BIN)/python -m tests.scenarios

monitoring: $(VENV)/.dev ## Break a real run under a real Prometheus: every panel must show something, every alarm must fire
	@$(BIN)/python -m tests.deploy

docs: $(VENV)/.dev ## Write the generated tables, examples and golden files anew
	@$(BIN)/python -m pytest -q --update-goldens tests/test_documentation.py tests/test_settings.py \
	  tests/deploy/test_dashboard.py

lock: $(VENV)/.dev ## Lock the dependencies anew, with hashes
	@$(PIP) uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --upgrade pyproject.toml requirements/build.in -o requirements/install.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --upgrade pyproject.toml requirements/build.in requirements/dev.in -o requirements/dev.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --upgrade requirements/fuzz.in -o requirements/fuzz.txt

clean: ## Remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Sluice needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up .venv ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements/install.txt pyproject.toml | $(VENV)/bin/python
	@$(PIP) --require-hashes -r requirements/install.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.installed
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
