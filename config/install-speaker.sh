#!/bin/sh
# Makes this machine a loudspeaker: Debian or Raspberry Pi OS (12 or later), run as root.
#
#   sh config/install-speaker.sh mqtt://speaker:password@server:1883
#
# The URL is what the server keeps in plugins/mqtt/speaker.url in its data directory, with the
# server's name in it. Run it again to bring the agent up to date; the settings stay.
set -eu

if [ $# -gt 1 ] || { [ $# -eq 0 ] && [ ! -e /etc/antiphon/speaker.toml ]; }; then
    echo "usage: sh config/install-speaker.sh mqtt://speaker:password@server:1883" >&2
    exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Run this as root: it installs packages and a service." >&2
    exit 1
fi
here=$(cd "$(dirname "$0")/.." && pwd)
home=/opt/antiphon-speaker
settings=/etc/antiphon/speaker.toml

apt-get install -y snapclient alsa-utils python3-venv
# Debian starts a snapclient of its own; the agent starts another.
systemctl disable --now snapclient.service 2>/dev/null || true

id antiphon-speaker >/dev/null 2>&1 ||
    useradd --system --groups audio --no-create-home --shell /usr/sbin/nologin antiphon-speaker

# The agent needs two libraries; the server's many stay away from a small machine.
[ -x "$home/bin/pip" ] || python3 -m venv "$home"
"$home/bin/pip" install --quiet --upgrade "aiomqtt>=2.5,<3" "pydantic>=2.10"
"$home/bin/pip" install --quiet --no-deps --force-reinstall "$here"

mkdir -p "$(dirname "$settings")"
if [ ! -e "$settings" ]; then
    umask 027
    printf 'url = "%s"\n' "$1" >"$settings"
    chgrp antiphon-speaker "$settings"
fi
install -m 644 "$here/config/systemd/antiphon-speaker.service" /etc/systemd/system/
systemctl daemon-reload
systemctl enable antiphon-speaker.service
systemctl restart antiphon-speaker.service
echo "This machine is a loudspeaker now. Put it into a zone on the server; see docs/use/speaker.md."
