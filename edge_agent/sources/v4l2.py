"""What Linux knows of its cameras (Video4Linux2), asked before OpenCV is."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from pathlib import Path

from edge_agent.errors import SourceUnavailable, SourceUnusable

_SYS = Path("/sys/class/video4linux")
_DEV = Path("/dev")
_MAJOR = 81  # character devices of Video4Linux
# linux/videodev2.h: struct v4l2_capability is 104 bytes, its last used word device_caps.
_VIDIOC_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("<16s32s32s3I12x")
_VIDEO_CAPTURE = 0x00000001 | 0x00001000  # single-planar or multi-planar
_NO_CAMERA = "this machine has no camera now: plug one in, then look at ls -l /dev/v4l/by-id"
_HIDDEN = (
    "as a service it needs the drop-in for cameras, see the README, or what this prints: "
    "edge-agent doctor --unit"
)
_HAS_DEVICE_CAPS = 0x80000000


def device_path(device: int | str) -> Path:
    """Path of a camera given as path or number; raises ValueError."""
    text = str(device).strip()
    if text.isdecimal():
        return _DEV / f"video{int(text)}"
    if not text.startswith("/"):
        raise ValueError(
            f"device {text!r} is neither a number nor a path such as /dev/video0 or "
            "/dev/v4l/by-id/..."
        )
    return Path(text)


def check_camera(path: Path) -> None:
    """Make sure that the device is a camera which may be opened.

    Raises SourceUnavailable when it is missing or busy, SourceUnusable when it is something else
    or may not be used.
    """
    try:
        kind = path.stat()
    except OSError:
        found = "hidden from this process" if _are_hidden() else "missing"
        raise SourceUnavailable(f"camera {path} is {found}", _which_exist()) from None
    if not stat.S_ISCHR(kind.st_mode) or os.major(kind.st_rdev) != _MAJOR:
        raise SourceUnusable(f"{path} is not a camera", _which_exist())
    try:
        capabilities = _query(path)
    except PermissionError:
        cure = "add its user to the group video: sudo usermod -aG video USER, then start it again"
        raise SourceUnusable(f"no permission to open camera {path}", cure) from None
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise busy(path) from None
        cure = "unplug it and plug it in again"
        raise SourceUnavailable(f"camera {path} fails: {error.strerror}", cure) from None
    if not capabilities & _VIDEO_CAPTURE:
        raise SourceUnusable(f"{path} gives no pictures (a metadata node?)", _which_exist())


def busy(path: Path) -> SourceUnavailable:
    """The error of a camera that another program uses."""
    cure = f"stop the other program that uses it: fuser {path}"
    return SourceUnavailable(f"camera {path} is busy, or refuses to start", cure)


def cameras() -> list[str]:
    """The cameras that exist, each with its name and a path that survives replugging."""
    by_id = {link.resolve(): link for link in sorted((_DEV / "v4l" / "by-id").glob("*"))}
    found = []
    for entry in sorted(_SYS.glob("video*"), key=lambda entry: (len(entry.name), entry.name)):
        path = _DEV / entry.name
        if not _may_give_pictures(path):
            continue
        try:
            label = (entry / "name").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            label = "unknown"
        link = by_id.get(path)
        found.append(f"{path} ({label})" + (f" = {link}" if link else ""))
    return found


def _are_hidden() -> bool:
    """Whether none of the cameras is in /dev, which PrivateDevices= of a unit brings about."""
    known = list(_SYS.glob("video*"))
    return bool(known) and not any((_DEV / each.name).exists() for each in known)


def _which_exist() -> str:
    if _are_hidden():
        return _HIDDEN
    found = cameras()
    return f"cameras here: {', '.join(found)}" if found else _NO_CAMERA


def _may_give_pictures(path: Path) -> bool:
    """False for the second node that many cameras have, for metadata."""
    try:
        return bool(_query(path) & _VIDEO_CAPTURE)
    except OSError:
        return True


def _query(path: Path) -> int:
    """What the device can do, as V4L2_CAP bits; raises OSError."""
    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        answer = fcntl.ioctl(handle, _VIDIOC_QUERYCAP, bytes(_CAPABILITY.size))
    finally:
        os.close(handle)
    _, _, _, _, whole, device = _CAPABILITY.unpack(answer)
    return int(device if whole & _HAS_DEVICE_CAPS else whole)
