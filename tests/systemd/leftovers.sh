#!/usr/bin/env bash
# What scripts/install.sh leaves on a machine: installs, with an instance as well, installs again,
# removes. As root on a machine to throw away (a container with systemd will do) without edge-agent;
# words go to install.sh: tests/systemd/leftovers.sh --wheels DIR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

units=/etc/systemd/system
file=/etc/edge-agent/door.yaml
die() { printf 'leftovers.sh: %s\n' "$*" >&2; exit 1; }
pid() { systemctl show -p MainPID --value edge-agent@door; }
left() {
    find / -xdev \( -path /proc -o -path /sys -o -path /run/log -o -path /var/log/journal \
        -o -path "$PWD" \) -prune -o -name '*edge-agent*' -print | sort
    systemctl list-units --all --no-legend 'edge-agent*'
    getent passwd edge-agent || getent group edge-agent || true
}

for path in /etc/edge-agent /opt/edge-agent /var/lib/edge-agent; do
    [ ! -e "$path" ] || die "$path is there, and would be removed"
done
before=$(left)

./scripts/install.sh "$@"
install -m 0640 -g edge-agent edge_agent/assets/belt.mp4 /etc/edge-agent/
install -m 0640 -g edge-agent edge_agent/assets/belt.tflite /etc/edge-agent/models/
cat > "$file" << 'YAML'
agent: {name: door}
mqtt: {host: 127.0.0.1}
models: {belt: {file: models/belt.tflite}}
sources: {clip: {type: video, file: belt.mp4, pace: loop}}
pipelines: {belt: {source: clip, model: belt}}
YAML
chgrp edge-agent "$file"
chmod 0640 "$file"
install -Dm644 systemd/drop-ins/camera.conf "$units/edge-agent@door.service.d/camera.conf"
systemctl daemon-reload
systemctl set-property edge-agent@door MemoryMax=512M
install -Dm644 systemd/camera.rules /etc/udev/rules.d/90-edge-agent-camera.rules
systemctl enable --now --quiet edge-agent@door

kept=$(md5sum "$file")
old=$(pid)
./scripts/install.sh "$@"
[ "$(md5sum "$file")" = "$kept" ] || die "the configuration was changed by installing again"
systemctl is-active --quiet edge-agent@door || die "the instance does not run after installing again"
[ "$(pid)" != "$old" ] || die "the instance still runs the old program"

echo 'nonsense: 1' >> "$file"
systemctl restart edge-agent@door 2> /dev/null || true
./scripts/install.sh --uninstall
[ -e "$file" ] || die "uninstalling removed the configuration"
[ ! -L "$units/multi-user.target.wants/edge-agent@door.service" ] || die "the instance is still enabled"
./scripts/install.sh --purge
[ "$(left)" = "$before" ] || die "left behind: $(left)"
echo "nothing was left behind"
