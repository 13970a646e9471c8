#!/usr/bin/env bash
# The service with a camera of 640x480: as root on a machine where edge-agent is installed, mosquitto
# runs and /dev/video0 is a camera (modprobe vivid makes one; a container has none).
#   tests/systemd/camera.sh MODEL [PATIENCE]    a .tflite file; seconds that a slow machine may take (20)
# Prints what it infers and how exposed it is, then the same in 256 MB and half a core; ends with 1 where
# it does not run.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR source=service.sh
. "$(dirname "${BASH_SOURCE[0]}")/service.sh"

patience=${2:-20}
model=/etc/edge-agent/models/camera-test.tflite
# The frame rates over PATIENCE seconds, and its memory; fails where no frame was inferred.
numbers() {
    message $((2 * patience)) health | python3 -c '
import json, sys
health = json.load(sys.stdin)
camera = health["pipelines"]["camera"]
fps, infer = camera["fps"], camera["latency_ms"].get("infer", {"p50": 0})
print("frames/s in={in:.2f} inferred={inferred:.2f}".format(**fps), "infer_ms={p50:.1f}".format(**infer),
      "rss=%d" % health["rss_bytes"], camera["reason"])
sys.exit(camera["state"] != "online" or not fps["inferred"])'
}
# start NAME: what it does with the camera, and that it is one and the same process all the while.
start() {
    sync; echo 3 > /proc/sys/vm/drop_caches # so that the libraries count as its own memory
    systemctl restart edge-agent || die "not started"
    message "$patience" camera/detections > /dev/null || die "it publishes nothing"
    p=$(pid); sleep "$patience"
    seen=$(numbers) || die "it infers nothing: $seen"
    echo "$1: $seen $(show ActiveState,NRestarts)peak=$(peak)"
    [ "$(pid)" = "$p" ] || die "it was restarted"
}

borrow
trap 'rm -f "$model"; give_back' EXIT
install -m 0640 -g edge-agent "$1" "$model"
cat > "$file" << YAML
agent: {name: lab, health_interval: ${patience}s}
mqtt: {host: 127.0.0.1}
models: {camera: {file: $model}}
sources: {camera: {type: camera, device: /dev/video0, size: [640, 480], fps: 10}}
pipelines: {camera: {source: camera, model: camera, publish: {detections: true}}}
YAML
cp /opt/edge-agent/drop-ins/camera.conf "$drop_ins/"
set_unit
start "camera"
systemd-analyze security --no-pager edge-agent | grep 'exposure level'
set_unit MemoryMax=256M MemorySwapMax=0 CPUQuota=50%
start "in 256 MB and half a core"
