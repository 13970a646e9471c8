#!/usr/bin/env bash
# Installs edge-agent as a service; again at any time, also to upgrade.
#   sudo ./scripts/install.sh                 from this folder, with pip
#   sudo ./scripts/install.sh --wheels DIR    without the internet, from a folder of wheels
#   sudo ./scripts/install.sh --uninstall     keeps /etc/edge-agent and what waits for the broker
#   sudo ./scripts/install.sh --purge         leaves nothing
#   ./scripts/install.sh --dry-run ...        only prints what would be done
# A folder of wheels, made on a machine like this one: pip wheel -w DIR .
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

prefix=/opt/edge-agent
config=/etc/edge-agent
units=/etc/systemd/system
state=/var/lib/edge-agent
link=/usr/local/bin/edge-agent

say() { printf '==> %s\n' "$*"; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
run() {
    if [ -n "$dry" ]; then printf '    %s\n' "$*"; else "$@"; fi
}
has_systemd() { [ -d /run/systemd/system ]; }

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }

main() {
    dry='' wheels='' action=install
    while [ $# -gt 0 ]; do
        case $1 in
            --dry-run) dry=1 ;;
            --wheels) [ $# -gt 1 ] || die "--wheels needs a folder"; wheels=$(readlink -f "$2"); shift ;;
            --upgrade) ;; # installing again upgrades
            --uninstall) action=uninstall ;;
            --purge) action=purge ;;
            -h | --help) usage; exit 0 ;;
            *) usage >&2; exit 2 ;;
        esac
        shift
    done
    [ -n "$dry" ] || [ "$(id -u)" = 0 ] || die "needs root: sudo $0"
    case $action in
        install) install_all ;;
        uninstall) uninstall ;;
        purge) uninstall; purge ;;
    esac
}

install_all() {
    local python
    python=$(find_python) || die "Python 3.11 or newer is missing: sudo apt install python3 python3-venv"
    [ -z "$wheels" ] || ls "$wheels"/edge_agent-*.whl >/dev/null 2>&1 || die "no edge_agent-*.whl in $wheels"
    make_user
    make_venv "$python"
    make_config
    make_units
    start
}

find_python() {
    local candidate
    for candidate in "${EDGE_AGENT_PYTHON:-}" /usr/bin/python3 python3; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
        then command -v "$candidate"; return
        fi
    done
    return 1
}

make_user() {
    if getent passwd edge-agent >/dev/null; then return; fi
    say "making the user edge-agent"
    run useradd --system --user-group --no-create-home --home-dir "$state" --shell /usr/sbin/nologin edge-agent
}

make_venv() {
    local options=() source=(.)
    # picamera2 comes with apt and is bound to its libraries: the environment must see it.
    if "$1" -c 'import picamera2' 2>/dev/null; then options=(--system-site-packages); fi
    say "installing into $prefix/venv"
    # Also where it is there: picamera2 may be new, and a new Python of the system has no packages yet.
    run "$1" -m venv "${options[@]}" "$prefix/venv"
    [ -z "$wheels" ] || source=(--no-index --find-links "$wheels" edge-agent)
    run "$prefix/venv/bin/pip" install --quiet --disable-pip-version-check --root-user-action=ignore \
        --upgrade "${source[@]}"
    # The version may be the same while the code is newer.
    run "$prefix/venv/bin/pip" install --quiet --disable-pip-version-check --root-user-action=ignore \
        --force-reinstall --no-deps "${source[@]}"
    run ln -sfn "$prefix/venv/bin/edge-agent" "$link"
}

make_config() {
    run install -d -m 0750 -o root -g edge-agent "$config" "$config/models"
    # For models that are put into its store before the first start.
    run install -d -m 0700 -o edge-agent -g edge-agent "$state"
    if [ -e "$config/edge-agent.yaml" ]; then
        say "$config/edge-agent.yaml stays as it is"
        return
    fi
    say "writing an example to $config/edge-agent.yaml"
    run install -m 0640 -o root -g edge-agent config/usb-camera.yaml "$config/edge-agent.yaml"
}

make_units() {
    local unit
    for unit in edge-agent.service edge-agent@.service; do
        run install -m 0644 "systemd/$unit" "$units/$unit"
    done
    run install -d -m 0755 "$prefix/drop-ins"
    run install -m 0644 systemd/drop-ins/*.conf "$prefix/drop-ins/"
    run install -m 0644 systemd/camera.rules "$prefix/camera.rules"
    ! has_systemd || run systemctl daemon-reload
}

start() {
    if [ -n "$dry" ]; then say "would start the service if the configuration is right"; return; fi
    if ! has_systemd; then
        say "installed; systemd does not run here"
        return
    fi
    # They run the old program over the new one's files.
    systemctl try-restart 'edge-agent@*.service' || say "did not start again: systemctl --failed 'edge-agent@*'"
    # As the service finds its models, and its credentials, whose files are best kept there.
    if STATE_DIRECTORY=$state CREDENTIALS_DIRECTORY=$config "$link" check -c "$config/edge-agent.yaml"; then
        systemctl enable --quiet edge-agent.service
        if systemctl restart edge-agent.service; then
            say "edge-agent runs: journalctl -fu edge-agent"
        else
            die "the service did not start: journalctl -u edge-agent; edge-agent doctor"
        fi
    elif systemctl is-active --quiet edge-agent.service; then
        say "installed, but the service goes on with the program of before: correct this, then"
        say "    sudo edge-agent check -c $config/edge-agent.yaml && sudo systemctl restart edge-agent"
    else
        say "installed. Now: edit $config/edge-agent.yaml, put the model into $config/models, then"
        say "    sudo edge-agent check -c $config/edge-agent.yaml && sudo systemctl enable --now edge-agent"
    fi
    say "for a camera: sudo install -Dm644 $prefix/drop-ins/camera.conf $units/edge-agent.service.d/camera.conf"
}

uninstall() {
    say "removing the service and the program"
    if has_systemd; then
        run systemctl stop edge-agent.service 'edge-agent@*.service' 2>/dev/null || true
        # Of the template: the links of all its instances.
        run systemctl disable --quiet edge-agent.service edge-agent@.service 2>/dev/null || true
    fi
    run rm -rf "$prefix" "$link" "$units/edge-agent.service" "$units/edge-agent@.service"
    if has_systemd; then
        run systemctl daemon-reload
        run systemctl reset-failed edge-agent.service 'edge-agent@*.service' 2>/dev/null || true
    fi
    [ "$action" = purge ] || say "kept: $config and $state (--purge removes them too)"
}

purge() {
    local folder
    # The second is where `systemctl set-property` writes.
    for folder in "$units" "$units.control"; do
        run rm -rf "$folder/edge-agent.service.d" "$folder"/edge-agent@*.service.d
    done
    run rm -rf "$config" "$state" /etc/udev/rules.d/90-edge-agent-camera.rules
    ! has_systemd || run systemctl daemon-reload
    if getent passwd edge-agent >/dev/null; then run userdel edge-agent; fi
    if getent group edge-agent >/dev/null; then run groupdel edge-agent; fi
    say "nothing is left"
}

main "$@"
