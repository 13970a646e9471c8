"""Lines as programs log them, without a word for their severity, and how bad each is.

A line is put together of a subject and of what happens to it. Lines that a model is tried on have
pairs of the two that it was not trained with, and other numbers and names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

LABELS = ("info", "warning", "error")

_SUBJECTS = (
    *("disk {disk}", "volume {disk}", "sensor {n}", "camera {n}", "link to {host}", "user {user}"),
    *("service {unit}", "job {n}", "backup of {disk}", "fan {n}", "battery", "power supply"),
    *("database", "broker {host}", "certificate of {host}", "update of {unit}", "queue {n}"),
    *("interface eth{n}", "session {n} of {user}", "file /var/lib/{unit}", "pump {n}", "valve {n}"),
    *("request {n} from {host}", "process {unit}", "cache of {unit}", "network", "clock"),
)
_HAPPENINGS = {
    "info": (
        *("started", "is ready", "connected", "was opened", "was closed normally", "is online"),
        *("finished in {n} ms", "completed successfully", "was accepted", "is healthy", "resumed"),
        *("logged in from {host}", "was loaded", "was saved", "listening on port {n}", "is idle"),
        *("synchronized with {host}", "was created", "reached its target", "passed all checks"),
        *("was configured", "was renewed", "version {n} is up to date", "is running", "stopped"),
    ),
    "warning": (
        *("is slow: took {n} ms", "is almost full: {n} percent used", "retrying in {n} seconds"),
        *("is deprecated and will be removed", "expires in {n} days", "took longer than expected"),
        *("is running low", "temperature is high: {n} degrees", "was throttled", "is unstable"),
        *("lost {n} packets, continuing", "will be retried", "is near its limit", "is outdated"),
        *("falls back to defaults", "skipped {n} entries", "is degraded", "reconnecting to {host}"),
        *("unknown option ignored", "is behind by {n} seconds", "delayed by {n} seconds"),
    ),
    "error": (
        *("failed with code {n}", "crashed: segmentation fault", "is corrupt", "was killed"),
        *("could not be opened: permission denied", "connection refused by {host}", "is dead"),
        *("timed out after {n} seconds, giving up", "out of memory", "cannot be read: i/o error"),
        *("authentication failure", "no space left on device", "aborted: fatal exception"),
        *("does not respond, giving up", "was lost", "unable to start: not found", "overheated"),
        *("checksum mismatch, data lost", "panic: not syncing", "invalid: rejected", "is broken"),
    ),
}
_NAMES = {
    "disk": ("sda1", "sdb", "nvme0n1", "mmcblk0", "data", "root", "home", "archive"),
    "host": ("10.0.0.{n}", "broker.local", "gateway", "db{n}.example.org", "192.168.1.{n}"),
    "user": ("anna", "root", "pi", "admin", "service", "ben", "guest", "www-data"),
    "unit": ("nginx", "sshd", "edge", "cron", "mosquitto", "postgres", "networkd", "influxd"),
}
_FRAMES = ("{text}", "{unit}: {text}", "{unit}[{n}]: {text}", "[{n}.{n}] {text}", "{host} {text}")

# As programs of a Linux machine put it, written by hand and never trained with.
FOREIGN: Sequence[tuple[str, str]] = (
    ("systemd[1]: Started Daily apt download activities.", "info"),
    ("sshd[811]: Accepted publickey for pi from 192.168.1.20 port 50122 ssh2", "info"),
    ("kernel: usb 1-1: new high-speed USB device number 4 using xhci_hcd", "info"),
    ("mosquitto[402]: Opening ipv4 listen socket on port 1883.", "info"),
    ("systemd-timesyncd[300]: Initial synchronization to time server 162.159.200.1:123", "info"),
    ("nginx: configuration file /etc/nginx/nginx.conf test is successful", "info"),
    ("CRON[2211]: pam_unix(cron:session): session opened for user root", "info"),
    ("dhcpcd[511]: eth0: leased 192.168.1.40 for 86400 seconds", "info"),
    ("kernel: hwmon hwmon1: Undervoltage detected!", "warning"),
    ("kernel: cpu clock throttled, temperature above threshold", "warning"),
    ("postgres[77]: checkpoints are occurring too frequently (9 seconds apart)", "warning"),
    ("mosquitto[402]: Client gate has exceeded timeout, disconnecting.", "warning"),
    ("influxd: slow query took 12000 ms", "warning"),
    ("certbot: certificate for example.org expires in 6 days", "warning"),
    ("smartd[320]: Device: /dev/sda, 8 currently unreadable (pending) sectors", "warning"),
    ("rsyslogd: action suspended, retrying in 30 seconds", "warning"),
    ("kernel: EXT4-fs error (device mmcblk0p2): ext4_find_entry: reading directory", "error"),
    ("kernel: Out of memory: Killed process 2041 (python3)", "error"),
    ("systemd[1]: nginx.service: Failed with result 'exit-code'.", "error"),
    ("sshd[811]: error: kex_exchange_identification: Connection closed by remote host", "error"),
    ("kernel: blk_update_request: I/O error, dev sda, sector 1953512", "error"),
    ("mosquitto[402]: Unable to open log file /var/log/mosquitto/mosquitto.log", "error"),
    ("postgres[77]: could not write to file: No space left on device", "error"),
    ("python3[900]: ConnectionRefusedError: [Errno 111] Connection refused", "error"),
)


def lines(count: int, seed: int, *, unseen: bool) -> list[tuple[str, str]]:
    """Lines with their labels, evenly many of each; `unseen` pairs never come without it."""
    return list(_lines(count, np.random.default_rng([seed, unseen]), unseen))


def _lines(count: int, dice: np.random.Generator, unseen: bool) -> Iterator[tuple[str, str]]:
    while count:
        label = LABELS[count % len(LABELS)]
        subject = int(dice.integers(len(_SUBJECTS)))
        happening = int(dice.integers(len(_HAPPENINGS[label])))
        if ((subject + happening) % 4 == 0) == unseen:
            count -= 1
            text = f"{_SUBJECTS[subject]} {_HAPPENINGS[label][happening]}"
            yield _filled(_one_of(_FRAMES, dice).replace("{text}", text), dice), label


def _filled(text: str, dice: np.random.Generator) -> str:
    """With names and numbers in the gaps."""
    for kind, names in _NAMES.items():
        while f"{{{kind}}}" in text:
            text = text.replace(f"{{{kind}}}", _one_of(names, dice), 1)
    while "{n}" in text:
        text = text.replace("{n}", str(int(10.0 ** dice.uniform(0.0, 4.0))), 1)
    return text


def _one_of(choices: Sequence[str], dice: np.random.Generator) -> str:
    return choices[int(dice.integers(len(choices)))]
