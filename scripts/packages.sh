# shellcheck shell=sh
# Sourced by the setup scripts: messages, and Debian packages where this user may install them.

say() {
    echo "setup: $*" >&2
}

fail() {
    say "$*"
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

may_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }
}

# install_packages WHY PACKAGE...: installs, or says in one line what to install and ends with status 1.
install_packages() {
    why=$1
    shift
    if ! may_install; then
        fail "$why missing; this user may not install it here (no apt-get, or neither root nor password-less sudo): apt-get install $*"
    fi
    say "installing $* ($why)"
    log=$(mktemp)
    if ! { update_once && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt-get failed; by hand: apt-get update && apt-get install $*"
    fi
    rm -f "$log"
}

update_once() {
    [ -n "${apt_updated:-}" ] || as_root apt-get update
    apt_updated=yes
}
