"""Where frames come from: cameras, recordings, pictures, sound, sensors and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.registry import Registry

if TYPE_CHECKING:
    from edge_agent.sources.base import Source

SOURCES: Registry[Source] = Registry(
    "edge_agent.sources",
    {
        "camera": "edge_agent.sources.camera:CameraSource",
        "rtsp": "edge_agent.sources.rtsp:RtspSource",
        "http": "edge_agent.sources.http:HttpSource",
        "picamera": "edge_agent.sources.picamera:PicameraSource",
        "video": "edge_agent.sources.video:VideoSource",
        "audio": "edge_agent.sources.audio:AudioSource",
        "iio": "edge_agent.sources.iio:IioSource",
        "i2c": "edge_agent.sources.i2c:I2cSource",
        "mqtt": "edge_agent.sources.mqtt:MqttSource",
        "http_json": "edge_agent.sources.http_json:HttpJsonSource",
        "sysfs": "edge_agent.sources.sysfs:SysfsSource",
        "fusion": "edge_agent.sources.fusion:FusionSource",
        "images": "edge_agent.sources.images:ImagesSource",
        "csv": "edge_agent.sources.csv:CsvSource",
        "lines": "edge_agent.sources.lines:LinesSource",
        "text": "edge_agent.sources.text:TextSource",
    },
)

__all__ = ["SOURCES"]
