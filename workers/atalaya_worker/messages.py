"""The messages of engine.proto, built from its descriptor; whatever protobuf is installed can do that."""

import base64
from typing import Any

from google.protobuf import descriptor_pool, message_factory

from .engine_descriptor import DESCRIPTOR

PACKAGE = "atalaya.engine.v1"

_pool = descriptor_pool.DescriptorPool()
_pool.AddSerializedFile(base64.b64decode(DESCRIPTOR))


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


EncodeImageRequest = _message("EncodeImageRequest")
GenerateReply = _message("GenerateReply")
GenerateRequest = _message("GenerateRequest")
HealthReply = _message("HealthReply")
HealthRequest = _message("HealthRequest")
ImageReport = _message("ImageReport")
LoadReply = _message("LoadReply")
LoadRequest = _message("LoadRequest")
ModelInfo = _message("ModelInfo")
StatsReply = _message("StatsReply")
StatsRequest = _message("StatsRequest")
Token = _message("Token")
