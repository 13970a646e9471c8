"""Words for the options of a stage: units, limits and help that the YAML schema reads.

A stage declares its options as a frozen dataclass on top of `Options`, with fields such as
`Annotated[Duration, Doc("How long to wait for a frame.")]`. The stage sees plain numbers; the
configuration reads "3s" and "64MiB" into them. Nothing heavy is imported until a schema is built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le, Len

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_NUMBER_AND_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


class Options:
    """Base of a stage's option dataclasses: a key that is not a field is a mistake."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Doc:
    """Help for one option, shown in the configuration reference and the JSON Schema."""

    text: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Put the help where JSON Schema readers look for it."""
        json_schema = handler(schema)
        json_schema["description"] = self.text
        return json_schema


@dataclass(frozen=True, slots=True)
class _Unit:
    """Marks a number that YAML writes with a unit."""

    factors: tuple[tuple[str, float], ...]
    what: str
    example: str

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Accept `3s` beside the plain number."""
        from pydantic_core import core_schema  # noqa: PLC0415 - heavy, only for schemas

        return core_schema.no_info_before_validator_function(self.parse, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Say that a text with a unit is accepted too."""
        units = "|".join(unit for unit, _ in self.factors)
        text = {"type": "string", "pattern": rf"^\s*\d+(\.\d+)?\s*({units})\s*$"}
        return {"anyOf": [handler(schema), text], "examples": [self.example]}

    def parse(self, value: Any) -> Any:
        """Number in base units of a text such as "3s"; anything else is returned as it is."""
        if not isinstance(value, str):
            return value
        match = _NUMBER_AND_UNIT.fullmatch(value)
        factors = dict(self.factors)
        if match is None or match[2] not in factors:
            raise ValueError(f"{value!r} is not a {self.what} such as {self.example}")
        return float(match[1]) * factors[match[2]]


Duration = Annotated[float, Ge(0), _Unit(tuple(_SECONDS.items()), "duration", "3s")]
"""Seconds; YAML also takes 500ms, 3s, 5m, 2h, 7d."""

Size = Annotated[int, Ge(0), _Unit(tuple(_BYTES.items()), "size", "64MiB")]
"""Bytes; YAML also takes 500kB, 64MiB, 1GB."""

Fraction = Annotated[float, Ge(0), Le(1)]
"""A number from 0 to 1: a score, or a coordinate of the frame."""

Positive = Annotated[float, Gt(0)]
"""A number above zero."""

Vertex = tuple[Fraction, Fraction]
"""x, y as fractions of the frame."""

Polygon = Annotated[list[Vertex], Len(3, 256)]
"""Corners of an area of the frame, in order."""


class Secret:
    """A text that must never be shown: passwords, and addresses that carry them.

    It prints as stars. It is no `str`, since joining and JSON look past how one prints.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "'***'"

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._text

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate a text, or a secret that is one already; serialise as stars."""
        from pydantic_core import core_schema  # noqa: PLC0415 - heavy, only for schemas

        return core_schema.no_info_wrap_validator_function(
            lambda value, text: value if isinstance(value, cls) else cls(text(value)),
            core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda secret: str(secret) if secret else "", return_schema=core_schema.str_schema()
            ),
        )


# To the last @ before a space: a password with a bare @ or / in it is hidden too.
_URL_CREDENTIALS = re.compile(r"(?<=://)\S+(?=@)")


def without_credentials(text: str) -> str:
    """The text with the user and password of every address in it replaced by stars."""
    return _URL_CREDENTIALS.sub("***", text)
