#!/bin/sh
# Makes .venv from requirements.lock, or does nothing when that is done. Usage: setup.sh [PYTHON]
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

wanted=${1:-}
venv=.venv
stamp=$venv/.ready

version_of() {
    "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

can_make_venv() {
    "$1" -c 'import venv, ensurepip' 2>/dev/null
}

is_usable_venv() {
    case "$(cat $stamp 2>/dev/null)" in
        "" | *" $PWD") ;;
        *) return 1 ;; # made elsewhere: its scripts hold absolute paths
    esac
    is_new_enough $venv/bin/python && $venv/bin/python -m pip --version >/dev/null 2>&1 || return 1
    [ -z "$wanted" ] || [ "$(version_of "$wanted")" = "$(version_of $venv/bin/python)" ]
}

# Prints the first interpreter that will do; else the first that only lacks venv. Status 1: none is new enough.
find_python() {
    fallback=
    for candidate in ${wanted:-python3 python3.14 python3.13 python3.12 python3.11}; do
        is_new_enough "$candidate" || continue
        if can_make_venv "$candidate"; then
            echo "$candidate"
            return 0
        fi
        fallback=${fallback:-$candidate}
    done
    [ -n "$fallback" ] && echo "$fallback"
}

make_venv() {
    if ! python=$(find_python); then
        found=$(version_of "${wanted:-python3}" || echo "not there")
        say "Python 3.11 or later is needed; ${wanted:-python3} is $found"
        say "install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3"
        exit 1
    fi
    if ! can_make_venv "$python"; then
        install_packages "Python's venv module" "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
        can_make_venv "$python" || fail "$python still has no ensurepip: it can't make virtual environments"
    fi
    say "making $venv with Python $(version_of "$python")"
    rm -rf $venv
    "$python" -m venv $venv
}

# What .venv is made from, and where.
key="$(cat requirements.lock pyproject.toml scripts/setup.sh | cksum) $PWD"
if [ "$(cat $stamp 2>/dev/null)" = "$key" ] && [ -x $venv/bin/python ] && { [ -z "$wanted" ] || is_usable_venv; }; then
    exit 0
fi

is_usable_venv || make_venv
# Without the stamp an interrupted setup is repeated.
rm -f $stamp
say "installing the locked dependencies (once; about half a minute)"
pip="$venv/bin/python -m pip --quiet --disable-pip-version-check --no-input"
$pip install --require-hashes -r requirements.lock
$pip install --no-deps --no-build-isolation -e .
# Some packages carry files for other versions of Python, which don't compile with this one.
$venv/bin/python -m compileall -q -j 0 $venv/lib router sinks >/dev/null 2>&1 || true
echo "$key" >$stamp
say "ready"
