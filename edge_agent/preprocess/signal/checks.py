"""What stages check when they are built, and the words of the errors."""

from __future__ import annotations


def need(holds: bool, option: str, fault: str, cure: str) -> None:
    """Raise ValueError that names the option, what is wrong with it and the cure."""
    if not holds:
        raise ValueError(f"{option}: {fault} ({cure})")


def need_mono(stage: str, channels: int) -> None:
    """Sound features are those of one channel."""
    need(
        channels == 1,
        stage,
        f"it takes one channel, not {channels}",
        "set the source to mono, or choose one of its channels",
    )
