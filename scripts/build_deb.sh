#!/usr/bin/env bash
# Builds a Debian package with everything in it: dpkg -i needs no internet on the device.
#   ./scripts/build_deb.sh                                   for bookworm, amd64 into dist/
#   ./scripts/build_deb.sh --suite trixie --arch arm64       bookworm | trixie, amd64 | arm64
#   ./scripts/build_deb.sh --wheels DIR                      without the internet, from wheels for that device
#   ./scripts/build_deb.sh --revision 2 --out DIR            the same version, built again
# Needs dpkg-deb and a Python 3.11 or newer with pip; any machine builds for any other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '==> %s\n' "$*"; }
die() { printf 'build_deb.sh: %s\n' "$*" >&2; exit 1; }
pip() { local command=$1; shift; python3 -m pip "$command" --quiet --disable-pip-version-check "$@"; }
usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }

main() {
    suite=bookworm arch=amd64 wheels='' revision=1 out=dist
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) usage; exit 0 ;;
            --suite | --arch | --wheels | --revision | --out)
                [ $# -gt 1 ] || die "$1 needs a word after it"
                printf -v "${1#--}" %s "$2"; shift ;;
            *) usage >&2; exit 2 ;;
        esac
        shift
    done
    case $suite in
        bookworm) debian=12 python=3.11 glibc=36 ;;
        trixie) debian=13 python=3.13 glibc=41 ;;
        *) die "suite $suite is not known: bookworm or trixie" ;;
    esac
    case $arch in
        amd64) machine=x86_64 ;;
        arm64) machine=aarch64 ;;
        *) die "architecture $arch has no wheels: amd64 or arm64" ;;
    esac
    command -v dpkg-deb >/dev/null || die "dpkg-deb is missing: sudo apt install dpkg"
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    # mktemp shuts it for others, and dpkg would hand that on to the device's root folder.
    chmod 0755 "$stage"
    umask 022
    venv=$stage/opt/edge-agent/venv
    packages=$venv/lib/python$python/site-packages
    version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' edge_agent/__init__.py)-$revision+deb$debian
    put_program
    put_files
    put_control
    install -d "$out"
    file=$out/edge-agent_${version}_$arch.deb
    # Quickly unpacked on a small device; dpkg takes it since bookworm.
    dpkg-deb --root-owner-group -Zzstd -z12 --build "$stage" "$file" >/dev/null
    say "$file, $(du -h "$file" | cut -f1)"
}

# An environment as `python -m venv` makes it, but of files that dpkg owns: no pip on the device.
put_program() {
    local from=() tags=() tag
    [ -z "$wheels" ] || from=(--no-index --find-links "$wheels")
    # pip takes what is listed and nothing older by itself.
    for tag in manylinux2014 $(seq -f 'manylinux_2_%g' 17 "$glibc"); do tags+=(--platform "${tag}_$machine"); done
    say "fetching for Python $python on $machine"
    install -d "$packages" "$venv/bin" "$stage/wheel" "$stage/usr/bin"
    # Of this tree always, whatever lies beside the other wheels.
    pip wheel --no-deps -w "$stage/wheel" .
    # `pip install` would ask whether a package suits the Python that builds; `pip download` asks of the device's.
    pip download "${from[@]}" -d "$stage/wheel" --only-binary=:all: --implementation cp \
        --python-version "$python" "${tags[@]}" "$stage"/wheel/edge_agent-*.whl
    pip install --root-user-action=ignore --target "$packages" --only-binary=:all: --implementation cp \
        --python-version "$python" "${tags[@]}" --no-index --no-deps --ignore-requires-python --no-compile \
        "$stage"/wheel/*.whl
    rm -rf "${stage:?}/wheel" "${packages:?}/bin"
    find "$packages" -name __pycache__ -type d -prune -exec rm -rf {} +
    ln -s /usr/bin/python3 "$venv/bin/python3"
    ln -s python3 "$venv/bin/python"
    # picamera2 comes with apt and is bound to its libraries: the environment sees it behind its own packages.
    printf 'home = /usr/bin\ninclude-system-site-packages = true\nversion = %s\n' "$python" >"$venv/pyvenv.cfg"
    cat >"$venv/bin/edge-agent" <<-'PY'
	#!/opt/edge-agent/venv/bin/python
	import sys
	from edge_agent.cli.main import main
	sys.exit(main())
	PY
    chmod 0755 "$venv/bin/edge-agent"
    ln -s /opt/edge-agent/venv/bin/edge-agent "$stage/usr/bin/edge-agent"
}

put_files() {
    local unit docs=$stage/usr/share/doc/edge-agent
    for unit in edge-agent.service edge-agent@.service; do
        install -Dm644 "systemd/$unit" "$stage/usr/lib/systemd/system/$unit"
    done
    install -d "$stage/opt/edge-agent/drop-ins"
    install -m644 systemd/drop-ins/*.conf "$stage/opt/edge-agent/drop-ins/"
    install -Dm644 systemd/camera.rules "$stage/opt/edge-agent/camera.rules"
    install -Dm644 config/usb-camera.yaml "$stage/opt/edge-agent/example.yaml"
    install -Dm644 LICENSE "$docs/copyright"
}

put_control() {
    local script
    install -d "$stage/DEBIAN"
    cat >"$stage/DEBIAN/control" <<-CONTROL
	Package: edge-agent
	Version: $version
	Architecture: $arch
	Maintainer: edge-agent <root@localhost>
	Installed-Size: $(du -ks "$stage" | cut -f1)
	Depends: python3 (>= $python), python3 (<< ${python%.*}.$((${python#*.} + 1))), passwd, libc6 (>= 2.28)
	Suggests: mosquitto, python3-picamera2, alsa-utils, ffmpeg
	Section: net
	Priority: optional
	Description: quantized neural networks on this device, their events over MQTT
	 Reads frames of cameras, files and sensors, runs TFLite or int8 NumPy models, and
	 publishes events over MQTT, as a service of its own user shut off from the machine.
	CONTROL
    for script in preinst postinst prerm postrm; do
        install -m755 "scripts/deb/$script" "$stage/DEBIAN/$script"
    done
}

main "$@"
