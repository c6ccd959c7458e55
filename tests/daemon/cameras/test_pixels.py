"""Pixel formats: each value comes out as an image file with it would, whatever its packing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.cameras.pixels import FORMATS, Converter
from models.images.source import range_table

ROWS, WIDTH = 6, 1000


def packed(name: str, values: NDArray[np.uint16]) -> bytes:
    """The values as a camera sends them, packed one by one by the rules of PFNC and of GigE Vision."""
    out = bytearray()
    for row in values.tolist():
        if name == "Mono8":
            out += bytes(row)
        elif name.endswith("p"):
            word = sum(value << FORMATS[name].bits * place for place, value in enumerate(row))
            out += word.to_bytes(len(row) * FORMATS[name].bits // 8, "little")
        elif name.endswith("Packed"):
            low = FORMATS[name].bits - 8
            for first, second in zip(row[::2], row[1::2], strict=True):
                rest = first & (1 << low) - 1 | (second & (1 << low) - 1) << 4
                out += bytes([first >> low, rest, second >> low])
        else:
            out += b"".join(value.to_bytes(2, "little") for value in row)
    return bytes(out)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("padding", [0, 3])
def test_every_value_is_scaled_by_its_full_range(name: str, padding: int) -> None:
    bits = FORMATS[name].bits
    values = np.random.default_rng(bits).integers(0, 1 << bits, (ROWS, WIDTH)).astype(np.uint16)
    values[0, :4] = [0, (1 << bits) - 1, 1, (1 << bits) - 2]
    converter = Converter(FORMATS[name], WIDTH)
    rows = np.frombuffer(packed(name, values), np.uint8).reshape(ROWS, converter.row_bytes)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=7).reshape(-1)
    into = np.zeros((ROWS, WIDTH), np.uint8)
    converter.write(data, converter.row_bytes + padding, into)
    assert (into == range_table(bits)[values]).all()


def test_bits_beyond_the_significant_ones_are_full_scale() -> None:
    into = np.zeros((1, 2), np.uint8)
    Converter(FORMATS["Mono10"], 2).write(np.array([0xFFFF, 0x0400], "<u2").view(np.uint8), 4, into)
    assert into.tolist() == [[255, 255]]


@pytest.mark.parametrize(("name", "width"), [("Mono10p", 1002), ("Mono12p", 1001), ("Mono12Packed", 1001)])
def test_a_row_that_ends_within_a_byte_is_refused(name: str, width: int) -> None:
    with pytest.raises(ValueError, match=f"a row of {width} px in {name} ends within a byte: take a multiple of"):
        Converter(FORMATS[name], width)
