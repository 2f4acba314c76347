#!/bin/sh
# Installs what the tests need besides Python: Java and Maven (a real Kafka, a program with Feishu's Java SDK), Go and Node.js
# (programs with the other SDKs), strace, buildah and debootstrap (the image). Then fetches and builds what is kept in build/.
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

is_there() {
    command -v "$1" >/dev/null 2>&1
}

# javac: the compiler, of the same release as the java beside it.
java_is_new_enough() {
    major=$(javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')
    [ "${major:-0}" -ge 17 ] && java -version >/dev/null 2>&1
}

missing=
java_is_new_enough || missing="$missing openjdk-17-jdk-headless"
is_there mvn || missing="$missing maven"
is_there go || missing="$missing golang-go"
is_there node || missing="$missing nodejs"
is_there npm || missing="$missing npm"
for tool in strace buildah debootstrap; do
    is_there $tool || missing="$missing $tool"
done

if [ -n "$missing" ]; then
    if may_install; then
        update_once >/dev/null 2>&1 || true
        # Later releases have only a later Java.
        if ! apt-cache show openjdk-17-jdk-headless >/dev/null 2>&1; then
            missing=$(echo "$missing" | sed 's/openjdk-17-/openjdk-21-/')
        fi
    fi
    # shellcheck disable=SC2086 # a list of packages
    install_packages "what the tests need" $missing
    java_is_new_enough || fail "$(command -v javac || echo javac) is still not there or older than 17: put a newer JDK first on PATH"
fi

.venv/bin/python -m tests.broker.cluster --prepare
exec .venv/bin/python -m tests.interop.build --prepare
