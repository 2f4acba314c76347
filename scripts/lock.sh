#!/bin/sh
# Writes the lock files from pyproject.toml. Arguments go to uv: --upgrade, --upgrade-package NAME.
set -eu
cd "$(dirname "$0")/.."

.venv/bin/python -m venv build/lock
build/lock/bin/python -m pip --quiet --disable-pip-version-check install uv
uv() {
    build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command "make lock" "$@"
}
uv --group dev pyproject.toml -o requirements.lock "$@"
# The image's: the same versions, without the tools of development; and what builds its wheel.
uv --constraint requirements.lock pyproject.toml -o deploy/requirements.lock
echo hatchling | uv --constraint requirements.lock - -o deploy/requirements-build.lock
# The example's that uses Feishu's SDK.
uv examples/sdk/python/requirements.in -o examples/sdk/python/requirements.lock "$@"
