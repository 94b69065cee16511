#!/bin/sh
# Makes this machine a loudspeaker: Debian or Raspberry Pi OS (12 or later), run as root.
#
#   sh config/install-speaker.sh mqtt://enroll:password@server:1883
#
# The URL is what the server keeps in plugins/mqtt/enroll.url in its data directory, with the
# server's name in it; docs/operate/loudspeakers.md tells the whole way. Run it again to bring the
# agent up to date; the settings stay. ROOT_DIR=/somewhere lays everything below that folder, with
# no packages, users or services: for an image, and for tests.
set -eu

root=${ROOT_DIR:-}
home=/opt/antiphon-speaker
settings=/etc/antiphon/speaker.toml
user=antiphon-speaker

if [ $# -gt 1 ] || { [ $# -eq 0 ] && [ ! -e "$root$settings" ]; }; then
    echo "usage: sh config/install-speaker.sh mqtt://enroll:password@server:1883" >&2
    exit 2
fi
case ${1:-} in
    "" | mqtt://* | mqtts://*) ;;
    *)
        echo "The URL begins with mqtt:// or mqtts://, not as in $1" >&2
        exit 2
        ;;
esac
case ${1:-} in
    *[\"\\]*)
        echo "The URL holds a sign that it can not hold; write it as %22 or %5C" >&2
        exit 2
        ;;
esac
if [ -z "$root" ] && [ "$(id -u)" -ne 0 ]; then
    echo "Run this as root: it installs packages and a service." >&2
    exit 1
fi
here=$(cd "$(dirname "$0")/.." && pwd)

if [ -z "$root" ]; then
    apt-get install -y snapclient alsa-utils python3-venv
    # Debian starts a snapclient of its own; the agent starts another.
    systemctl disable --now snapclient.service 2>/dev/null || true
    id "$user" >/dev/null 2>&1 ||
        useradd --system --groups audio --no-create-home --shell /usr/sbin/nologin "$user"
fi

# The agent needs two libraries; the server's many stay away from a small machine.
mkdir -p "$root$home"
[ -x "$root$home/bin/pip" ] || python3 -m venv "$root$home"
"$root$home/bin/pip" install --quiet --upgrade -r "$here/config/speaker-requirements.txt"
"$root$home/bin/pip" install --quiet --no-deps --force-reinstall "$here"

mkdir -p "$(dirname "$root$settings")"
if [ ! -e "$root$settings" ]; then
    umask 027
    printf 'url = "%s"\n' "$1" >"$root$settings"
    [ -n "$root" ] || chgrp "$user" "$settings"
    umask 022
elif [ $# -eq 1 ]; then
    echo "$settings is there already and stays as it is; to join another server, change its url." >&2
fi
mkdir -p "$root/etc/systemd/system"
install -m 644 "$here/config/systemd/antiphon-speaker.service" "$root/etc/systemd/system/"
if [ -z "$root" ]; then
    systemctl daemon-reload
    systemctl enable antiphon-speaker.service
    systemctl restart antiphon-speaker.service
    echo "This machine is a loudspeaker now, and says by which code it may join:"
    echo "  journalctl -u antiphon-speaker"
fi
