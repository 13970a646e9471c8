"""Certificates made for tests by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(folder: Path, *words: str) -> None:
    """Run openssl in a folder."""
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)


def authority(folder: Path, name: str) -> None:
    """Make NAME.crt and NAME.key of an authority."""
    files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
    openssl(folder, "req", "-x509", *_KEY, "-days", "30", "-subj", f"/CN={name}", *files)


def certificate(folder: Path, name: str, san: str, *, ca: str = "ca", days: int = 30) -> None:
    """Make NAME.crt and NAME.key, signed by an authority."""
    (folder / f"{name}.ext").write_text(f"subjectAltName={san}\n")
    files = ["-keyout", f"{name}.key", "-out", f"{name}.csr"]
    openssl(folder, "req", *_KEY, "-subj", f"/CN={name}", *files)
    signer = ["-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", str(days)]
    out = ["-in", f"{name}.csr", "-out", f"{name}.crt", "-extfile", f"{name}.ext"]
    openssl(folder, "x509", "-req", *signer, *out)


def is_expired(certificate: Path) -> bool:
    """Whether its time is over; one of 0 days is so after a second, fewer are refused."""
    command = ["openssl", "x509", "-checkend", "0", "-noout", "-in", str(certificate)]
    return subprocess.run(command, check=False, capture_output=True).returncode != 0
