# Shared by faults.sh and camera.sh: asks systemd, the kernel and the broker about the service.
# shellcheck shell=bash disable=SC2034 # what is set here, those who read this use

file=/etc/edge-agent/edge-agent.yaml
drop_ins=/etc/systemd/system/edge-agent.service.d

now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN{printf "%.2f s\n", b - a}'; }
show() { systemctl show -p "$1" edge-agent | tr '\n' ' '; }
value() { systemctl show -p "$1" --value edge-agent; }
pid() { value MainPID; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; show ActiveState,SubState,Result,NRestarts >&2; exit 1; }

# wait_until SECONDS COMMAND...
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do [ "$SECONDS" -lt "$end" ] || return 1; sleep 0.02; done
}

# message SECONDS TOPIC: print the next one below the device's name; fails where none comes.
message() { timeout "$1" mosquitto_sub -h 127.0.0.1 -t "edge/lab/$2" -C 1; }

# Bytes of memory at most so far, whichever cgroups the machine has; cached files count as well.
peak() {
    local group
    group=$(value ControlGroup)
    cat "/sys/fs/cgroup$group/memory.peak" "/sys/fs/cgroup/memory$group/memory.max_usage_in_bytes" 2> /dev/null
}

# borrow: the configuration and the drop-ins; they are put back at the end.
borrow() {
    [ -e "$file" ] || die "no $file: install it first"
    saved=$(mktemp -d)
    cp -p "$file" "$saved/file"
    [ ! -e "$drop_ins" ] || cp -a "$drop_ins" "$saved/drop-ins"
    mkdir -p "$drop_ins"
    trap give_back EXIT
}
give_back() {
    cp -p "$saved/file" "$file"
    rm -rf "$drop_ins"
    [ ! -e "$saved/drop-ins" ] || cp -a "$saved/drop-ins" "$drop_ins"
    rm -rf "$saved" /run/systemd/system.control/edge-agent.service.d
    systemctl daemon-reload
    systemctl try-restart edge-agent 2> /dev/null
}

# set_unit KEY=VALUE...: from the next start on.
set_unit() {
    printf '%s\n' '[Service]' "$@" > "$drop_ins/test.conf"
    systemctl daemon-reload
}
