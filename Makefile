# `make run` shows the line at work, `make test` checks everything; both set up what they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test test-long set-up lint types contract tests clean

run: set-up
	$(BIN)/linesentry run --plates 3

test: set-up lint types contract tests

set-up: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,onnx,efficientnet,gentl,modbus,mqtt,opcua,gpio,parquet,postgres,dask,simulation]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[pylon]' || echo "pypylon cannot be installed here: its tests are skipped"
	touch $@

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

contract:
	$(BIN)/lint-imports

# One more than cores, for many tests wait for other processes; four at most, for each takes up to 2 GB.
TESTERS := $(shell n=$$(($$(nproc) + 1)); echo $$((n < 4 ? n : 4)))

# A file of tests stays in one process, for its fixtures, and the long ones do not come last.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(TESTERS) --dist loadfile --no-loadscope-reorder

tests:
	$(PYTEST) -m 'not long'

test-long: set-up
	$(PYTEST) -m long

clean:
	rm -rf $(VENV) build *.egg-info
