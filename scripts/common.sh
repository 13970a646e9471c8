# Shared by scripts/demo and scripts/test: finds Python, makes the environments, asks for packages.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() {
    if [ -t 2 ]; then printf '\033[1m==> %s\033[0m\n' "$*" >&2; else printf '==> %s\n' "$*" >&2; fi
}
die() { printf '%s\n' "$@" >&2; exit 1; }

# Run a command as root: directly, or by sudo where that asks nothing or can ask somebody.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then sudo "$@"
    else return 1
    fi
}

# Install Debian packages; fails, saying what to do, where that is not possible.
apt_install() {
    say "installing $* with apt"
    if command -v apt-get >/dev/null \
        && { as_root apt-get install -y --no-install-recommends "$@" >&2 \
            || { as_root apt-get update >&2 && as_root apt-get install -y --no-install-recommends "$@" >&2; }; }
    then return 0
    fi
    printf 'Could not install it. Please run this once:\n    sudo apt install %s\n' "$*" >&2
    return 1
}

# Print the Python to use: $EDGE_AGENT_PYTHON, else the first that is new enough.
find_python() {
    local candidate
    for candidate in "${EDGE_AGENT_PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
        then echo "$candidate"; return
        fi
    done
    apt_install python3 >&2 && python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo python3
}

# make_venv FOLDER PYTHON: an environment with pip in it.
make_venv() {
    if [ -x "$1/bin/pip" ] && "$1/bin/python" -c '' 2>/dev/null; then return; fi
    say "making the environment $1"
    rm -rf "$1"
    if ! "$2" -m venv "$1" >/dev/null 2>&1; then
        rm -rf "$1"
        apt_install python3-venv || return 1
        "$2" -m venv "$1"
    fi
}

# install_into FOLDER ARGUMENT...: pip install, but only when pyproject.toml or the place changed.
install_into() {
    local folder=$1 mark stamp
    shift
    mark="$folder/.installed-$(printf '%s\n' "$@" | sha256sum | cut -c1-12)"
    stamp=$(cat pyproject.toml <(echo "$PWD") | sha256sum)
    if [ "$(cat "$mark" 2>/dev/null)" = "$stamp" ]; then return; fi
    say "installing into $folder (a minute or two the first time)"
    "$folder/bin/pip" install -q --progress-bar "$([ -t 2 ] && echo on || echo off)" "$@" >&2
    echo "$stamp" > "$mark"
}

# True where a mosquitto broker is installed, also outside a user's PATH.
has_mosquitto() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v mosquitto >/dev/null; }
