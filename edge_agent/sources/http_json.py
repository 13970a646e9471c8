"""Numbers of a web service: a JSON answer that is fetched again and again."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, MinLen

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable
from edge_agent.frame import Frame, Signal
from edge_agent.options import Doc, Duration, Secret
from edge_agent.sources.address import Address, Contact, parse_address
from edge_agent.sources.auth import Login
from edge_agent.sources.base import SYSTEM_CLOCK, Medium, Stamp, patience_for
from edge_agent.sources.guard import Guard
from edge_agent.sources.http_client import HttpClient, Words
from edge_agent.sources.json_values import (
    MOST_BYTES,
    BadMessage,
    decode_json,
    number_of,
    path_steps,
    value_at,
)

_WORDS = Words("server", "JSON answer", "ask for less in the url")
_NO_SECRET = Secret("")


@dataclass(frozen=True, slots=True)
class HttpJsonOptions(words.Options):
    """Options of the source `http_json`."""

    url: Annotated[Secret, Doc("http(s):// address that answers with JSON.")]
    channels: Annotated[
        dict[str, str],
        MinLen(1),
        Doc("Way to each number in the answer, by channel name: cells[0].volt."),
    ]
    interval: Annotated[Duration, Ge(0.05), Doc("How long from one request to the next.")] = 10.0
    username: Annotated[str, Doc("User name; may also stand in the url.")] = ""
    password: Annotated[Secret, Doc("Password; may also stand in the url.")] = _NO_SECRET
    token: Annotated[Secret, Doc("Bearer token, sent with every request.")] = _NO_SECRET
    timeout: Annotated[Duration, Gt(0), Doc("Limit for connecting, and for each answer.")] = 5.0
    verify_tls: Annotated[bool, Doc("Whether an https server must show a trusted certificate.")] = (
        True
    )

    @property
    def address(self) -> Address:
        """Where the server is; raises ValueError for a url that tells none."""
        return parse_address(self.url.reveal(), {"http": 80, "https": 443})

    @property
    def contact(self) -> Contact:
        """Whom the source connects to."""
        contact = self.address.contact
        login = contact.login or bool(self.username or self.password or self.token)
        return replace(contact, login=login)


class HttpJsonSource:
    """A row of numbers for each answer, at the time at which it came.

    A value that is missing, null or no number is NaN; an answer without any is an error.
    """

    medium: ClassVar[Medium] = "signal"
    Options: ClassVar[type[words.Options]] = HttpJsonOptions
    live = True

    def __init__(self, name: str, options: HttpJsonOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self.patience = patience_for(options.timeout) + options.interval
        self._options = options
        self._address = options.address
        self._paths: Mapping[str, tuple[str | int, ...]] = {
            key: path_steps(path) for key, path in options.channels.items()
        }
        self._clock = clock
        self._stamp = Stamp(name, clock)
        self._guard = Guard(self._release)
        self._client: HttpClient | None = None
        self._first: list[float] | None = None

    def start(self) -> None:
        """Connect and fetch the first answer; raises SourceError."""
        self._guard.reopen()
        with self._guard.use():
            self._release()
            self._client = self._new_client()
            self._due = time.monotonic() + self._options.interval
            self._first = self._fetch(self._client)
            self._is_gap = False
            self._stamp.opened()

    def read(self) -> Frame | None:
        """Next row; raises SourceError."""
        with self._guard.use() as allowed:
            client = self._client
            if not allowed or client is None:
                return None
            values, self._first = self._first, None
            if values is None:
                self._wait()
                if self._guard.closing.is_set():
                    return None
                values = self._try(client)
        return None if values is None else self._row(values)

    def stop(self) -> None:
        """End a running wait and close the connection."""
        client = self._client
        if client is not None:
            client.cut()
        self._guard.close()

    def _new_client(self) -> HttpClient:
        options, address = self._options, self._address
        login = Login(
            options.username or address.user, options.password.reveal() or address.password
        )
        headers = {"Accept": "application/json"}
        if options.token:
            headers["Authorization"] = f"Bearer {options.token.reveal()}"
        return HttpClient(address, login, options.timeout, options.verify_tls, _WORDS, headers)

    def _wait(self) -> None:
        """Wait for the next request; what a slow server missed is not caught up with."""
        interval = self._options.interval
        self._guard.closing.wait(max(0.0, self._due - time.monotonic()))
        missed = max(0, math.floor((time.monotonic() - self._due) / interval))
        self._is_gap |= missed > 0
        self._due += (1 + missed) * interval

    def _try(self, client: HttpClient) -> list[float] | None:
        try:
            return self._fetch(client)
        except SourceUnavailable:
            if self._guard.closing.is_set():
                return None
            raise

    def _fetch(self, client: HttpClient) -> list[float]:
        body = client.read_all(client.get(), MOST_BYTES)
        shown = self._address.shown
        try:
            answer = decode_json(body)
        except BadMessage as error:
            text = f"{shown} does not answer with JSON: {error}"
            raise SourceUnavailable(text, "open the address in a browser") from error
        values, reasons = [], []
        for name, steps in self._paths.items():
            value, reason = _value(answer, steps)
            values.append(value)
            reasons.append(f"{name}: {reason}")
        if not any(math.isfinite(value) for value in values):
            text = f"{shown} answers without a number ({reasons[0]})"
            raise SourceUnavailable(text, "check the ways in channels")
        return values

    def _row(self, values: list[float]) -> Frame:
        times = np.array([self._clock.monotonic_ns() / 1e9])
        is_gap, self._is_gap = self._is_gap, False
        signal = Signal(tuple(self._paths), times, 1.0 / self._options.interval, is_gap)
        return self._stamp.samples(np.array([values], np.float32), signal)

    def _release(self) -> None:
        client, self._client, self._first = self._client, None, None
        if client is not None:
            client.close()


def _value(answer: object, steps: tuple[str | int, ...]) -> tuple[float, str]:
    """A number, or NaN and why."""
    try:
        return number_of(value_at(answer, steps)), ""
    except KeyError as error:
        return math.nan, f"there is no {error}"
    except BadMessage as error:
        return math.nan, str(error)
