# `make` alone lists the targets. Everything runs in .venv, made from requirements.lock.
.DEFAULT_GOAL := help
.PHONY: help setup run setup-test lint types test test-fast interop soak bench docs lock image clean

# An inherited PYTHONDONTWRITEBYTECODE would make every start compile everything again.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
ARGS ?=
PYTEST_ARGS ?=
IMAGE ?= feishu-event-router
BASE ?= python:3.13-slim

help: ## list the targets (default)
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv from locked, hashed dependencies (PYTHON=… names the interpreter)
	@sh scripts/setup.sh "$(PYTHON)"

run: setup ## serve; settings come from the environment or ARGS="--env-file my.env"
	@exec $(BIN)/feishu-event-router run $(ARGS)

setup-test: setup ## install what the tests need besides: Java, Maven, Go, Node.js, strace, buildah, debootstrap, Kafka's jars, Feishu's SDKs
	@sh scripts/setup-test.sh

lint: setup ## formatting and lint
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check

types: setup ## static types
	@$(BIN)/mypy

test: setup-test lint types ## everything: lint, types and all tests, with a real Kafka and the image
	@exec $(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

test-fast: setup ## the tests that need neither Kafka nor the image nor programs of other languages
	@exec $(BIN)/python -m pytest -m "not broker and not image and not interop" $(PYTEST_ARGS)

interop: setup-test ## five events by both roads, in and out, to programs with Feishu's four SDKs: prints the matrix
	@exec $(BIN)/python -m tests.interop.matrix

soak: setup-test ## break what can be broken under load, at random, and check every promise (MINUTES=10, SEED=…)
	@exec $(BIN)/python -m tests.crash.soak

bench: setup-test ## measure this router against others, in turns, on this machine
	@exec $(BIN)/python benchmarks/run.py $(ARGS)

docs: setup ## write docs/settings.md anew from the code
	@$(BIN)/python -m router.settings.reference

lock: setup ## resolve all dependencies anew (UV_ARGS=--upgrade for newer ones) and write the lock files
	@sh scripts/lock.sh $(UV_ARGS)

image: ## build the container image with docker, podman or buildah (IMAGE=…, BASE=…)
	@sh scripts/image.sh "$(IMAGE)" "$(BASE)"

clean: ## remove .venv, build/ and caches; the journal under data/ stays
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find router sinks tests benchmarks examples scripts -name __pycache__ -type d -prune -exec rm -rf {} +
