# Everything here works in a fresh clone with python3 (3.11 or newer), pip and make; nothing is installed outside it.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

UV_VERSION := 0.13.9
UV := .tools/bin/uv
PY := .venv/bin/python
HOME_ARG := $(if $(CIRCLETAKE_HOME),--home "$(CIRCLETAKE_HOME)")

# nothing of the caller's Python may leak in, and no other Python is downloaded
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX
# set in many build images: every process would compile every library again
unexport PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS := never
export UV_NO_CONFIG := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
# a home that can't be written (a container's user, a service account) gets its cache in the checkout
HOME_IS_WRITABLE := $(shell [ -n "$$HOME" ] && mkdir -p "$$HOME/.cache" 2>/dev/null && [ -w "$$HOME/.cache" ] && echo yes)
ifneq ($(HOME_IS_WRITABLE),yes)
export UV_CACHE_DIR ?= $(CURDIR)/.tools/cache
export PIP_NO_CACHE_DIR := 1
endif

# two first starts beside each other take turns
LOCKED := mkdir -p .tools && if command -v flock >/dev/null 2>&1; then exec 9>.tools/lock; flock 9; fi
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)

##@ Use it

help: ## Show what there is
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile
	@printf '\nCIRCLETAKE_HOME moves the data (default: .circletake). T=path narrows make test.\n'

demo: .venv/.embedded .venv-s3/.ready .tools/weights/.ready ## Run the whole way once, from a production to a signed take, in a stack of its own
	@$(PY) -m services.embedded.demo $(ARGS)

up: .venv/.embedded .venv-s3/.ready .tools/weights/.ready ## Start the stack: Postgres, Valkey, S3, models, API, workers. Ctrl-C stops it
	@$(PY) -m services.embedded up --stop-with-parent $(HOME_ARG) $(ARGS)

down: .venv/.embedded ## Stop a stack that another terminal started
	@$(PY) -m services.embedded down $(HOME_ARG)

##@ Work on it

test: .venv/.dev .venv-s3/.ready .tools/weights/.ready ## Run the tests: make test, or make test T=tests/unit
	@$(PY) -m pytest $(if $(T),-n 0 $(T),-n 3 --dist loadfile --no-loadscope-reorder) $(ARGS)

check: .venv/.dev ## Check style, import rules and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@.venv/bin/lint-imports
	@$(PY) -m mypy

weights: .tools/weights/.ready ## Make the files of the networks that see faces

migrate: .venv/.embedded ## Bring CIRCLETAKE_DATABASE__OWNER_URL to the newest schema
	@[ -n "$$CIRCLETAKE_DATABASE__OWNER_URL" ] || { echo 'Set CIRCLETAKE_DATABASE__OWNER_URL, for example postgresql+asyncpg://circletake_owner:...@host/circletake'; exit 2; }
	@$(PY) -m alembic -c migrations/alembic.ini upgrade head

bench: .venv/.dev .venv-s3/.ready .tools/weights/.ready ## Measure
	@$(PY) -m benchmarks $(ARGS)

eval: .venv/.embedded .tools/weights/.ready ## Score a labelled folder of pictures: make eval DATA=dir (docs/evaluation.md)
	@[ -n "$(DATA)" ] || { echo 'Say which folder: make eval DATA=dir'; exit 2; }
	@$(PY) -m evaluation --data "$(DATA)" $(if $(CIRCLETAKE_HOME),--out "$(CIRCLETAKE_HOME)") $(ARGS)

conform: .venv/.embedded .venv-s3/.ready ## Compare the offline servers with AWS: make conform AWS_PROFILE=name MAX_USD=6
	@$(PY) -m conformance $(if $(AWS_PROFILE),--profile "$(AWS_PROFILE)") $(if $(MAX_USD),--max-usd "$(MAX_USD)") $(ARGS)

COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 $(if $(UPGRADE),--upgrade)
lock: $(UV) ## Resolve the dependencies again: make lock, or make lock UPGRADE=1
	@echo 'Locking: dev'
	@$(COMPILE) pyproject.toml --extra dev -o requirements/dev.txt >/dev/null
	@for extra in embedded offline api worker; do \
		echo "Locking: $$extra"; \
		$(COMPILE) pyproject.toml --extra $$extra -c requirements/dev.txt -o requirements/$$extra.txt >/dev/null || exit 1; \
	done
	@echo 'Locking: base'
	@$(COMPILE) pyproject.toml -c requirements/dev.txt -o requirements/base.txt >/dev/null
	@echo 'Locking: s3'
	@$(COMPILE) requirements/s3.in -o requirements/s3.txt >/dev/null
	@echo 'Locking: weights'
	@$(COMPILE) requirements/weights-build.in -o requirements/weights-build.txt >/dev/null
	@$(COMPILE) requirements/weights.in -c requirements/dev.txt --build-constraints requirements/weights-build.txt -o requirements/weights.txt >/dev/null

# --- the environments ------------------------------------------------------------------------------------------------

$(UV):
	@[ -n "$(PYTHON)" ] || { echo 'Python 3.11 or newer is needed, as python3 or python3.11 to 3.14 on the PATH.'; exit 2; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { echo 'pip is missing for $(PYTHON): on Debian or Ubuntu, apt-get install python3-pip.'; exit 2; }
	@[ -w . ] || { echo 'This checkout is not writable for you: make a clone of your own, its environments live inside.'; exit 2; }
	@echo 'Set-up: uv $(UV_VERSION), into .tools'
	@$(LOCKED); [ -x $(UV) ] || $(PYTHON) -m pip install --quiet --upgrade --target .tools uv==$(UV_VERSION)

# .venv holds the embedded set, or the dev set once it was asked for: dev contains it with the same pins
.venv/.embedded: requirements/embedded.txt | $(UV)
	@$(LOCKED); set -e; \
	[ -x .venv/bin/python ] || $(UV) venv --quiet --python $(PYTHON) .venv; \
	set=embedded; if [ -e .venv/.dev ]; then set=dev; fi; \
	echo "Set-up: requirements/$$set.txt, into .venv (the first time takes a while)"; \
	$(UV) pip sync --quiet --require-hashes --python .venv/bin/python requirements/$$set.txt; \
	if [ $$set = dev ]; then touch .venv/.dev; fi; touch $@

.venv/.dev: requirements/dev.txt | $(UV)
	@$(LOCKED); set -e; \
	[ -x .venv/bin/python ] || $(UV) venv --quiet --python $(PYTHON) .venv; \
	echo 'Set-up: requirements/dev.txt, into .venv (the first time takes a while)'; \
	$(UV) pip sync --quiet --require-hashes --python .venv/bin/python requirements/dev.txt; \
	touch .venv/.dev .venv/.embedded

.venv-s3/.ready: requirements/s3.txt | $(UV)
	@$(LOCKED); set -e; \
	[ -x .venv-s3/bin/python ] || $(UV) venv --quiet --python $(PYTHON) .venv-s3; \
	echo 'Set-up: requirements/s3.txt, into .venv-s3'; \
	$(UV) pip sync --quiet --require-hashes --python .venv-s3/bin/python requirements/s3.txt; \
	touch $@

# the sdist it reads is 100 MB, most of it landmarks that are never used: nothing of it stays, not even in uv's cache
.tools/weights/.ready: infra/weights/convert.py circletake/data/weights.yaml requirements/weights.txt requirements/weights-build.txt | $(UV)
	@$(LOCKED); set -e; \
	echo 'Set-up: the networks that see faces, into .tools/weights (100 MB are read once)'; \
	trap 'rm -rf .venv-weights' EXIT; rm -rf .venv-weights; \
	$(UV) venv --quiet --python $(PYTHON) .venv-weights; \
	$(UV) pip sync --quiet --no-cache --require-hashes --build-constraints requirements/weights-build.txt \
		--python .venv-weights/bin/python requirements/weights.txt; \
	.venv-weights/bin/python infra/weights/convert.py circletake/data/weights.yaml .tools/weights; \
	touch $@

.PHONY: help demo up down test check weights migrate bench eval conform lock
