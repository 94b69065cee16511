#!/bin/sh
# Everything that has to hold before a change lands; the same on a laptop and in CI.
#   sh config/test.sh [options of pytest]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/config/lib.sh"

need snapserver:snapserver snapclient:snapclient mosquitto:mosquitto \
    mosquitto_sub:mosquitto-clients ffmpeg:ffmpeg chromium:chromium pg_ctl:postgresql git:git faketime:faketime
environment dev

cd "$root"
bin=$venv/bin
PATH=$bin:$PATH # tests start `antiphon` and its tools by name
export PATH
unset PYTHONDONTWRITEBYTECODE # each server that a test starts would compile every file anew
scratch=$(mktemp -d)

step() {
    say "== $1"
    shift
    "$@" </dev/null
}

# tests NAME OPTION… runs a part of the tests. They start hundreds of real programs, some of which
# fail by chance where the machine stands still for a second: up to three tests that failed are
# tried once more, by themselves, and named at the end.
unsteady=
tests() {
    name=$1
    cache=$scratch/$name
    shift
    outcome=0
    step "pytest, $name" python -m pytest -o cache_dir="$cache" "$@" || outcome=$?
    [ $outcome = 1 ] || return $outcome # all of them ran, and some failed
    failed=$(sed -n 's/^ *"\(.*::.*\)": true,*$/\1/p' "$cache/v/cache/lastfailed")
    [ "$(echo "$failed" | wc -l)" -le 3 ] || return 1
    step "pytest, what failed" python -m pytest -o cache_dir="$cache" --last-failed "$@" -n 0
    unsteady="$unsteady
$failed"
}

step "ruff check" ruff check .
step "ruff format" ruff format --check .
step "lint-imports" lint-imports
say "== mypy, beside the wheel"
mypy >"$scratch/mypy.log" 2>&1 &
mypy=$!
step "wheel" python -m build --wheel --outdir "$scratch/dist" . >"$scratch/build.log" 2>&1 || {
    cat "$scratch/build.log" >&2
    die "the wheel could not be built"
}
step "wheel in a clean environment" sh "$root/config/smoke.sh" "$scratch"/dist/*.whl "$scratch"
wait "$mypy" || {
    cat "$scratch/mypy.log" >&2
    die "types do not fit"
}
if [ $# -gt 0 ]; then
    step "pytest" python -m pytest "$@"
else
    # What is heard in real time is measured alone; everything else shares the cores.
    tests alone -m alone
    tests together -n 2 --dist loadfile --no-loadscope-reorder -m "not alone"
    [ -z "$unsteady" ] || warn "failed at first, and passed by themselves:$unsteady"
fi
