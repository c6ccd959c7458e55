"""Image readers: every format, depth and layout, written for real and read back."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.images import ImageError, open_image
from models.images import source as image_source

RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (37, 53), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (37, 53), dtype=np.uint16)
TWELVE = RNG.integers(0, 4096, (37, 53), dtype=np.uint16)
RGB = RNG.integers(0, 256, (37, 53, 3), dtype=np.uint8)
DEEP_RGB = RNG.integers(0, 65536, (37, 53, 3), dtype=np.uint16)


def scaled(samples: NDArray[Any], top: int) -> NDArray[np.uint8]:
    """The rule itself: share of the full range, rounded, clipped."""
    grey: NDArray[np.uint8] = np.floor(np.minimum(samples.astype(float), top) * 255 / top + 0.5).astype(np.uint8)
    return grey


def luma(rgb: NDArray[Any]) -> NDArray[Any]:
    """BT.601."""
    return np.asarray(rgb[..., :3].astype(float) @ [0.299, 0.587, 0.114])


def read(path: Path, bits: int | None = None, band: int = 10) -> NDArray[np.uint8]:
    """All rows, band by band as the inspection reads them."""
    with open_image(path, bits) as source:
        bands = [source.rows(y, min(y + band, source.height)) for y in range(0, source.height, band)]
        pixels = np.concatenate(bands)
        assert pixels.shape == (source.height, source.width)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(source.rows(3, 9), pixels[3:9])
        assert source.rows(5, 5).shape == (0, source.width)
    return pixels


def assert_close(found: NDArray[np.uint8], wanted: NDArray[Any], most: float = 1.0) -> None:
    assert np.abs(found.astype(float) - wanted).max() <= most


# --- TIFF --------------------------------------------------------------------------------------------------------

LAYOUTS: dict[str, dict[str, Any]] = {
    "one strip": {"rowsperstrip": 37},
    "strips": {"rowsperstrip": 5},
    "strips of one row": {"rowsperstrip": 1},
    "tiles": {"tile": (16, 32)},
    "lzw": {"compression": "lzw", "rowsperstrip": 7},
    "lzw with predictor": {"compression": "lzw", "predictor": 2, "rowsperstrip": 7},
    "deflate": {"compression": "zlib", "rowsperstrip": 7},
    "zstd tiles with predictor": {"compression": "zstd", "predictor": 2, "tile": (16, 16)},
    "packbits": {"compression": "packbits", "rowsperstrip": 7},
    "lzma": {"compression": "lzma", "rowsperstrip": 7},
    "bigtiff": {"bigtiff": True, "rowsperstrip": 5},
    "big-endian": {"byteorder": ">", "rowsperstrip": 5},
    "big-endian deflate": {"byteorder": ">", "compression": "zlib"},
}


def write_tiff(path: Path, samples: NDArray[Any], **options: Any) -> Path:
    big, order = options.pop("bigtiff", False), options.pop("byteorder", "<")
    options.setdefault("photometric", "rgb" if samples.ndim == 3 else "minisblack")
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as writer:
        writer.write(samples, **options, metadata=None)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tiff_gives_the_same_grey_values_in_every_layout(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "a.tif"
    np.testing.assert_array_equal(read(write_tiff(path, GREY, **LAYOUTS[layout])), GREY)
    np.testing.assert_array_equal(read(write_tiff(path, DEEP, **LAYOUTS[layout])), scaled(DEEP, 65535))
    assert_close(read(write_tiff(path, RGB, **LAYOUTS[layout])), luma(RGB))
    assert_close(read(write_tiff(path, DEEP_RGB, **LAYOUTS[layout])), luma(DEEP_RGB) * 255 / 65535)


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "packbits"])
def test_planar_colour_reads_as_interleaved_colour_does(tmp_path: Path, layout: str) -> None:
    planes = np.moveaxis(RGB, 2, 0)
    path = write_tiff(tmp_path / "a.tif", planes, planarconfig="separate", **LAYOUTS[layout])
    assert_close(read(path), luma(RGB))


def test_white_is_zero_is_inverted(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    np.testing.assert_array_equal(read(write_tiff(path, GREY, photometric="miniswhite")), 255 - GREY)
    found = read(write_tiff(path, DEEP, photometric="miniswhite", compression="zlib"))
    np.testing.assert_array_equal(found, 255 - scaled(DEEP, 65535))


@pytest.mark.parametrize("compression", [None, "zlib", "packbits", "ccitt_t6"])
def test_one_bit_tiff_is_black_and_white(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    kinds = {None: None, "zlib": "tiff_adobe_deflate", "packbits": "packbits", "ccitt_t6": "group4"}
    PIL.Image.fromarray(GREY > 128).save(path, compression=kinds[compression])
    np.testing.assert_array_equal(read(path), np.where(GREY > 128, 255, 0))


@pytest.mark.parametrize("depth", [2, 4, 10, 12, 14])
def test_packed_samples_use_their_own_full_range(tmp_path: Path, depth: int) -> None:
    samples = RNG.integers(0, 1 << depth, (37, 53)).astype(np.uint8 if depth < 8 else np.uint16)
    rows = [imagecodecs.packints_encode(row, depth) for row in samples]
    data = b"".join(rows)
    path = tmp_path / "a.tif"
    path.write_bytes(bare_tiff(53, 37, depth, data))
    np.testing.assert_array_equal(read(path), scaled(samples, (1 << depth) - 1))


def bare_tiff(width: int, height: int, depth: int, data: bytes, count: int | None = None) -> bytes:
    """A TIFF of one uncompressed strip, made by hand."""
    tags = [
        (256, 4, width), (257, 4, height), (258, 3, depth), (259, 3, 1), (262, 3, 1), (273, 4, 122),
        (277, 3, 1), (278, 4, height), (279, 4, len(data) if count is None else count),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def test_a_palette_tiff_is_weighted_by_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    image = PIL.Image.fromarray(RGB).quantize(64)
    image.save(path)
    assert_close(read(path), luma(np.asarray(image.convert("RGB"))))
    colours = RNG.integers(0, 256, (3, 256), dtype=np.uint16)  # 8 bit values where 16 bit ones belong
    path = write_tiff(path, GREY, photometric="palette", colormap=colours)
    assert_close(read(path), luma(colours.T[GREY]))


def test_jpeg_in_tiff(tmp_path: Path) -> None:
    smooth = cv2.GaussianBlur(RGB, (0, 0), 6)
    path = write_tiff(tmp_path / "a.tif", smooth, compression="jpeg", compressionargs={"level": 98}, rowsperstrip=16)
    assert_close(read(path), luma(smooth), 6)
    grey = smooth[:, :, 0].copy()
    path = write_tiff(tmp_path / "b.tif", grey, compression="jpeg", compressionargs={"level": 98}, tile=(16, 16))
    assert_close(read(path), grey, 6)


def test_cmyk_tiff_is_light_where_there_is_no_ink(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    PIL.Image.fromarray(RGB).convert("CMYK").save(path)
    assert_close(read(path), luma(RGB), 2)


def test_alpha_is_ignored(tmp_path: Path) -> None:
    alpha = np.dstack([RGB, GREY])
    assert_close(read(write_tiff(tmp_path / "a.tif", alpha, extrasamples=["unassalpha"])), luma(RGB))


def test_depth_is_told_or_tagged_and_never_stretched(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    dim = TWELVE // 8
    write_tiff(path, dim)
    np.testing.assert_array_equal(read(path, bits=16), scaled(dim, 65535))
    np.testing.assert_array_equal(read(path, bits=12), scaled(dim, 4095))
    write_tiff(path, dim, extratags=[(281, "H", 1, 4095)])
    np.testing.assert_array_equal(read(path), scaled(dim, 4095))
    np.testing.assert_array_equal(read(path, bits=14), scaled(dim, 16383))
    # a tag that holds the brightest pixel instead is taken as whole bits
    write_tiff(path, TWELVE, extratags=[(281, "H", 1, 3801)])
    np.testing.assert_array_equal(read(path), scaled(TWELVE, 4095))
    # beyond full scale is clipped
    write_tiff(path, DEEP)
    np.testing.assert_array_equal(read(path, bits=12), scaled(DEEP, 4095))
    for bits in (0, 17, -1):
        with pytest.raises(ValueError, match="1 to 16"):
            open_image(path, bits)


def test_only_the_first_page_is_read_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([GREY, 255 - GREY]), photometric="minisblack")
    with open_image(path) as source:
        assert "only the first is inspected" in source.further_pages
        np.testing.assert_array_equal(source.rows(0, source.height), GREY)
    write_tiff(path, GREY)
    with open_image(path) as source:
        assert source.further_pages == ""


def test_a_smaller_copy_of_the_first_page_is_no_further_page(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(GREY)
        writer.write(GREY[::2, ::2], subfiletype=1)
        writer.write(GREY[::4, ::4], subfiletype=1)
    with open_image(path) as source:
        assert source.further_pages == ""
    with tifffile.TiffWriter(path, append=True) as writer:
        writer.write(GREY)
    with open_image(path) as source:
        assert source.further_pages != ""


def test_pages_that_go_round_in_a_circle_end(tmp_path: Path) -> None:
    page = bytearray(bare_tiff(10, 10, 8, bytes(100)))
    page[8:10] = struct.pack("<H", 9)
    at = 10 + 9 * 12
    page[at : at + 4] = struct.pack("<I", 8)  # the next page is this one
    page[10:22] = struct.pack("<HHII", 254, 4, 1, 1)  # which calls itself a smaller copy
    width = struct.pack("<HHII", 256, 4, 1, 10)
    page[22:34] = width
    path = tmp_path / "a.tif"
    path.write_bytes(page)
    try_all(path)


@pytest.mark.parametrize("kind", ["float32", "float16", "int16", "int8", "uint32", "float64", "complex64"])
def test_samples_without_a_full_range_are_refused(tmp_path: Path, kind: str) -> None:
    write_tiff(tmp_path / "a.tif", GREY.astype(kind))
    with pytest.raises(ImageError, match="convert the image to 8 or 16 bit"):
        open_image(tmp_path / "a.tif")


def test_colour_spaces_that_are_not_colours_of_light_are_refused(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", RGB, photometric="cielab")
    with pytest.raises(ImageError, match="photometric interpretation 8"):
        open_image(tmp_path / "a.tif")


def test_strips_are_read_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 640 MB of pixels by the header's word, read where 100 MB are to be had
    path = tmp_path / "a.tif"
    strips = (bytes(imagecodecs.zstd_encode(bytes([value]) * 8_000_000)) for value in range(80))
    tifffile.imwrite(path, strips, shape=(40000, 16000), dtype=np.uint8, compression="zstd", rowsperstrip=500)
    monkeypatch.setattr(image_source, "available_bytes", lambda: 100_000_000)
    with open_image(path) as source:
        assert (source.width, source.height) == (16000, 40000)
        np.testing.assert_array_equal(source.rows(39_990, 40_000), np.full((10, 16000), 79))
        np.testing.assert_array_equal(source.rows(499, 501)[:, 0], [0, 1])
        with pytest.raises(ImageError, match=r"need 640\.0 MB, 100\.0 MB are available"):
            source.rows(0, 40_000)


# --- PNG, BMP, JPEG ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [GREY, DEEP, RGB, DEEP_RGB], ids=["grey", "grey 16", "rgb", "rgb 16"])
def test_png(tmp_path: Path, samples: NDArray[Any]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(samples))
    top = np.iinfo(samples.dtype).max
    plain = luma(samples) if samples.ndim == 3 else samples
    assert_close(read(path), plain.astype(float) * 255 / top, 1 if samples.ndim == 3 else 0.5)


@pytest.mark.parametrize("mode", ["1", "LA", "RGBA", "P"])
def test_png_and_bmp_modes(tmp_path: Path, mode: str) -> None:
    image = PIL.Image.fromarray(RGB).convert(mode)
    wanted = luma(np.asarray(image.convert("RGBA").convert("RGB")))
    for name in ("a.png", "b.bmp") if mode in ("1", "P") else ("a.png",):
        image.save(tmp_path / name)
        assert_close(read(tmp_path / name), wanted)
    if mode == "P":
        image.save(tmp_path / "t.png", transparency=3)
        assert_close(read(tmp_path / "t.png"), wanted)


@pytest.mark.parametrize("colours", [2, 4, 16])
def test_png_of_1_2_and_4_bits(tmp_path: Path, colours: int) -> None:
    image = PIL.Image.fromarray(RGB).quantize(colours)
    image.save(tmp_path / "a.png", bits={2: 1, 4: 2, 16: 4}[colours])
    assert_close(read(tmp_path / "a.png"), luma(np.asarray(image.convert("RGB"))))


def test_png_bits_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(TWELVE))
    np.testing.assert_array_equal(read(path, bits=12), scaled(TWELVE, 4095))
    np.testing.assert_array_equal(read(path, bits=16), scaled(TWELVE, 65535))


def test_a_png_larger_than_the_memory_that_is_left_is_read_in_bands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 328 MB of pixels, read where 200 MB are to be had
    side, rows = 65_535, 5_000
    row = bytes(side + 1)
    deflate = zlib.compressobj(1)
    stream = b"".join([*(deflate.compress(row) for _ in range(rows)), deflate.flush()])
    chunks = ((b"IHDR", struct.pack(">II5B", side, rows, 8, 0, 0, 0, 0)), (b"IDAT", stream), (b"IEND", b""))
    packed = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    monkeypatch.setattr(image_source, "available_bytes", lambda: 200_000_000)
    tracemalloc.start()
    try:
        with open_image(tmp_path / "a.png") as source:
            assert (source.width, source.height) == (side, rows)
            assert not source.rows(0, 500).any()
            assert not source.rows(3000, 3001).any()
            with pytest.raises(ImageError, match=r"need 327\.7 MB, 200\.0 MB are available"):
                source.rows(0, rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000_000


def test_bmp_grey_and_colour(tmp_path: Path) -> None:
    for name, samples in (("g.bmp", GREY), ("c.bmp", RGB)):
        PIL.Image.fromarray(samples).save(tmp_path / name)
        assert_close(read(tmp_path / name), luma(samples) if samples.ndim == 3 else samples)
    PIL.Image.fromarray(np.dstack([RGB, GREY])).save(tmp_path / "a.bmp")
    assert_close(read(tmp_path / "a.bmp"), luma(RGB))


def test_jpeg_grey_colour_progressive_and_cmyk(tmp_path: Path) -> None:
    smooth = cv2.GaussianBlur(RGB, (0, 0), 6)
    image = PIL.Image.fromarray(smooth)
    wanted = luma(smooth)
    for name, picture in (("c.jpg", image), ("p.jpg", image), ("k.jpg", image.convert("CMYK"))):
        picture.save(tmp_path / name, quality=97, progressive=name == "p.jpg")
        assert_close(read(tmp_path / name), wanted, 6)
    PIL.Image.fromarray(smooth[:, :, 0]).save(tmp_path / "g.jpg", quality=97)
    assert_close(read(tmp_path / "g.jpg"), smooth[:, :, 0], 6)


def test_exif_orientation_is_ignored(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # lies on its side
    for name in ("a.jpg", "a.png", "a.tif"):
        PIL.Image.fromarray(GREY).save(tmp_path / name, exif=exif)
        with open_image(tmp_path / name) as source:
            assert (source.width, source.height) == (53, 37)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.bmp", "a.jpg"])
def test_one_pixel_is_an_image(tmp_path: Path, name: str) -> None:
    PIL.Image.fromarray(np.array([[200]], np.uint8)).save(tmp_path / name)
    with open_image(tmp_path / name) as source:
        assert_close(source.rows(0, 1), np.array([[200]]), 2)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(imagecodecs.png_encode(GREY))
    np.testing.assert_array_equal(read(path), GREY)


# --- what is no image --------------------------------------------------------------------------------------------


def encoded(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


SMOOTH = cv2.GaussianBlur(GREY, (0, 0), 3)
FILES: dict[str, bytes] = {
    "png": bytes(imagecodecs.png_encode(GREY)),
    "png 16": bytes(imagecodecs.png_encode(DEEP_RGB)),
    "png interlaced palette": encoded(lambda b: PIL.Image.fromarray(RGB).quantize(16).save(b, "PNG")),
    "bmp": encoded(lambda b: PIL.Image.fromarray(GREY).save(b, "BMP")),
    "bmp colour": encoded(lambda b: PIL.Image.fromarray(RGB).save(b, "BMP")),
    "jpeg": encoded(lambda b: PIL.Image.fromarray(SMOOTH).save(b, "JPEG")),
    "jpeg progressive": encoded(lambda b: PIL.Image.fromarray(RGB).save(b, "JPEG", progressive=True)),
    "tiff": encoded(lambda b: tifffile.imwrite(b, GREY, rowsperstrip=5)),
    "tiff 16 big-endian": encoded(lambda b: tifffile.imwrite(b, DEEP, byteorder=">")),
    "tiff lzw": encoded(lambda b: tifffile.imwrite(b, GREY, compression="lzw", rowsperstrip=7)),
    "tiff deflate": encoded(lambda b: tifffile.imwrite(b, GREY, compression="zlib", predictor=2)),
    "tiff zstd tiles": encoded(lambda b: tifffile.imwrite(b, GREY, compression="zstd", tile=(16, 16))),
    "tiff packbits": encoded(lambda b: tifffile.imwrite(b, GREY, compression="packbits")),
    "tiff jpeg": encoded(lambda b: tifffile.imwrite(b, SMOOTH, compression="jpeg", rowsperstrip=16)),
}


def try_all(path: Path) -> NDArray[np.uint8] | None:
    """All rows, or None where the reader refused; anything but ImageError fails the test."""
    try:
        with open_image(path) as source:
            if source.height * source.width > 1 << 24:
                return source.rows(0, 1)
            return source.rows(0, source.height)
    except ImageError:
        return None


@pytest.mark.parametrize("kind", FILES)
def test_a_truncated_file_is_refused_or_whole(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = FILES[kind]
    path = tmp_path / "a"
    path.write_bytes(data)
    whole = try_all(path)
    assert whole is not None
    for length in range(0, len(data), max(1, len(data) // 150)):
        path.write_bytes(data[:length])
        found = try_all(path)
        assert found is None or np.array_equal(found, whole), f"{length} of {len(data)} bytes read as an image"
    path.write_bytes(data[: len(data) * 9 // 10])
    assert try_all(path) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6))
def test_damage_anywhere_is_an_image_or_an_image_error(
    tmp_path: Path, kind: str, damage: list[tuple[int, int]], capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(FILES[kind])
    for position, value in damage:
        data[position % len(data)] = value
    path = tmp_path / "a"
    path.write_bytes(data)
    try_all(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("magic", [b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"BM", b"\xff\xd8\xff\xe0", b""])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rest=st.binary(max_size=300))
def test_garbage_behind_a_right_beginning_is_refused(
    tmp_path: Path, magic: bytes, rest: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(magic + rest)
    try_all(path)
    assert capfd.readouterr() == ("", "")


def test_damaged_files_leave_stdout_and_stderr_clean_to_the_end_of_the_process(tmp_path: Path) -> None:
    # C libraries that print through a buffer show it only when the process ends
    random = np.random.default_rng(5)
    for kind, data in FILES.items():
        for number in range(40):
            broken = bytearray(data)
            for _ in range(3):
                broken[random.integers(8, len(data))] = random.integers(256)
            (tmp_path / f"{kind} {number}").write_bytes(broken)
    profile = encoded(lambda b: PIL.Image.fromarray(RGB).save(b, "PNG", icc_profile=bytes(200)))
    (tmp_path / "png with a false profile").write_bytes(profile)
    program = f"""
import pathlib
from models.images import ImageError, open_image
read = 0
for path in pathlib.Path({str(tmp_path)!r}).iterdir():
    try:
        with open_image(path) as source:
            source.rows(0, min(40, source.height))
            read += 1
    except ImageError:
        pass
assert read > 10
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_png_damage_is_never_read_as_pixels(tmp_path: Path) -> None:
    data = FILES["png"]
    path = tmp_path / "a"
    for position in range(8, len(data) - 12, 17):
        broken = bytearray(data)
        broken[position] ^= 0x10
        path.write_bytes(broken)
        found = try_all(path)
        assert found is None or np.array_equal(found, GREY)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_header_that_claims_the_impossible_is_refused(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "a"
    billion = 10**9
    head = struct.pack(">II5B", billion, billion, depth, 0, 0, 0, 0)
    head = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    path.write_bytes(FILES["png"][:8] + head + FILES["png"][33:])
    with pytest.raises(ImageError, match="1000000000 x 1000000000"):
        open_image(path)
    path.write_bytes(bare_tiff(billion, billion, depth, bytes(100)))
    with pytest.raises(ImageError, match="too few for its rows"):
        open_image(path)
    path.write_bytes(bare_tiff(billion, billion, depth, bytes(100), count=2**31))
    with pytest.raises(ImageError, match="truncated TIFF"):
        open_image(path)
    packed = bytearray(bare_tiff(billion, billion, depth, bytes(100)))
    packed[10 + 3 * 12 + 8] = 8  # deflate
    path.write_bytes(packed)
    with pytest.raises(ImageError, match=r"need [0-9,.]{11,} TB"):
        open_image(path)
    wide = bytearray(FILES["bmp"])
    wide[18:26] = struct.pack("<ii", billion, billion)
    path.write_bytes(wide)
    with pytest.raises(ImageError, match="1000000000 x 1000000000"):
        open_image(path)
    jpeg = bytearray(FILES["jpeg"])
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65000, 65000)
    path.write_bytes(jpeg)
    with pytest.raises(ImageError, match="65000 x 65000"):
        open_image(path)


def test_a_large_image_meets_no_limit_but_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # beyond the pixel counts at which decoders warn (90 million) and refuse (180 million)
    path = tmp_path / "a.bmp"
    PIL.Image.new("L", (20_000, 10_000), 9).save(path)
    with open_image(path) as source:
        assert source.rows(9_999, 10_000).tolist() == [[9] * 20_000]
    monkeypatch.setattr(image_source, "available_bytes", lambda: 100_000_000)
    with (
        open_image(path) as source,
        pytest.raises(ImageError, match=r"need 200\.0 MB, 100\.0 MB are available"),
    ):
        source.load()


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="directory"):
        open_image(tmp_path)
    with pytest.raises(ImageError, match="No such file"):
        open_image(tmp_path / "missing.png")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="pipe or device"):
        open_image(tmp_path / "pipe")
    with pytest.raises(ImageError, match="pipe or device"):
        open_image("/dev/null")
    (tmp_path / "empty").touch()
    with pytest.raises(ImageError, match="empty"):
        open_image(tmp_path / "empty")
    (tmp_path / "text").write_text("no image")
    with pytest.raises(ImageError, match=r"not a TIFF, PNG, BMP or JPEG image: the file begins with b'no image'"):
        open_image(tmp_path / "text")
    with pytest.raises(ImageError, match="null"):
        open_image("a\0b")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ImageError, match="symbolic links"):
        open_image(tmp_path / "loop")


def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(FILES["png"])
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(ImageError, match="Permission denied"):
            open_image(path)
    finally:
        os.seteuid(user)


def test_files_are_closed_whatever_happens(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for kind, data in FILES.items():
        for length in (len(data), len(data) // 2, 12):
            path = tmp_path / kind
            path.write_bytes(data[:length])
            try_all(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
