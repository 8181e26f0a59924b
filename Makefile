# One definition of each command; .ci/run calls the same ones. Needs Python 3.10 to 3.13, pip and Rust; what uses libtorch
# (tests, lint, benchmarks) a C++ compiler, too.
PYTHON ?= python3
ARGS ?=
MINUTES ?= 5

# .venv has the package as users get it. .venv-torch sees all of that, and has torch and the core that computes with libtorch.
VENV := .venv
BIN := $(VENV)/bin
TORCH_VENV := .venv-torch
TORCH_BIN := $(TORCH_VENV)/bin
CORE := python/lstmforecast/_compiled/_core.abi3.so
TORCH_CORE := lstmforecast-torch/python/lstmforecast_torch/_core.abi3.so
SOURCES := Cargo.toml Cargo.lock build.rs .cargo/config.toml $(shell find src -name '*.rs')
# What a build needs stands once, in each pyproject.toml; installed here because nothing is built in isolation.
requires = $(shell sed -n 's/^requires = \[\(.*\)\]$$/\1/p' $(1) | sed 's/", "/" "/g')
extra = $(shell sed -n 's/^$(1) = \[\(.*\)\]$$/\1/p' pyproject.toml | sed 's/, / /g')
ACTIVE := env -u CONDA_PREFIX -u PYTHONHOME VIRTUAL_ENV="$(CURDIR)/$(VENV)" PATH="$(CURDIR)/$(BIN):$$PATH"
# torch-sys asks the `python` of the active environment where libtorch lies.
ACTIVE_TORCH := env -u CONDA_PREFIX -u PYTHONHOME VIRTUAL_ENV="$(CURDIR)/$(TORCH_VENV)" \
	PATH="$(CURDIR)/$(TORCH_BIN):$(CURDIR)/$(BIN):$$PATH"
# An environment that sees what is installed in .venv.
define layer
	$(BIN)/python -m venv --clear $(1)
	$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(" + repr(sysconfig.get_path("purelib")) + ")")' \
		> "$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/environment.pth"
endef

.DEFAULT_GOAL := help

.PHONY: help  ## Print this list
help:
	@grep -E '^.PHONY: .*##' Makefile | sed -E 's/^.PHONY: ([a-z -]+[a-z])  ## /\1|/' | awk -F'|' '{printf "make %-12s %s\n", $$1, $$2}'

.PHONY: demo  ## Train on real data, print the scores, write forecast.csv and forecast.png (sets everything up)
demo: $(CORE)
	$(BIN)/python notebooks/demo.py

PYTEST := $(TORCH_BIN)/python -m pytest
SMALL_PYTEST := $(BIN)/python -m pytest
# A process a core, four at most, and one thread in each: with more, the threads wait for each other.
PROCESSES := -n logical --maxprocesses 4 --dist worksteal
# Vector instructions beside the widest of this machine.
NARROWER := portable $(if $(filter x86_64,$(shell uname -m)),avx2)
IN_PARALLEL := OMP_NUM_THREADS=1 $(PYTEST) $(PROCESSES)

.PHONY: test  ## Run the tests, Rust and Python; ARGS="-k scaler" picks Python tests (sets everything up)
test: develop
ifeq ($(ARGS),)
	$(ACTIVE_TORCH) cargo test --release --features torch
	cargo test --release
	for simd in $(NARROWER); do LSTMFORECAST_SIMD=$$simd cargo test --release || exit 1; done
	$(IN_PARALLEL) -m "not slow and not alone"
	$(PYTEST) -m "not slow and alone"
	$(MAKE) test-small
else
	$(PYTEST) $(ARGS)
endif

.PHONY: test-small  ## Run the tests of the package without torch, on the core without libtorch
test-small: $(VENV)/.develop
	! $(BIN)/python -c 'import torch' 2>/dev/null
	OMP_NUM_THREADS=1 $(SMALL_PYTEST) $(PROCESSES) $(SMALL_TESTS) -m "not slow and not alone" $(ARGS)
	$(SMALL_PYTEST) $(SMALL_TESTS) -m "not slow and alone" $(ARGS)

SMALL_TESTS := tests/contract tests/unit tests/story tests/same_bits

.PHONY: test-newest-torch  ## Run the parity tests on the core without libtorch, beside the newest torch
test-newest-torch: $(VENV)/.develop
	$(call layer,$(VENV)-newest)
	$(VENV)-newest/bin/python -m pip install --quiet torch
	OMP_NUM_THREADS=1 $(VENV)-newest/bin/python -m pytest $(PROCESSES) tests/parity -m "not slow" $(ARGS)
	rm -rf $(VENV)-newest

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
	$(TORCH_BIN)/python -m tests.fuzz --minutes $(MINUTES) $(ARGS)

.PHONY: bench  ## Measure against PyTorch, ONNX Runtime and the peers; ARGS="step forward" picks (an hour; sets everything up)
bench: develop
	$(TORCH_BIN)/python -m pip install --quiet $(call extra,bench)
	$(TORCH_BIN)/python -m tests.bench $(ARGS)

.PHONY: accuracy  ## Score the defaults on open data, beside naive and linear forecasts (minutes; sets everything up)
accuracy: develop
	$(TORCH_BIN)/python -m tests.accuracy $(ARGS)

.PHONY: docs  ## Build the pages of docs/ and the notebooks into site/; a warning or a broken link is an error
docs: $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet $(call extra,docs)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

.PHONY: lint  ## Check format, style and types of Python and Rust
lint: develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cargo fmt --check
	$(ACTIVE_TORCH) cargo clippy --release --all-targets --features python-torch -- -D warnings
	cargo clippy --release --all-targets --features python -- -D warnings

.PHONY: format  ## Format Python and Rust
format: $(VENV)/.develop
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt

.PHONY: wheel  ## Build the one wheel for Python 3.10 to 3.13 into dist/, for any Linux of the last ten years
wheel: $(VENV)/.tools
	rm -rf dist
	$(BIN)/python -m pip install --quiet ziglang
	$(ACTIVE) maturin build --release --zig --compatibility manylinux_2_17 --out dist $(ARGS)

.PHONY: test-wheel  ## Test the wheel of dist/ in place of the editable package: imports and short stories
test-wheel:
	rm -rf $(VENV)-wheel
	$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)-wheel dist/*.whl
	PYTHONPATH=$(CURDIR)/$(VENV)-wheel $(BIN)/python -c 'import lstmforecast; assert "$(VENV)-wheel" in lstmforecast.__file__'
	PYTHONPATH=$(CURDIR)/$(VENV)-wheel $(SMALL_PYTEST) tests/contract/test_import.py tests/story -m "not slow" $(ARGS)
	rm -rf $(VENV)-wheel

.PHONY: test-sktime  ## Run sktime's own suite, and ours within sktime, beside the pandas that sktime wants
test-sktime: $(VENV)/.develop
	$(call layer,$(VENV)-sktime)
	$(VENV)-sktime/bin/python -m pip install --quiet $(call extra,sktime)
	$(VENV)-sktime/bin/python -m pytest tests/sktime python/lstmforecast/sktime.py $(ARGS)

.PHONY: smoke  ## Install the wheel of dist/ into every Python 3.10 to 3.13 of this machine and train one model
smoke:
	$(PYTHON) .ci/smoke.py wheel

.PHONY: smoke-clone  ## pip install . and pip install ./lstmforecast-torch, each built in isolation, into a new environment
smoke-clone:
	$(PYTHON) .ci/smoke.py clone

.PHONY: develop  ## Set up .venv and .venv-torch with everything and the package in editable mode (the others call it)
develop: $(VENV)/.develop $(TORCH_CORE)

.PHONY: clean  ## Remove everything that was built or installed here
clean:
	rm -rf target dist site $(VENV) $(VENV)-* $(CORE) $(TORCH_CORE)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' \
		|| { echo "$(PYTHON) is not Python 3.10 to 3.13: name one with make PYTHON=python3.12"; exit 1; }
	@command -v cargo >/dev/null || { echo "cargo not found: install Rust, https://www.rust-lang.org/tools/install"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.tools: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install $(call requires,pyproject.toml)
	touch $@

$(CORE): $(VENV)/.tools $(SOURCES)
	$(ACTIVE) maturin develop --release --extras plot
	touch $@

$(VENV)/.develop: $(CORE) pyproject.toml
	$(BIN)/python -m pip install "lstmforecast[plot,serve,test,dev]"
	touch $@

$(TORCH_VENV)/.tools: lstmforecast-torch/pyproject.toml | $(VENV)/.develop
	$(call layer,$(TORCH_VENV))
	$(TORCH_BIN)/python -m pip install $(call requires,lstmforecast-torch/pyproject.toml)
	touch $@

$(TORCH_CORE): $(TORCH_VENV)/.tools $(SOURCES)
	cd lstmforecast-torch && $(ACTIVE_TORCH) maturin develop --release
	touch $@
