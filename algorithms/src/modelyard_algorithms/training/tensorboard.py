"""TensorBoard event files, written without TensorBoard.

Importing its writer costs half a second and pulls in threads of its own; a file of scalars is a dozen
lines. Sources: tensorflow/core/util/event.proto and summary.proto (field numbers), tensorflow/core/
lib/io/record_writer.cc (records: length, masked CRC of the length, data, masked CRC of the data),
RFC 3720 appendix B.4 (CRC-32C, reflected polynomial 0x82F63B78).
"""

import struct
from collections.abc import Mapping

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def header(wall_time: float) -> bytes:
    """The record that every event file begins with."""
    return _record(_double(1, wall_time) + _bytes(3, b"brain.Event:2"))


def scalars(wall_time: float, step: int, values: Mapping[str, float]) -> bytes:
    """A record with one value for each tag.

    Args:
        wall_time: Seconds since the epoch.
        step: Optimizer steps done.
        values: Tag to value.
    """
    summary = b"".join(
        _bytes(1, _bytes(1, tag.encode()) + _float(2, value)) for tag, value in sorted(values.items())
    )
    return _record(_double(1, wall_time) + _varint(2, step) + _bytes(5, summary))


def masked_crc32c(data: bytes) -> int:
    """CRC-32C, rotated and offset as the record format wants it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return b"".join(
        (length, struct.pack("<I", masked_crc32c(length)), data, struct.pack("<I", masked_crc32c(data)))
    )


def _number(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append((value & 0x7F) | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _varint(field: int, value: int) -> bytes:
    return _number(field << 3) + _number(value)


def _double(field: int, value: float) -> bytes:
    return _number(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _number(field << 3 | 2) + _number(len(value)) + value


def _float(field: int, value: float) -> bytes:
    return _number(field << 3 | 5) + struct.pack("<f", value)
