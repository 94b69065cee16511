# Shared by run.sh and test.sh; sourced, never run. POSIX sh. Expects $root, the checkout.

say() { printf '%s\n' "antiphon: $*"; }
warn() { printf '%s\n' "antiphon: $*" >&2; }
die() { warn "$@"; exit 1; }

# Servers live in sbin, PostgreSQL's programs in a place of their own: not on every user's PATH.
find_programs() {
    PATH=$path:/usr/local/sbin:/usr/sbin:/sbin
    for programs in /usr/lib/postgresql/*/bin; do
        if [ -d "$programs" ]; then PATH=$PATH:$programs; fi
    done
    export PATH
}
path=$PATH
find_programs
unset PYTHONPATH PYTHONHOME

venv=${root:?}/.venv
scratch=
policy=

tidy() {
    if [ -n "$policy" ]; then as_root rm -f "$policy"; policy=; fi
    if [ -n "$scratch" ]; then rm -rf "$scratch"; scratch=; fi
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

have() { command -v "$1" >/dev/null 2>&1; }

# Whether we can act as root, without a question that nobody is there to answer.
can_be_root() {
    [ "$(id -u)" = 0 ] && return 0
    have sudo || return 1
    sudo -n true 2>/dev/null && return 0
    [ -t 0 ] && [ "${CI:-}" != true ]
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# --- Python ------------------------------------------------------------------------------------

# Sets $python to a Python of at least 3.11 that can make virtual environments, if there is one.
find_python() {
    for python in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
        have "$python" || continue
        "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
            2>/dev/null && return 0
    done
    python=
    return 1
}

python_packages() {
    if have python3 && ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo python3.11 python3.11-venv # where the distribution's own Python is older
    else
        echo python3 python3-venv
    fi
}

# --- Packages ----------------------------------------------------------------------------------

# missing PROGRAM:PACKAGE… prints the packages whose programs are not there.
missing() {
    for pair in "$@"; do
        have "${pair%%:*}" || printf '%s ' "${pair#*:}"
    done
}

# Debian starts a server as soon as its package is installed. Ours are started by Antiphon, on
# ports of its choice, so tell Debian to leave just the new ones alone while we install.
hold_services() {
    [ -e /usr/sbin/policy-rc.d ] && return 0
    draft=$(mktemp)
    {
        echo '#!/bin/sh'
        echo '# Made by Antiphon for the time of one installation.'
        # shellcheck disable=SC2016  # for the policy to expand
        echo 'case "$1" in'
        echo 'snapserver*|snapclient*|mosquitto*|postgresql*) exit 101 ;;'
        echo 'esac'
        echo 'exit 0'
    } >"$draft"
    policy=/usr/sbin/policy-rc.d
    as_root install -m 755 "$draft" "$policy"
    rm -f "$draft"
}

# install PACKAGE… by apt; returns 1, with a word, where that is not possible.
install_packages() {
    [ $# -gt 0 ] || return 0
    if ! have apt-get; then
        warn "missing, and there is no apt here to install it: $*"
        return 1
    fi
    if ! can_be_root; then
        warn "missing: $*. Install as root: apt-get install --no-install-recommends $*"
        return 1
    fi
    say "installing $*"
    as_root apt-get -qq -o DPkg::Lock::Timeout=300 update </dev/null ||
        warn "apt-get update failed; trying with the lists that are there"
    known=
    for package in "$@"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            known="$known $package"
        else
            warn "this system's package sources have no $package"
        fi
    done
    [ -n "$known" ] || return 1
    hold_services
    log=$(mktemp)
    # shellcheck disable=SC2086  # a list of words
    if as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends $known </dev/null >"$log" 2>&1; then
        outcome=0
    else
        outcome=1
        tail -n 20 "$log" >&2
        warn "apt-get could not install:$known"
    fi
    rm -f "$log"
    if [ -n "$policy" ]; then
        as_root rm -f "$policy"
        policy=
    fi
    find_programs
    return $outcome
}

# need PROGRAM:PACKAGE… installs what is missing, Python included; says what stays missing.
need() {
    wanted=$(missing "$@")
    find_python || wanted="$(python_packages) $wanted"
    [ -e /etc/ssl/certs/ca-certificates.crt ] || ! have apt-get || wanted="$wanted ca-certificates"
    # shellcheck disable=SC2086
    install_packages $wanted || true
    find_python || die "Antiphon needs Python 3.11 or later with its venv module" \
        "(Debian and Ubuntu: python3 and python3-venv). PYTHON=/path/to/python3 chooses one."
    still=$(missing "$@")
    [ -z "$still" ] || warn "going on without: $still"
}

# --- The project -------------------------------------------------------------------------------

# What the environment was made from: the same stamp twice means that there is nothing to do.
stamp() {
    printf '%s\n' "$root" "$("$venv/bin/python" --version 2>&1)" "$(cksum <"$root/pyproject.toml")"
}

# Whether the environment works and was made for this place; its programs name it in their heads.
usable() {
    "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
        grep -qF "$venv" "$venv/bin/activate"
}

# environment EXTRA: the checkout's virtual environment, with the project and EXTRA in it.
environment() {
    for made in "$1" dev; do # the developer's environment holds the user's
        if [ "$(cat "$venv/.antiphon-$made" 2>/dev/null)" = "$(stamp 2>/dev/null)" ]; then
            return 0
        fi
    done
    if ! usable; then
        say "making a virtual environment in $venv"
        "$python" -m venv --clear "$venv" || die "could not make a virtual environment in $venv"
    fi
    say "installing the Python packages (a minute or two, the first time)"
    (cd "$root" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --progress-bar off --use-pep517 --editable ".[$1]") </dev/null ||
        die "pip could not install the Python packages; what it said stands above"
    stamp >"$venv/.antiphon-$1"
}
