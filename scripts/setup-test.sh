#!/bin/sh
# Installs what the tests need besides Python: Java and Maven (a real Kafka), strace, buildah and debootstrap (the image).
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

java_is_new_enough() {
    major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
    [ "${major:-0}" -ge 17 ]
}

missing=
java_is_new_enough || missing="$missing openjdk-17-jre-headless"
command -v mvn >/dev/null 2>&1 || missing="$missing maven"
for tool in strace buildah debootstrap; do
    command -v $tool >/dev/null 2>&1 || missing="$missing $tool"
done

if [ -n "$missing" ]; then
    if may_install; then
        update_once >/dev/null 2>&1 || true
        # Later releases have only a later Java.
        if ! apt-cache show openjdk-17-jre-headless >/dev/null 2>&1; then
            missing=$(echo "$missing" | sed 's/openjdk-17-/openjdk-21-/')
        fi
    fi
    # shellcheck disable=SC2086 # a list of packages
    install_packages "what the tests need" $missing
    java_is_new_enough || fail "$(command -v java) is still older than 17: put a newer one first on PATH"
fi

exec .venv/bin/python -m tests.broker.cluster --prepare
