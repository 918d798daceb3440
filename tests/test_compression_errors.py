"""`DecompressionStream`: what is wrong with compressed data, several frames; and packages that are missing."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
import zlib

import brotli  # type: ignore[import-untyped]

from tests.grids import each_of, each_row
from webstreams import DataError
from webstreams.compression import CompressionFormat, DecompressionStream

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from .compressing import ALL_FORMATS, COMPRESS, PIECE, cut, failure, mixed_data, pieces, through

# What is wrong with compressed data.


@ALL_FORMATS
async def test_corrupt_data_is_an_error(format: CompressionFormat) -> None:
    came, error = await failure([b"\xff" * 100], DecompressionStream(format))
    assert came == b""
    assert type(error) is DataError
    assert "corrupt" in str(error)
    assert isinstance(error.__cause__, (zlib.error, brotli.error, zstd.ZstdError))


@each_of(format=["gzip", "deflate"])
async def test_a_wrong_checksum_is_an_error(format: CompressionFormat) -> None:
    compressed = bytearray(COMPRESS[format](mixed_data(300_000)))
    compressed[-6 if format == "gzip" else -1] ^= 1
    came, error = await failure([bytes(compressed)], DecompressionStream(format))
    assert mixed_data(300_000).startswith(came)
    assert isinstance(error.__cause__, zlib.error)


@ALL_FORMATS
@each_of(size=[1000, 300_000])
@each_of(missing=[1, 10])
async def test_truncated_data_is_an_error(format: CompressionFormat, size: int, missing: int) -> None:
    data = random.Random(1).randbytes(size)
    came, error = await failure([COMPRESS[format](data)[:-missing]], DecompressionStream(format))
    assert data.startswith(came)
    assert (type(error), "truncated" in str(error)) == (DataError, True)


@ALL_FORMATS
async def test_no_data_at_all_is_truncated(format: CompressionFormat) -> None:
    _, error = await failure([], DecompressionStream(format))
    assert "truncated" in str(error)


@ALL_FORMATS
@each_of(junk=[b"\0", b"\0" * 100, b"junk"])
async def test_the_output_comes_before_the_error_of_trailing_data(format: CompressionFormat, junk: bytes) -> None:
    data = b"expected output" * 50
    came, error = await failure([COMPRESS[format](data) + junk], DecompressionStream(format))
    assert came == data
    assert (type(error), "trailing data after the end" in str(error)) == (DataError, True)


@ALL_FORMATS
async def test_trailing_data_in_a_chunk_of_its_own_is_an_error(format: CompressionFormat) -> None:
    came, error = await failure([COMPRESS[format](b"data"), b"", b"\0"], DecompressionStream(format))
    assert came == b"data"
    assert "trailing data after the end" in str(error)


@each_of(format=["gzip", "deflate", "deflate-raw", "zstd"])
async def test_trailing_data_behind_much(format: CompressionFormat) -> None:
    data = mixed_data(500_000)
    came, error = await failure([COMPRESS[format](data) + b"\0"], DecompressionStream(format))
    assert came == data
    assert "trailing data after the end" in str(error)


async def test_trailing_data_behind_much_brotli() -> None:
    """Brotli does not say what is wrong, and does not give the end of what was right."""
    data = mixed_data(500_000)
    came, error = await failure([COMPRESS["brotli"](data) + b"\0"], DecompressionStream("brotli"))
    assert data.startswith(came)
    assert type(error) is DataError


async def test_a_second_gzip_member_is_trailing_data() -> None:
    came, error = await failure([gzip.compress(b"one") + gzip.compress(b"two")], DecompressionStream("gzip"))
    assert came == b"one"
    assert "trailing data after the end" in str(error)


async def test_deflate_with_a_preset_dictionary_is_an_error() -> None:
    codec = zlib.compressobj(zdict=b"thequickbrownfox")
    _, error = await failure([codec.compress(b"thequickbrownfox") + codec.flush()], DecompressionStream("deflate"))
    assert isinstance(error.__cause__, zlib.error)


# Several frames of zstd: RFC 8878, 3.1.


SKIPPABLE = b"\x53\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"


@each_of(size=[1, 3, 1000])
async def test_zstd_takes_several_frames(size: int) -> None:
    data = zstd.compress(b"one") + SKIPPABLE + zstd.compress(b"two") + zstd.compress(bytes(100_000))
    assert await through(cut(data, size), DecompressionStream("zstd")) == b"onetwo" + bytes(100_000)


async def test_zstd_frames_as_long_as_a_piece() -> None:
    data = zstd.compress(bytes(PIECE)) * 3
    assert [len(piece) for piece in await pieces([data], DecompressionStream("zstd"))] == [PIECE] * 3


async def test_a_truncated_second_frame_is_an_error() -> None:
    came, error = await failure([zstd.compress(b"one") + zstd.compress(b"two")[:-1]], DecompressionStream("zstd"))
    assert came.startswith(b"one")
    assert "truncated" in str(error)


async def test_the_beginning_of_a_frame_is_no_frame() -> None:
    came, error = await failure([zstd.compress(b"one") + b"\x28\xb5"], DecompressionStream("zstd"))
    assert came == b"one"
    assert "truncated" in str(error)


# Packages that are missing.


WITHOUT = """
import asyncio, sys
sys.modules[sys.argv[1]] = None
from webstreams.compression import CompressionStream, DecompressionStream
async def main():
    CompressionStream("gzip")
    for constructor in (CompressionStream, DecompressionStream):
        try:
            constructor(sys.argv[2])
        except TypeError as error:
            print(type(error.__cause__).__name__, error)
asyncio.run(main())
"""
OLD = """
import asyncio, sys, types
old = sys.modules["brotli"] = types.ModuleType("brotli")
old.__version__ = "1.1.0"
old.Decompressor = object
from webstreams.compression import DecompressionStream
async def main():
    try:
        DecompressionStream("brotli")
    except TypeError as error:
        print(error.__cause__, error)
asyncio.run(main())
"""


def run_python(source: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@each_row(
    ("module", "format", "package"),
    [
        ("brotli", "brotli", "Brotli 1.2 or newer"),
        ("compression" if sys.version_info >= (3, 14) else "backports.zstd", "zstd", "backports.zstd"),
    ],
)
def test_a_missing_package_is_named(module: str, format: str, package: str) -> None:
    message = (
        f'ModuleNotFoundError the compression format "{format}" needs the package {package}: '
        f'pip install "webstreams[{format}]"'
    )
    lines = run_python(WITHOUT, module, format)
    assert [line.replace("ImportError", "ModuleNotFoundError") for line in lines] == [message] * 2


def test_an_old_brotli_is_as_good_as_none() -> None:
    (line,) = run_python(OLD)
    assert "brotli 1.1.0 is too old" in line
    assert "needs the package Brotli 1.2 or newer" in line
