# Two commands do everything: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo test setup check clean

# .venv holds this checkout (editable) and what its tests need; made again when the dependencies change. Where Python may
# write no bytecode, as in many containers, each start would compile every module: a tenth of a start, a third of its imports.
setup: .venv/ready
	@$(BIN)/python -m compileall -q mpmm kernels
.venv/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

# the main job under mpirun -np 5, with scores and a map at the end
demo: setup
	launch/demo

# a worker more than cores, for tests of ranks that start and end wait a good deal; more than eight workers
# compile the same kernels side by side
test: setup check
	$(BIN)/python -m pytest -n $$($(BIN)/python -c "import os; print(min(os.cpu_count() + 1, 8))") --dist loadgroup --no-loadscope-reorder --durations=25

# lint, format, types, import contracts
check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv
