"""A folder from which Home Assistant starts ready for use, without a hand on its web page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_TEN_YEARS = 315_360_000  # s
_YAML = """\
homeassistant: {{name: test, unit_system: metric, time_zone: UTC}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
api:
config:
websocket_api:
logger: {{default: warning, logs: {{homeassistant.components.mqtt: info}}}}
"""


def prepare(folder: Path, http_port: int, mqtt_port: int) -> str:
    """Write an owner, a finished onboarding and the MQTT integration; returns a token of its API.

    Home Assistant upgrades what a later version wants otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "configuration.yaml").write_text(_YAML.format(port=http_port))
    now = datetime.now(UTC).isoformat()
    token_id, key = uuid.uuid4().hex, secrets.token_hex(64)
    _store(folder, "auth", _auth(token_id, key, now))
    done = ["user", "core_config", "analytics", "integration"]
    _store(folder, "onboarding", {"done": done}, version=4)
    _store(folder, "core.config_entries", {"entries": [_mqtt_entry(mqtt_port, now)]}, minor=5)
    return _signed({"iss": token_id, "iat": int(time.time()), "exp": _years_from_now()}, key)


def _store(folder: Path, key: str, data: Any, version: int = 1, minor: int = 1) -> None:
    file = folder / ".storage" / key
    file.parent.mkdir(exist_ok=True)
    content = {"version": version, "minor_version": minor, "key": key, "data": data}
    file.write_text(json.dumps(content))


def _auth(token_id: str, key: str, now: str) -> dict[str, Any]:
    user = {
        "id": uuid.uuid4().hex,
        "name": "test",
        "group_ids": ["system-admin"],
        "is_owner": True,
        "is_active": True,
        "system_generated": False,
        "local_only": False,
    }
    token = {
        "id": token_id,
        "user_id": user["id"],
        "client_id": None,
        "client_name": "test",
        "client_icon": None,
        "token_type": "long_lived_access_token",
        "created_at": now,
        "access_token_expiration": float(_TEN_YEARS),
        "token": secrets.token_hex(64),
        "jwt_key": key,
        "last_used_at": None,
        "last_used_ip": None,
        "expire_at": None,
        "credential_id": None,
        "version": None,
    }
    groups = [{"id": "system-admin", "name": "Administrators"}]
    return {"users": [user], "groups": groups, "credentials": [], "refresh_tokens": [token]}


def _mqtt_entry(port: int, now: str) -> dict[str, Any]:
    return {
        "entry_id": uuid.uuid4().hex,
        "domain": "mqtt",
        "title": "test",
        "data": {"broker": "127.0.0.1", "port": port},
        "options": {},
        "source": "user",
        "unique_id": None,
        "version": 1,
        "minor_version": 2,
        "created_at": now,
        "modified_at": now,
        "disabled_by": None,
        "discovery_keys": {},
        "subentries": [],
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
    }


def _years_from_now() -> int:
    return int(time.time()) + _TEN_YEARS


def _signed(claims: dict[str, Any], key: str) -> str:
    """A JSON Web Token with HS256."""
    head = _base64({"alg": "HS256", "typ": "JWT"}) + b"." + _base64(claims)
    signature = hmac.new(key.encode(), head, hashlib.sha256).digest()
    return (head + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def _base64(value: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
