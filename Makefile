# The verbs of this repository. `make` alone lists them.

VENV ?= .venv
GROUP ?= dev
CODE ?= final
PICTURES ?= steps/pictures
PINS ?= --constraint .ci/pins.txt

# The first Python on this machine that is recent enough, or else python3.
NAMES = python3 python3.14 python3.13 python3.12 python3.11
NEW_ENOUGH = -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(or $(shell for name in $(NAMES); do \
	$$name $(NEW_ENOUGH) 2>/dev/null && echo $$name && break; done), python3)

RUN = $(VENV)/bin/python -m

.PHONY: help
help:  ## list the verbs
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/ready: pyproject.toml .ci/pins.txt
	@$(PYTHON) $(NEW_ENOUGH) 2>/dev/null || { echo "This needs Python 3.11 or newer," \
	"but $(PYTHON) is `command -v $(PYTHON) >/dev/null && \
	$(PYTHON) --version 2>&1 || echo not installed`." \
	"Install one, or name one: make PYTHON=/path/to/python3.13"; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "This needs Python's venv," \
	"but $(PYTHON) has none. On Debian and Ubuntu: apt install python3-venv"; \
	exit 1; } >&2
	@echo "Setting up $(VENV), once …"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) pip install --quiet --upgrade 'pip>=25.1'  # --group is new there
	@$(RUN) pip install --quiet --group $(GROUP) $(PINS)
	@touch $@

.PHONY: demo
demo: $(VENV)/ready  ## run the site and the server (CODE=steps/03, REDIS_URL=…, AUTO=1)
	@$(RUN) steps.demo --code $(CODE) $(if $(STEP),--step $(STEP)) \
	$(if $(AUTO),--auto) $(if $(SITE_PORT),--site-port $(SITE_PORT)) \
	$(if $(SERVER_PORT),--server-port $(SERVER_PORT))

.PHONY: screenshots
screenshots: $(VENV)/ready  ## take the pictures of README.md and the tutorial again
	@$(RUN) steps.demo.picture $(PICTURES)
	@$(RUN) tests.screenshots --to $(PICTURES)

.PHONY: start
start: $(VENV)/ready  ## lay out mine/, the folder for your own code
	@$(RUN) steps.desk start

.PHONY: progress
progress: $(VENV)/ready  ## which steps your code passes, and what is next
	@$(RUN) steps.desk progress

.PHONY: watch
watch: $(VENV)/ready  ## run the current suite whenever you save a file
	@$(RUN) steps.desk watch

.PHONY: catch-up
catch-up: $(VENV)/ready  ## put mine/ where a chapter starts (STEP=03)
	@$(RUN) steps.desk catch-up $(STEP) $(if $(YES),--yes)

.PHONY: diff
diff: $(VENV)/ready  ## what a chapter changes (STEP=03)
	@$(RUN) steps.desk diff $(STEP)

.PHONY: test
test: check  ## prove everything
	@$(RUN) pytest tests --numprocesses 3 --dist loadfile --no-loadscope-reorder

.PHONY: check
check: $(VENV)/ready  ## lint and types
	@$(RUN) ruff format --check --quiet .
	@$(RUN) ruff check --quiet .
	@$(RUN) tests.check

.PHONY: matrix
matrix: $(VENV)/ready  ## grade every step with every suite, and show it as a table
	@$(RUN) tests.matrix

.PHONY: mutants
mutants: $(VENV)/ready  ## change the code of the steps in small ways; is it noticed?
	@$(RUN) tests.mutants

.PHONY: bench
bench:  ## measure it beside its peers (ARGS="--quick", ARGS=--help)
	@$(MAKE) --no-print-directory .venv-bench/ready VENV=.venv-bench GROUP=bench
	@.venv-bench/bin/python -m tests.bench $(ARGS)

.PHONY: soak
soak: $(VENV)/ready  ## break everything on purpose, in full size
	@$(RUN) tests.faults.soak

.PHONY: newest
newest:  ## the same proofs with the newest release of everything
	@$(MAKE) test VENV=.venv-newest PINS=

.PHONY: pins
pins:  ## write the newest releases to .ci/pins.txt
	@$(MAKE) --always-make .venv-newest/ready VENV=.venv-newest PINS=--upgrade GROUP=bench
	@.venv-newest/bin/python -m pip freeze > .ci/pins.txt
