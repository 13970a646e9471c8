"""The protobuf messages of Sparkplug B, by the field numbers of its specification.

Eclipse Sparkplug 3.0.0, section 6.4 (Payload and Metric); only the fields that are used here. What
others send besides is passed over, as protobuf does.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "edge_agent.sparkplug"
_FIELD = descriptor_pb2.FieldDescriptorProto


class DataType(IntEnum):
    """Values of `Metric.datatype`, section 6.4.16."""

    INT64 = 4
    UINT64 = 8
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


_METRIC = (
    (1, "name", _FIELD.TYPE_STRING),
    (2, "alias", _FIELD.TYPE_UINT64),
    (3, "timestamp", _FIELD.TYPE_UINT64),
    (4, "datatype", _FIELD.TYPE_UINT32),
    (5, "is_historical", _FIELD.TYPE_BOOL),
    (7, "is_null", _FIELD.TYPE_BOOL),
    (10, "int_value", _FIELD.TYPE_UINT32),
    (11, "long_value", _FIELD.TYPE_UINT64),
    (12, "float_value", _FIELD.TYPE_FLOAT),
    (13, "double_value", _FIELD.TYPE_DOUBLE),
    (14, "boolean_value", _FIELD.TYPE_BOOL),
    (15, "string_value", _FIELD.TYPE_STRING),
)
_SEQ_FIELD = 3
_VALUES = {
    DataType.INT64: "long_value",
    DataType.UINT64: "long_value",
    DataType.DOUBLE: "double_value",
    DataType.BOOLEAN: "boolean_value",
    DataType.STRING: "string_value",
}


def _classes() -> tuple[Any, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="edge_agent/sparkplug.proto", package=_PACKAGE)
    metric = file.message_type.add(name="Metric")
    for number, name, kind in _METRIC:
        metric.field.add(name=name, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)
    payload = file.message_type.add(name="Payload")
    optional = _FIELD.LABEL_OPTIONAL
    payload.field.add(name="timestamp", number=1, type=_FIELD.TYPE_UINT64, label=optional)
    payload.field.add(
        name="metrics",
        number=2,
        type=_FIELD.TYPE_MESSAGE,
        label=_FIELD.LABEL_REPEATED,
        type_name=f".{_PACKAGE}.Metric",
    )
    payload.field.add(name="seq", number=_SEQ_FIELD, type=_FIELD.TYPE_UINT64, label=optional)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in ("Metric", "Payload"))
    metric_class, payload_class = map(message_factory.GetMessageClass, found)
    return metric_class, payload_class


Metric, Payload = _classes()


def set_value(metric: Any, kind: DataType, value: Any) -> None:
    """Put a value into a metric; None is null."""
    metric.datatype = int(kind)
    if value is None:
        metric.is_null = True
    elif kind is DataType.INT64:
        metric.long_value = value & (2**64 - 1)  # two's complement, section 6.4.17
    else:
        setattr(metric, _VALUES[kind], value)


def get_value(metric: Any) -> Any:
    """The value of a metric, of whatever type; None for null or none."""
    for _, name, _ in _METRIC:
        if name.endswith("_value") and metric.HasField(name):
            return getattr(metric, name)
    return None


def stamped(payload: bytes, seq: int) -> bytes:
    """An encoded Payload with its `seq`, 0 to 255: fields may stand in any order."""
    low, high = seq & 0x7F, seq >> 7
    varint = bytes([low]) if not high else bytes([low | 0x80, high])
    return payload + bytes([_SEQ_FIELD << 3]) + varint
