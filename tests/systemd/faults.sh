#!/usr/bin/env bash
# What the service survives, with times: as root on a machine (a container with systemd will do) where
# scripts/install.sh has installed edge-agent with a pipeline "belt" of the device "lab" (a looping
# clip will do), mosquitto runs, and nothing is lost when the service is killed.
#   tests/systemd/faults.sh [PATIENCE]      seconds that a slow machine, an emulated one, may take (20)
# Prints a line for each fault; ends with 1 as soon as the service does not come back.
set -u

patience=${1:-20}
topic=edge/lab/belt/events
file=/etc/edge-agent/edge-agent.yaml
drop_in=/etc/systemd/system/edge-agent.service.d/faults.conf
lowered=/run/systemd/system.control/edge-agent.service.d
good=$(mktemp)

now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN{printf "%.2f s\n", b - a}'; }
show() { systemctl show -p "$1" edge-agent | tr '\n' ' '; }
value() { systemctl show -p "$1" --value edge-agent; }
pid() { value MainPID; }
kernel_kills() { awk '/^oom_kill /{print $2}' /proc/vmstat; }
die() { printf 'faults.sh: %s\n' "$*" >&2; show ActiveState,SubState,Result,NRestarts >&2; exit 1; }
# wait_until SECONDS COMMAND...
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do [ "$SECONDS" -lt "$end" ] || return 1; sleep 0.02; done
}
event() { timeout "$patience" mosquitto_sub -h 127.0.0.1 -t "$topic" -C 1 > /dev/null || die "no event"; }
is_another_than() { [ "$(pid)" != "$1" ] && systemctl is-active --quiet edge-agent; }
# is_back NAME, after a fault at the time $t of the process $p
is_back() {
    wait_until "$((patience + 10))" is_another_than "$p" || die "$1: not restarted"
    event
    echo "$1 to an event: $(since "$t")"
    sleep 2
}
strike() { p=$(pid); t=$(now); kill "-$1" "$p"; is_back "${2:-$1}"; }
written() { printf '[Service]\n%s\n' "$@" > "$drop_in"; systemctl daemon-reload; }
clean_up() {
    cp "$good" "$file"
    rm -rf "$drop_in" "$good" "$lowered"
    rmdir --ignore-fail-on-non-empty "${drop_in%/*}"
    systemctl daemon-reload
}
# Bytes of memory at most so far, whichever cgroups the machine has; cached files count as well.
peak() {
    local group
    group=$(value ControlGroup)
    cat "/sys/fs/cgroup$group/memory.peak" "/sys/fs/cgroup/memory$group/memory.max_usage_in_bytes" 2> /dev/null
}

cp "$file" "$good"
trap clean_up EXIT
mkdir -p "${drop_in%/*}"
written WatchdogSec=5
systemctl stop edge-agent

t=$(now); systemctl start edge-agent; echo "start to READY: $(since "$t")"
event
strike KILL "kill -9"
strike SEGV
strike ABRT
strike STOP hang

# Where the kernel refuses a limit below what is in use (cgroup v1), it is the next start that meets it.
p=$(pid); kills=$(kernel_kills); restarts=$(value NRestarts)
starved() { [ "$(kernel_kills)" -ge $((kills + 3)) ] && [ "$(value NRestarts)" -ge $((restarts + 3)) ]; }
systemctl set-property --runtime edge-agent MemoryMax=16M MemorySwapMax=0
wait_until 3 is_another_than "$p" || kill -9 "$p"
wait_until "$patience" starved || die "16 MB are enough for it"
echo "out of memory: the kernel killed it $(($(kernel_kills) - kills)) times"
p=0; t=$(now)
systemctl set-property --runtime edge-agent MemoryMax=infinity
is_back "memory again"
rm -rf "$lowered"; systemctl daemon-reload

p=$(pid); echo 'nonsense: 1' >> "$file"; systemctl reload edge-agent; sleep 1
[ "$(pid)" = "$p" ] && event && echo "a wrong file on reload: refused, it goes on"
systemctl restart edge-agent 2> /dev/null; wait_until "$patience" systemctl is-failed --quiet edge-agent; sleep 1
echo "a wrong file at the start: $(show ActiveState,ExecMainStatus,NRestarts)"
cp "$good" "$file"; systemctl reset-failed edge-agent

written MemoryMax=256M MemorySwapMax=0 CPUQuota=50%
systemctl restart edge-agent; event; sleep 15
echo "in 256 MB and half a core: $(show ActiveState,NRestarts,MemoryCurrent)peak=$(peak)"
