"""The TLS settings of a connection."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from edge_agent.mqtt.options import TlsOptions

_VERSIONS = {"tlsv1.2": ssl.TLSVersion.TLSv1_2, "tlsv1.3": ssl.TLSVersion.TLSv1_3}


class _NamedContext(ssl.SSLContext):
    """Asks for a certificate of a fixed name, whatever address was dialled."""

    server_name: str | None = None

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        """As in the base class, with our name for SNI and for the check of the certificate."""
        if self.server_name:
            options["server_hostname"] = self.server_name
        return super().wrap_socket(*args, **options)


def _check_file(key: str, path: Path) -> None:
    """Else a file that is shut would be taken for a broker that cannot be reached."""
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise ValueError(f"{key} {path} is not there") from None
    except OSError as error:
        raise ValueError(f"{key} {path} cannot be read: {error.strerror}") from error


def tls_context(tls: TlsOptions) -> ssl.SSLContext:
    """Context for one connection; it reads the files anew, so a renewed certificate is used.

    Raises ValueError for files that are missing or cannot be used.
    """
    for name, path in (("ca", tls.ca_file), ("cert", tls.cert_file), ("key", tls.key_file)):
        if path:
            _check_file(f"mqtt.tls.{name}_file", Path(path))
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
    context.server_name = tls.server_name
    context.minimum_version = _VERSIONS[tls.min_version]
    # An intermediate authority may be trusted by itself, as Python does by default since 3.13, but
    # without its VERIFY_X509_STRICT: most home-made authorities lack a key usage.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        if tls.ca_file:
            context.load_verify_locations(tls.ca_file)
        else:
            context.load_default_certs()
    except ssl.SSLError as error:
        raise ValueError(f"mqtt.tls.ca_file {tls.ca_file} holds no certificates in PEM") from error
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
