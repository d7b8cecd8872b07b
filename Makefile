# The verbs of the project; `make help` lists them. Everything runs in .venv, which `make` creates.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILED := $(VENV)/.compiled
PEERS := $(VENV)-peers

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not installed: apt-get install python3 python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "error: cannot create $(VENV): apt-get install python3-venv"; exit 1; }
	@echo "installing Python packages into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

# The installation has compiled it, too, but would not say why not. Where it cannot be, the next make tries again.
$(COMPILED): $(STAMP) exporter/hatch_build.py $(wildcard exporter/runtime_exporter/http/compiled/*.[ch])
	@if $(BIN)/python exporter/hatch_build.py; then touch $@; else [ "$$RUNTIME_EXPORTER_COMPILED" != true ]; fi

.PHONY: setup
setup: $(COMPILED) ## virtual environment, Python packages, Prometheus and Alertmanager
	@deploy/install-tools.sh

.PHONY: demo
demo: setup ## the whole stack on loopback: six faults, each watched from fault to message (KEEP=1 leaves it running)
	@$(BIN)/runtime-exporter demo $(if $(filter-out 0,$(KEEP)),--keep)

.PHONY: test
test: setup ## the whole test suite, with real servers
	@deploy/install-tools.sh --tests
	@$(MAKE) --no-print-directory $(COMPILED)
	@deploy/newer-tools.sh
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-all
test-all: ## the suite on every interpreter that pyenv has (3.10 and later)
	@deploy/test-all.sh

.PHONY: gauntlet
gauntlet: setup ## every alert over labelled histories: SEED='1 2', CASE=leak, DETECTOR=Memory, QUICK=1, NAIVE=0, WRITE=docs/detectors.md
	@PYTHONPATH=tests $(BIN)/python -m gauntlet $(if $(SEED),--seed $(SEED)) $(if $(CASE),--case $(CASE)) $(if $(DETECTOR),--detector $(DETECTOR)) \
		$(if $(filter-out 0,$(QUICK)),--quick) $(if $(filter 0,$(NAIVE)),--no-naive) $(if $(WRITE),--write $(WRITE)) \
		$(if $(KEEP),--keep $(KEEP)) $(if $(JOBS),--jobs $(JOBS))

.PHONY: lint
lint: $(STAMP) ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

.PHONY: generate
generate: $(STAMP) ## write generated/ anew from rules/, dashboards/, alertmanager/
	@$(BIN)/runtime-exporter generate generated/

# The peers' environment is of the same Python: what is benchmarked imports from both.
$(PEERS)/.installed: benchmarks/peers.txt $(STAMP)
	@test -x $(PEERS)/bin/python || $(BIN)/python -m venv $(PEERS)
	@echo "installing the peers of the benchmark into $(PEERS) …"
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt && touch $@ || \
		echo "warning: not installed, so not compared with; the next make bench tries again"

.PHONY: bench
bench: $(COMPILED) $(PEERS)/.installed ## each goal beside its figure and the peers': NAME=requests, QUICK=1, LONG=1
	@BENCHMARK_PEERS=$(PEERS) $(BIN)/python -m benchmarks $(NAME) $(if $(filter-out 0,$(QUICK)),--quick) $(if $(filter-out 0,$(LONG)),--long)

.PHONY: soak
soak: $(COMPILED) ## 24 simulated hours in which everything comes and goes, and what stays behind: MINUTES=5, QUICK=1
	@SOAK_MINUTES=$(MINUTES) $(BIN)/python -m benchmarks soak $(if $(filter-out 0,$(QUICK)),--quick)

.PHONY: clean
clean: ## remove what make created
	@rm -rf $(VENV) $(PEERS) .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage* exporter/runtime_exporter/http/compiled/*.so
