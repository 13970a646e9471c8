#!/usr/bin/env bash
# What the service survives, with times: as root on a machine (a container with systemd will do) where
# edge-agent is installed with a pipeline "belt" of the device "lab" (a looping clip will do), mosquitto
# runs, and nothing is lost when the service is killed.
#   tests/systemd/faults.sh [PATIENCE]      seconds that a slow machine, an emulated one, may take (20)
# Prints a line for each fault; ends with 1 as soon as the service does not come back.
set -u
# shellcheck source-path=SCRIPTDIR source=service.sh
. "$(dirname "${BASH_SOURCE[0]}")/service.sh"

patience=${1:-20}
event() { message "$patience" belt/events > /dev/null || die "no event"; }
kernel_kills() { awk '/^oom_kill /{print $2}' /proc/vmstat; }
is_another_than() { [ "$(pid)" != "$1" ] && systemctl is-active --quiet edge-agent; }
# is_back NAME: from the fault at the time $t of the process $p
is_back() {
    wait_until "$((patience + 10))" is_another_than "$p" || die "$1: not restarted"
    echo "$1 to running again: $(since "$t")"
    event
    echo "$1 to an event: $(since "$t")"
    sleep 2
}
strike() { p=$(pid); t=$(now); kill "-$1" "$p"; is_back "${2:-$1}"; }

borrow
set_unit WatchdogSec=5
systemctl stop edge-agent

t=$(now); systemctl start edge-agent || die "not started"; echo "start to READY: $(since "$t")"
event
strike KILL "kill -9"
strike SEGV
strike ABRT
strike STOP hang

# Where the kernel refuses a limit below what is in use (cgroup v1), it is the next start that meets it.
p=$(pid); kills=$(kernel_kills); restarts=$(value NRestarts)
starved() { [ "$(kernel_kills)" -ge $((kills + 3)) ] && [ "$(value NRestarts)" -ge $((restarts + 3)) ]; }
systemctl set-property --runtime edge-agent MemoryMax=16M MemorySwapMax=0
wait_until 3 is_another_than "$p" || kill -9 "$p" 2> /dev/null
wait_until "$patience" starved || die "16 MB are enough for it"
echo "out of memory: the kernel killed it $(($(kernel_kills) - kills)) times"
p=0; t=$(now)
systemctl set-property --runtime edge-agent MemoryMax=infinity
is_back "memory again"
rm -rf /run/systemd/system.control/edge-agent.service.d; systemctl daemon-reload

p=$(pid); echo 'nonsense: 1' >> "$file"; systemctl reload edge-agent; sleep 1
[ "$(pid)" = "$p" ] && event && echo "a wrong file on reload: refused, it goes on"
systemctl restart edge-agent 2> /dev/null; wait_until "$patience" systemctl is-failed --quiet edge-agent; sleep 1
echo "a wrong file at the start: $(show ActiveState,ExecMainStatus,NRestarts)"
cp -p "$saved/file" "$file"; systemctl reset-failed edge-agent

set_unit MemoryMax=256M MemorySwapMax=0 CPUQuota=50%
systemctl restart edge-agent || die "not started"
event; sleep 15
echo "in 256 MB and half a core: $(show ActiveState,NRestarts,MemoryCurrent)peak=$(peak)"
