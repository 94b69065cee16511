#!/bin/sh
# Installs what is missing, then starts Antiphon with a demo building. Run it again any time.
#   sh config/run.sh [options of `antiphon run`]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/config/lib.sh"

need snapserver:snapserver snapclient:snapclient mosquitto:mosquitto
environment voice

cd "$root"
trap - EXIT INT TERM HUP
exec "$venv/bin/python" -m antiphon run --demo "$@"
