# Two commands do all the set-up on a fresh machine with Python 3.11 and pip: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two workers more than cores: much of a test is waiting for a server, a watcher or a grace.
WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 2 )))

.PHONY: demo test quick lint bench torture soak install clean

install: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[demo]" --group dev
	touch $(STAMP)

demo: $(STAMP)  ## the main job on an embedded CalDAV server
	$(BIN)/datebook demo

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## everything; the last line is pytest's
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not torture" tests

quick: $(STAMP)  ## while working: no slow tests
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not torture" tests

bench: $(STAMP)  ## figures beside vdirsyncer and a floor, as ratios measured in one run of about 6 minutes
	$(BIN)/python -m tests.bench

torture: $(STAMP)  ## the reliability figures in full
	$(BIN)/python -m pytest -m "torture or slow" tests

soak: $(STAMP)  ## an hour of edits on both sides, cuts and kills: nothing lost, doubled or growing
	DATEBOOK_SOAK_SECONDS=$${DATEBOOK_SOAK_SECONDS:-3600} $(BIN)/python -m pytest -s tests/integration/test_soak.py

clean:
	rm -rf $(VENV) dist build
