# SPDX-License-Identifier: GPL-2.0-or-later
#
# Everything runs in a virtual environment of its own, made at the first use:
#   make demo PYTHON=python3.12    takes another Python (3.11 or newer)
#   make test VENV=/tmp/venv       puts the environment elsewhere

PYTHON ?= python3
VENV   ?= .venv

INSTALLED   := $(VENV)/.installed
LINTERS     := $(VENV)/.linters
OLDEST      := .venv-oldest
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --retries 2 --timeout 20
CHECKED     := genksyms_py modpost_py tests samples bench

.DELETE_ON_ERROR:
.PHONY: help demo test test-oldest conformance e2e bench lint clean

help:           ## list the targets
	@echo 'Targets:'
	@sed -n 's/^\([a-z0-9-]*\): .*## \(.*\)/  make \1	\2/p' Makefile | expand -t 22

demo: $(INSTALLED)    ## build the miniature kernel of samples/ and show what its symbol versions do
	@PATH="$(PWD_VENV)/bin:$$PATH" $(MAKE) --no-print-directory -C samples/mini-kernel show PYTHON=python

test: $(INSTALLED)    ## run the tests that need nothing but Python and gcc (under three minutes)
	@"$(VENV)/bin/python" -m pytest

conformance: $(INSTALLED)    ## compare with the C programs on Debian's kernels (downloads; under 25 minutes)
	@"$(VENV)/bin/python" -m tests.conformance.run

e2e: $(INSTALLED)    ## boot Debian's kernels under qemu and load modules that these programs made
	@"$(VENV)/bin/python" -m tests.conformance.run --only boots kernel-verdicts booted-tools

test-oldest: $(OLDEST)/.installed    ## run the tests with the oldest pycparser, lark and pyelftools that are allowed
	@"$(OLDEST)/bin/python" -m pytest

bench: $(INSTALLED)    ## measure speed and memory against the C programs
	@status=0; for program in bench/*.py; do \
		"$(VENV)/bin/python" "$$program" || status=1; \
	done; exit $$status

lint: $(LINTERS)    ## ruff and mypy --strict
	@"$(VENV)/bin/ruff" check $(CHECKED)
	@"$(VENV)/bin/mypy"
	@cd samples/mini-kernel && MYPYPATH=.:../.. "$(PWD_VENV)/bin/mypy" --config-file ../../pyproject.toml *.py

clean:          ## remove what the targets above made
	rm -rf .venv $(OLDEST) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@$(MAKE) --no-print-directory -C samples/mini-kernel clean

# The environment as seen from another directory.
PWD_VENV = $(if $(filter /%,$(VENV)),$(VENV),$(CURDIR)/$(VENV))

# $(call make-environment,DIRECTORY): an empty environment, or a message that says what to do.
define make-environment
	@command -v "$(PYTHON)" > /dev/null || { \
		echo "make: there is no $(PYTHON) here; install Python 3.11 or newer," \
		     "or name it: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $$("$(PYTHON)" --version) is too old: Python 3.11 or newer is needed;" \
		     "if there is one, name it: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2> /dev/null || { \
		echo "make: $(PYTHON) cannot make virtual environments: its modules venv and ensurepip" \
		     "are missing (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "making the environment $(1) and installing what is needed into it"
	@"$(PYTHON)" -m venv "$(1)"
endef

INDEX_HINT = { echo "make: installing failed; if the lines above speak of connections or of no matching" \
	"distribution, the package index did not answer: see 'pip config list' and try again" >&2; exit 1; }

# Made anew when the dependencies change, or when another Python is asked for.
$(INSTALLED): pyproject.toml
	$(call make-environment,$(VENV))
	@"$(VENV)/bin/python" $(PIP_INSTALL) -e '.[test]' || $(INDEX_HINT)
	@echo "$(PYTHON)" > "$@"

ifneq ($(filter command environment,$(origin PYTHON)),)
ifneq ($(PYTHON),$(shell cat "$(INSTALLED)" 2> /dev/null))
.PHONY: $(INSTALLED)
endif
endif

$(LINTERS): $(INSTALLED)
	@"$(VENV)/bin/python" $(PIP_INSTALL) -e '.[lint]' || $(INDEX_HINT)
	@touch "$@"

# "pycparser>=3.0,<4" becomes "pycparser==3.0".
LOWEST = import re, tomllib; \
	print(*(re.sub(r">=([^,]*),.*", r"==\1", text) \
	for text in tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))

$(OLDEST)/.installed: pyproject.toml
	$(call make-environment,$(OLDEST))
	@"$(OLDEST)/bin/python" $(PIP_INSTALL) -e '.[test]' $$("$(PYTHON)" -c '$(LOWEST)') || $(INDEX_HINT)
	@touch "$@"
