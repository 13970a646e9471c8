"""Answers to the password challenges of HTTP and RTSP: basic (RFC 7617), digest (RFC 7616)."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from urllib.request import parse_http_list, parse_keqv_list

_HASHES = {"MD5": "md5", "SHA-256": "sha256"}


class Login:
    """User and password for one server; learns from its challenge how to prove them."""

    def __init__(
        self, user: str, password: str, nonce: Callable[[], str] = lambda: secrets.token_hex(8)
    ) -> None:
        self._user = user
        self._password = password
        self._nonce = nonce
        self._digest: dict[str, str] | None = None
        self._basic = False
        self._count = 0

    def challenged(self, challenges: Sequence[str]) -> bool:
        """Take the WWW-Authenticate headers of a refusal; False where they cannot be answered.

        Digest is preferred to basic, which sends the password itself.
        """
        self._digest, self._basic, self._count = None, False, 0
        for challenge in challenges:
            scheme, _, rest = challenge.strip().partition(" ")
            if scheme.lower() == "digest":
                fields = parse_keqv_list([p for p in parse_http_list(rest) if "=" in p])
                known = fields.get("algorithm", "MD5").upper() in _HASHES
                if known and "nonce" in fields and self._digest is None:
                    self._digest = fields
            elif scheme.lower() == "basic":
                self._basic = True
        return bool(self._user) and (self._digest is not None or self._basic)

    def headers(self, method: str, target: str) -> dict[str, str]:
        """The Authorization header of a request, or nothing before a challenge."""
        if self._digest is not None:
            return {"Authorization": self._answer(self._digest, method, target)}
        if self._basic:
            pair = f"{self._user}:{self._password}".encode()
            return {"Authorization": f"Basic {b64encode(pair).decode()}"}
        return {}

    def _answer(self, challenge: dict[str, str], method: str, target: str) -> str:
        algorithm = challenge.get("algorithm", "MD5").upper()

        def digest(*parts: str) -> str:
            return hashlib.new(_HASHES[algorithm], ":".join(parts).encode()).hexdigest()

        realm, nonce = challenge.get("realm", ""), challenge["nonce"]
        secret = digest(self._user, realm, self._password)
        request = digest(method, target)
        fields = {"username": self._user, "realm": realm, "nonce": nonce, "uri": target}
        qops = [qop.strip() for qop in challenge.get("qop", "").split(",")]
        unquoted = {"algorithm": algorithm}
        if "auth" in qops:
            self._count += 1
            count, own = f"{self._count:08x}", self._nonce()
            fields["response"] = digest(secret, nonce, count, own, "auth", request)
            fields["cnonce"] = own
            unquoted |= {"qop": "auth", "nc": count}
        else:
            fields["response"] = digest(secret, nonce, request)
        if "opaque" in challenge:
            fields["opaque"] = challenge["opaque"]
        quoted = [f'{name}="{_escaped(value)}"' for name, value in fields.items()]
        return "Digest " + ", ".join(quoted + [f"{name}={v}" for name, v in unquoted.items()])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
