#!/usr/bin/env bash
# What the service survives, with times: as root on a machine (a container with systemd will do) where
# scripts/install.sh has installed edge-agent with a pipeline "belt" of the device "lab" (a looping
# clip will do), mosquitto runs, and nothing is lost when the service is killed.
set -u

now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN{printf "%.2f s\n", b - a}'; }
event() { timeout 20 mosquitto_sub -h 127.0.0.1 -t edge/lab/belt/events -C 1 >/dev/null; }
pid() { systemctl show -p MainPID --value edge-agent; }
wait_for_another_than() {
    until [ "$(pid)" != "$1" ] && systemctl is-active --quiet edge-agent; do sleep 0.02; done
}

file=/etc/edge-agent/edge-agent.yaml
drop_in=/etc/systemd/system/edge-agent.service.d/faults.conf
good=$(mktemp)
cp "$file" "$good"
trap 'cp "$good" "$file"; rm -f "$drop_in" "$good"; systemctl daemon-reload' EXIT
mkdir -p "${drop_in%/*}"
printf '[Service]\nWatchdogSec=5\n' > "$drop_in"
systemctl daemon-reload
systemctl stop edge-agent

t=$(now); systemctl start edge-agent; echo "start to READY: $(since "$t")"
event
p=$(pid); t=$(now); kill -9 "$p"; wait_for_another_than "$p"; event; echo "kill -9 to an event: $(since "$t")"
sleep 2
p=$(pid); t=$(now); kill -STOP "$p"; wait_for_another_than "$p"; event; echo "hang to an event: $(since "$t")"
sleep 2

p=$(pid); echo 'nonsense: 1' >> "$file"; systemctl reload edge-agent; sleep 1
[ "$(pid)" = "$p" ] && event && echo "a wrong file on reload: refused, it goes on"
systemctl restart edge-agent 2>/dev/null; sleep 2
echo "a wrong file at the start: $(systemctl show -p ActiveState,ExecMainStatus,NRestarts edge-agent | tr '\n' ' ')"
cp "$good" "$file"; systemctl reset-failed edge-agent

printf '[Service]\nMemoryMax=256M\nMemorySwapMax=0\nCPUQuota=50%%\n' > "$drop_in"
systemctl daemon-reload; systemctl restart edge-agent; sleep 15
echo "in 256 MB and half a core: $(systemctl show -p ActiveState,NRestarts,MemoryCurrent edge-agent | tr '\n' ' ')"
