"""The depth of samples: stated and held against the values, or told by the values and in doubt."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from models.images import open_image
from tests.models.images.test_images import bare_tiff

RNG = np.random.default_rng(7)
EIGHT = RNG.integers(20, 256, (50, 60), dtype=np.uint16)
"""A picture that reaches 8 bits."""


def at(bits: int) -> NDArray[np.uint16]:
    """The picture as a camera of so many bits sees it, with values of its own in the low bits."""
    low = RNG.integers(0, 1 << (bits - 8), EIGHT.shape, np.uint16)
    return np.asarray((EIGHT << (bits - 8)) | low, np.uint16)


def tiff(path: Path, samples: NDArray[Any], **options: Any) -> Path:
    with tifffile.TiffWriter(path) as writer:
        writer.write(samples, **{"photometric": "minisblack", "metadata": None, **options})
    return path


def png(path: Path, samples: NDArray[Any], significant: int | None = None) -> Path:
    data = bytes(imagecodecs.png_encode(samples))
    if significant is not None:
        chunk = b"sBIT" + bytes([significant])
        data = data[:33] + struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]
    path.write_bytes(data)
    return path


def seen(path: Path, bits: int | None = None) -> tuple[int, str, str]:
    """Bits that were taken, doubt and warning; the picture has its brightness wherever there is neither."""
    with open_image(path, bits) as source:
        grey = source.rows(0, source.height)
        warning = " ".join(source.warnings)
        if not source.depth_doubt and not warning:
            assert np.abs(grey.astype(int) - EIGHT).max() <= 1
        return source.bits, source.depth_doubt, warning


@pytest.mark.parametrize("bits", range(9, 16))
@pytest.mark.parametrize("kind", ["tiff", "compressed", "tiles", "png"])
def test_values_that_do_not_reach_16_bits_are_taken_by_what_they_reach_and_are_in_doubt(
    tmp_path: Path, bits: int, kind: str
) -> None:
    layouts: dict[str, dict[str, Any]] = {"compressed": {"compression": "zlib"}, "tiles": {"tile": (16, 16)}}
    path = png(tmp_path / "a", at(bits)) if kind == "png" else tiff(tmp_path / "a", at(bits), **layouts.get(kind, {}))
    taken, doubt, warning = seen(path)
    assert (taken, warning) == (bits, "")
    assert f"they may have {bits} bits of 16" in doubt
    assert "--bits, or camera.bits" in doubt
    with open_image(path) as source:
        assert np.abs(source.rows(0, source.height).astype(int) - EIGHT).max() <= 1, "NG as at 8 bit"


@pytest.mark.parametrize("bits", range(9, 16))
def test_what_is_stated_and_reached_is_in_no_doubt(tmp_path: Path, bits: int) -> None:
    assert seen(tiff(tmp_path / "a", at(bits)), bits) == (bits, "", "")
    assert seen(png(tmp_path / "a", at(bits)), bits) == (bits, "", "")
    assert seen(tiff(tmp_path / "a", at(bits), extratags=[(281, "H", 1, (1 << bits) - 1)])) == (bits, "", "")
    assert seen(png(tmp_path / "a", at(bits), significant=bits)) == (bits, "", "")


def test_16_bits_that_are_reached_are_in_no_doubt(tmp_path: Path) -> None:
    assert seen(tiff(tmp_path / "a", at(16))) == (16, "", "")
    assert seen(png(tmp_path / "a", at(16))) == (16, "", "")
    assert seen(png(tmp_path / "a", at(16), significant=16)) == (16, "", "")


def test_values_at_the_upper_end_are_right_at_16_bits_also_where_their_own_are_stated(tmp_path: Path) -> None:
    left = (at(12) << 4).astype(np.uint16)
    assert seen(tiff(tmp_path / "a", left)) == (16, "", "")
    assert seen(tiff(tmp_path / "a", left), 12) == (16, "", "")
    assert seen(png(tmp_path / "a", left, significant=12)) == (16, "", "")
    filled = left | (left >> 12)  # as the format's rule has it
    assert seen(png(tmp_path / "a", filled, significant=12)) == (16, "", "")


def test_a_statement_that_is_not_reached_is_a_warning_and_one_that_is_passed_a_doubt(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a", at(12))
    taken, doubt, warning = seen(path, 14)
    assert (taken, doubt) == (14, "")
    assert "says 14 bits, but the values reach" in warning
    taken, doubt, warning = seen(path, 11)
    assert (taken, warning) == (11, "")
    assert "says 11 bits, and" in doubt
    assert "samples go beyond 2,047" in doubt
    tagged = tiff(tmp_path / "b", at(14), extratags=[(281, "H", 1, 4095)])
    assert "the tag MaxSampleValue says 12 bits" in seen(tagged)[1]


def test_a_tag_that_only_says_what_a_sample_can_hold_states_nothing(tmp_path: Path) -> None:
    assert seen(tiff(tmp_path / "a", at(14), extratags=[(281, "H", 1, 65535)]))[0] == 14


def test_significant_bits_of_an_ome_tiff_are_a_statement(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", at(12), metadata={"axes": "YX", "SignificantBits": 12}, ome=True)
    assert seen(tmp_path / "a.ome.tif") == (12, "", "")


def test_a_few_marks_do_not_reach_a_depth(tmp_path: Path) -> None:
    many = np.tile(at(12), (10, 10))
    many[0, :20] = 65535  # of 300,000: dead pixels, or a line that was drawn in
    with open_image(tiff(tmp_path / "a", many)) as source:
        source.load()
        assert source.bits == 12
        assert source.depth_doubt


def test_packed_samples_are_held_against_their_own_bits(tmp_path: Path) -> None:
    path = tmp_path / "a"
    rows = b"".join(imagecodecs.packints_encode(row, 12) for row in at(10))
    path.write_bytes(bare_tiff(60, 50, 12, rows))
    assert "they may have 10 bits of 12" in seen(path)[1]


def test_transparency_reaches_no_depth(tmp_path: Path) -> None:
    opaque = np.dstack([at(12), np.full(EIGHT.shape, 65535, np.uint16)])
    assert "12 bits of 16" in seen(png(tmp_path / "a", opaque))[1]
    colour = np.dstack([at(12)] * 3 + [np.full(EIGHT.shape, 65535, np.uint16)])
    assert "12 bits of 16" in seen(png(tmp_path / "a", colour))[1]
    assert "12 bits of 16" in seen(tiff(tmp_path / "b", colour, photometric="rgb", extrasamples=["unassalpha"]))[1]


def test_bits_that_a_file_of_8_cannot_have_are_a_warning(tmp_path: Path) -> None:
    eight = EIGHT.astype(np.uint8)
    for path in (tiff(tmp_path / "a", eight), png(tmp_path / "b", eight)):
        assert seen(path) == (8, "", "")
        assert "says 12 bits, but the file's samples have 8" in seen(path, 12)[2]
        assert seen(path, 8) == (8, "", "")


def test_a_black_picture_is_in_doubt(tmp_path: Path) -> None:
    assert "reach 0 of 65,535" in seen(tiff(tmp_path / "a", np.zeros((30, 30), np.uint16)))[1]


def test_damage_shows_when_the_depth_is_looked_for(tmp_path: Path) -> None:
    path = png(tmp_path / "a", at(12))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    with open_image(path) as source, pytest.raises(Exception, match="damaged PNG"):
        source.load()
