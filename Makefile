# One definition of each command; .ci/run calls the same ones. Needs Python 3.10 to 3.13, pip, Rust and a C++ compiler.
PYTHON ?= python3
ARGS ?=
MINUTES ?= 5

VENV := .venv
BIN := $(VENV)/bin
MODULE := python/lstmforecast/_core.abi3.so
SOURCES := Cargo.toml Cargo.lock build.rs pyproject.toml .cargo/config.toml $(shell find src -name '*.rs')
# What a build needs stands once, in pyproject.toml; installed here because nothing is built in isolation (torch is 4.5 GB).
BUILD_REQUIRES := $(shell sed -n 's/^requires = \[\(.*\)\]$$/\1/p' pyproject.toml | sed 's/", "/" "/g')
# torch-sys asks the `python` of the active environment where libtorch lies.
ACTIVE := env -u CONDA_PREFIX -u PYTHONHOME VIRTUAL_ENV="$(CURDIR)/$(VENV)" PATH="$(CURDIR)/$(BIN):$$PATH"

.DEFAULT_GOAL := help

.PHONY: help  ## Print this list
help:
	@grep -E '^.PHONY: .*##' Makefile | sed -E 's/^.PHONY: ([a-z -]+[a-z])  ## /\1|/' | awk -F'|' '{printf "make %-12s %s\n", $$1, $$2}'

.PHONY: demo  ## Train on real data, print the scores, write forecast.csv and forecast.png (sets everything up)
demo: develop
	$(BIN)/python notebooks/demo.py

PYTEST := $(BIN)/python -m pytest
# A process a core, four at most, and one thread in each: with more, the threads wait for each other.
IN_PARALLEL := OMP_NUM_THREADS=1 $(PYTEST) -n logical --maxprocesses 4 --dist worksteal

.PHONY: test  ## Run the tests, Rust and Python; ARGS="-k scaler" picks Python tests (sets everything up)
test: develop
	$(ACTIVE) cargo test --release --features torch
	$(ACTIVE) cargo test --release --no-default-features
ifeq ($(ARGS),)
	$(IN_PARALLEL) -m "not slow and not alone"
	$(PYTEST) -m "not slow and alone"
else
	$(PYTEST) $(ARGS)
endif

.PHONY: test-all  ## Run the tests, and what takes minutes: notebooks, pages, benchmarks on small sizes, a cluster
test-all: test
ifeq ($(ARGS),)
	$(IN_PARALLEL) -m "slow and not alone"
	$(PYTEST) -m "slow and alone"
endif

.PHONY: test-room  ## Run the unit tests and the examples of one room: make test-room ROOM=data
test-room: develop
	$(IN_PARALLEL) tests/unit/$(ROOM) python/lstmforecast/$(ROOM) $(ARGS)

.PHONY: fuzz  ## Mutate files and inputs for MINUTES=5, all targets together; ARGS="model_files --seed 1" picks (sets everything up)
fuzz: develop
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(ARGS)

.PHONY: bench  ## Measure against PyTorch, ONNX Runtime and the peers; ARGS="step forward" picks (an hour; sets everything up)
bench: develop
	$(BIN)/python -m pip install --quiet $(shell sed -n 's/^bench = \[\(.*\)\]$$/\1/p' pyproject.toml | sed 's/, / /g')
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: accuracy  ## Score the defaults on open data, beside naive and linear forecasts (minutes; sets everything up)
accuracy: develop
	$(BIN)/python -m tests.accuracy $(ARGS)

.PHONY: docs  ## Build the pages of docs/ and the notebooks into site/; a warning or a broken link is an error
docs: $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet $(shell sed -n 's/^docs = \[\(.*\)\]$$/\1/p' pyproject.toml | sed 's/, / /g')
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

.PHONY: lint  ## Check format, style and types of Python and Rust
lint: develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cargo fmt --check
	$(ACTIVE) cargo clippy --release --all-targets --features python-torch -- -D warnings
	$(ACTIVE) cargo clippy --release --all-targets --no-default-features --features python -- -D warnings

.PHONY: format  ## Format Python and Rust
format: $(MODULE)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt

.PHONY: wheel  ## Build the one wheel for Python 3.10 to 3.13 into dist/
wheel: $(VENV)/.tools
	rm -rf dist
	$(ACTIVE) maturin build --release --out dist $(ARGS)

.PHONY: test-wheel  ## Test the wheel of dist/ in place of the editable package: imports and short stories
test-wheel:
	rm -rf $(VENV)-wheel
	$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)-wheel dist/*.whl
	PYTHONPATH=$(CURDIR)/$(VENV)-wheel $(BIN)/python -c 'import lstmforecast; assert "$(VENV)-wheel" in lstmforecast.__file__'
	PYTHONPATH=$(CURDIR)/$(VENV)-wheel $(PYTEST) tests/contract/test_import.py tests/story -m "not slow" $(ARGS)
	rm -rf $(VENV)-wheel

.PHONY: test-sktime  ## Run sktime's own suite, and ours within sktime, beside the pandas that sktime wants
test-sktime: develop
	$(BIN)/python -m venv --clear $(VENV)-sktime
	$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(" + repr(sysconfig.get_path("purelib")) + ")")' \
		> "$$($(VENV)-sktime/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/environment.pth"
	$(VENV)-sktime/bin/python -m pip install --quiet $(shell sed -n 's/^sktime = \[\(.*\)\]$$/\1/p' pyproject.toml | sed 's/, / /g')
	$(VENV)-sktime/bin/python -m pytest tests/sktime python/lstmforecast/sktime.py $(ARGS)

.PHONY: smoke  ## Install the wheel of dist/ into every Python 3.10 to 3.13 of this machine and train one model
smoke:
	$(PYTHON) .ci/smoke.py

.PHONY: smoke-newest  ## The same with the newest Python alone
smoke-newest:
	$(PYTHON) .ci/smoke.py --newest

.PHONY: develop  ## Set up .venv with everything and the package in editable mode (the others call it)
develop: $(MODULE)

.PHONY: clean  ## Remove everything that was built or installed here
clean:
	rm -rf target dist site $(VENV) $(VENV)-wheel $(VENV)-smoke $(VENV)-sktime $(MODULE)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
		|| { echo "$(PYTHON) is not Python 3.10 to 3.13: name one with make PYTHON=python3.12"; exit 1; }
	@command -v cargo >/dev/null || { echo "cargo not found: install Rust, https://www.rust-lang.org/tools/install"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.tools: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install $(BUILD_REQUIRES)
	touch $@

$(MODULE): $(VENV)/.tools $(SOURCES)
	$(ACTIVE) maturin develop --release --extras plot,serve,test,dev
	touch $@
