"""The parts of a safetensors file, and a file made of parts that may make no sense."""

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

METADATA = "__metadata__"
CHECKSUM = "checksum"


@dataclass
class Parts:
    """Header and data of a file."""

    header: dict[str, Any]
    data: bytearray

    @classmethod
    def of(cls, file: bytes) -> "Parts":
        """Take a whole file apart."""
        (n,) = struct.unpack("<Q", file[:8])
        return cls(json.loads(file[8 : 8 + n]), bytearray(file[8 + n :]))

    def tensor_names(self) -> list[str]:
        """Names of all tensors, in order."""
        return [name for name in self.header if name != METADATA]

    def file(self) -> bytes:
        """The file."""
        text = json.dumps(self.header).encode()
        return struct.pack("<Q", len(text)) + text + bytes(self.data)

    def sign(self) -> None:
        """Make the checksum that of the rest, where there is one and the rest could have one."""
        metadata = self.header.get(METADATA)
        if not isinstance(metadata, dict) or CHECKSUM not in metadata:
            return
        try:
            metadata[CHECKSUM] = f"{checksum(self.header, self.data):08x}"
        except (AttributeError, KeyError, TypeError, ValueError, struct.error):
            return  # no such file could be written


def checksum(header: dict[str, Any], data: bytes) -> int:
    """CRC-32 of all that a file says, as `src/store.rs` counts it."""
    crc = 0

    def add(part: bytes) -> None:
        nonlocal crc
        crc = zlib.crc32(part, zlib.crc32(struct.pack("<Q", len(part)), crc))

    for key, value in sorted(header[METADATA].items()):
        if key != CHECKSUM:
            add(key.encode())
            add(value.encode())
    for name in sorted(name for name in header if name != METADATA):
        tensor = header[name]
        start, end = tensor["data_offsets"]
        add(name.encode())
        add(tensor["dtype"].encode())
        add(b"".join(struct.pack("<Q", size) for size in tensor["shape"]))
        add(bytes(data[start:end]))
    return crc
