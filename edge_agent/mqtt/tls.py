"""The TLS settings of a connection."""

from __future__ import annotations

import ssl
from pathlib import Path

from edge_agent.mqtt.options import TlsOptions


def tls_context(tls: TlsOptions) -> ssl.SSLContext:
    """Context for one connection; it reads the files anew, so a renewed certificate is used.

    Raises ValueError for files that are missing or cannot be used.
    """
    for name, path in (("ca", tls.ca_file), ("cert", tls.cert_file), ("key", tls.key_file)):
        if path and not Path(path).is_file():
            raise ValueError(f"mqtt.tls.{name}_file {path} is not there")
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except ssl.SSLError as error:
        raise ValueError(f"mqtt.tls.ca_file {tls.ca_file} holds no certificates in PEM") from error
    # Python 3.13 wants RFC 5280 to the letter, and most home-made authorities lack a key usage.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file:
        try:
            # Without a password function OpenSSL would ask for one on the terminal.
            context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: b"")
        except ssl.SSLError as error:
            raise ValueError(
                f"mqtt.tls.cert_file {tls.cert_file} and its key cannot be used"
                f" ({error.reason or 'is the key encrypted?'})"
            ) from error
    return context
