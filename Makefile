# Every target builds the virtual environment that it needs. `make help` lists them.
# GNU make 3.81, which macOS ships, is enough.

MATRIX  ?= beaver-dam
WEIGHTS ?= tiny
ARGS    ?=
RUN     ?= reports/$(MATRIX)
BASELINE ?= baseline
SEED    ?= 1
COUNT   ?= 100000
HISTORIES ?= 20
OTHERS  ?= 3
MICROBENCH ?= .benchmarks/microbench.json

VENV    ?= .venv
PARITY  ?= .venv-parity
PYTHON  ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
             $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN      = $(VENV)/bin
# MLX's CPU build for Linux brings a slow BLAS; a faster one is preloaded where there is one.
FAST_BLAS = LTXBENCH_PRELOAD="$$($(1)/python -m ltxbench.measure.blas)"; export LD_PRELOAD="$$LTXBENCH_PRELOAD"

.PHONY: help bench report check history doctor docs docs-check test test-browser test-parity equality microbench \
        soak fuzz simulate fixtures lint format check-python clean

help:
	@echo "make bench [MATRIX=beaver-dam] [WEIGHTS=tiny]   run a matrix and write its page"
	@echo "make report [MATRIX=beaver-dam]                 write the page again from the stored results"
	@echo "make check [RUN=reports/MATRIX] [BASELINE=baseline]  judge a run against earlier ones; verdict.json says what it is"
	@echo "make history [BASELINE=baseline]                the runs of a baseline"
	@echo "make doctor                                     is this machine fit to measure on?"
	@echo "make docs, make docs-check                      write, or only check, what is generated from stored results"
	@echo "make test                                       unit and end-to-end tests"
	@echo "make test-browser                               the pages in a real browser"
	@echo "make test-parity                                compare with the official PyTorch code, live"
	@echo "make equality                                   the same, and refresh the table in docs/equality.md"
	@echo "make microbench [MICROBENCH=FILE.json]          time the parts, at full size where there is an accelerator"
	@echo "make soak                                       the long tests: many cases in one run, faults, whole workflows"
	@echo "make fuzz [COUNT=100000] [SEED=1]               hostile matrices, headers and journals"
	@echo "make simulate [HISTORIES=20] [OTHERS=3]         false alarms and power of comparison and gate, in 10 minutes"
	@echo "make fixtures                                   regenerate the stored reference tensors"
	@echo "make lint, make format                          ruff and mypy"

bench: $(VENV)/.installed
	$(BIN)/ltxbench bench $(MATRIX) --weights $(WEIGHTS) $(ARGS)

report: $(VENV)/.installed
	$(BIN)/ltxbench report $(MATRIX) $(ARGS)

# Make ends with 2 whatever the command's code was, so the code is printed, and what it means is in the file.
check: $(VENV)/.installed
	@$(BIN)/ltxbench check $(RUN) --baseline $(BASELINE) --verdict verdict.json $(ARGS); code=$$?; \
	  echo "ltxbench check: exit code $$code; the verdict is in verdict.json"; exit $$code

history: $(VENV)/.installed
	$(BIN)/ltxbench history --baseline $(BASELINE) $(ARGS)

doctor: $(VENV)/.installed
	$(BIN)/ltxbench doctor $(ARGS)

# Every page that is here with its run, then the generated parts of the documents.
docs: $(VENV)/.installed
	@for run in reports/*/run; do $(BIN)/ltxbench report "$$(basename "$$(dirname "$$run")")" || exit; done
	$(BIN)/ltxbench docs $(ARGS)

docs-check: $(VENV)/.installed
	@code=0; for run in reports/*/run; do \
	   $(BIN)/ltxbench report --check "$$(basename "$$(dirname "$$run")")" || code=$$?; done; \
	 $(BIN)/ltxbench docs --check $(ARGS) || code=$$?; exit $$code

test: $(VENV)/.installed-dev
	$(call FAST_BLAS,$(BIN)); $(BIN)/python -m pytest --ignore=tests/parity -m "not slow" $(ARGS)

test-browser: $(VENV)/.installed-browser
	$(call FAST_BLAS,$(BIN)); $(BIN)/python -m pytest --ignore=tests/parity -m browser $(ARGS)

test-parity: $(PARITY)/.installed
	$(call FAST_BLAS,$(PARITY)/bin); $(PARITY)/bin/python -m pytest tests/parity $(ARGS)

equality: $(PARITY)/.installed
	$(call FAST_BLAS,$(PARITY)/bin); $(PARITY)/bin/python -m tests.parity.table

microbench: $(VENV)/.installed-dev
	@mkdir -p .benchmarks
	$(call FAST_BLAS,$(BIN)); $(BIN)/python -m pytest tests/microbench --benchmark-enable --benchmark-only \
	  --benchmark-columns=median,iqr,rounds --benchmark-sort=fullname --benchmark-json=$(MICROBENCH) $(ARGS)
	$(BIN)/python -m tests.microbench.table $(MICROBENCH)

soak: $(VENV)/.installed-dev
	$(call FAST_BLAS,$(BIN)); export LTXBENCH_SOAK_CASES=$${LTXBENCH_SOAK_CASES:-200} LTXBENCH_CUT_EVERY=1 \
	  LTXBENCH_FUZZ_JOURNALS=$(COUNT) LTXBENCH_PRINTED_BYTES=1073741824; \
	  $(BIN)/python -m pytest tests/run/faults tests/run/test_journal.py $(ARGS) && \
	  $(BIN)/python -m pytest --ignore=tests/parity -m slow $(ARGS)

# A file written beside a module on its first import would count as a finding.
fuzz: $(VENV)/.installed-dev
	PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m tests.fuzz.campaign --matrices $(COUNT) --headers $(COUNT) --journals $(COUNT) --seed $(SEED) $(ARGS)

simulate: $(VENV)/.installed
	$(BIN)/ltxbench simulate $(ARGS)
	$(BIN)/python -m tests.regression.simulate_history --histories $(HISTORIES)
	$(BIN)/python -m tests.regression.simulate_history --machine all --histories $(OTHERS) --seed 900

fixtures: $(PARITY)/.installed
	$(PARITY)/bin/python -m tests.parity.fixtures

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check-python:
	@test -n "$(PYTHON)" || { echo "ltxbench needs Python 3.11 or newer; none was found. Set PYTHON=/path/to/python3." >&2; exit 1; }

$(VENV)/bin/python: | check-python
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

$(VENV)/.installed-browser: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,browser]'
	@touch $@

# ltx-core names torchaudio and other packages that its video path never imports.
$(PARITY)/.installed: pyproject.toml | check-python
	$(PYTHON) -m venv $(PARITY)
	$(PARITY)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev,parity]'
	$(PARITY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps 'ltx-core==1.0.0'
	@touch $@

clean:
	rm -rf $(VENV) $(PARITY) .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
