"""A checksum at the end of an exported file: a flipped bit would otherwise be another weight, and another energy."""

from __future__ import annotations

import hashlib
from typing import Final

_KEY: Final = b"showercal.sha256"


def sealed(model: bytes) -> bytes:
    """A serialised ONNX model with the hash of its bytes as one metadata entry more.

    Protocol buffers may be joined end to end: the entry is one field appended, and any program still reads the model.
    """
    return model + _entry(model)


def is_whole(content: bytes) -> bool:
    """Whether the bytes of a file are those that `sealed` gave."""
    size = len(_entry(b""))
    return content[-size:] == _entry(content[:-size])


def _entry(model: bytes) -> bytes:
    """Field 14 of a ModelProto (metadata_props); key is field 1, value field 2: each a tag, a length and the text."""
    digest = hashlib.sha256(model).hexdigest().encode()
    pair = b"".join(bytes([tag << 3 | 2, len(text)]) + text for tag, text in ((1, _KEY), (2, digest)))
    return bytes([14 << 3 | 2, len(pair)]) + pair
