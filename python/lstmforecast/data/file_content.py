"""The bytes of a table file: read, decompressed, of a kind that their beginning tells, in an encoding that is found."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

Kind = Literal["text", "parquet", "xlsx"]
# By their first bytes: how to decompress, for libraries that Python has.
_PACKED = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ\x00": lzma.decompress}
# First bytes of files that can't be read, and what they are.
_UNREADABLE = {
    b"\xd0\xcf\x11\xe0": "an Excel file of the old kind (.xls); save it as .xlsx or as CSV",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; decompress it, or compress it with gzip",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"\x89HDF": "an HDF5 file; export the table as CSV or Parquet",
    b"%PDF": "a PDF file",
}
# Marks at the beginning of a text; that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Letters and signs of Western Europe. Others in a text of bytes alone mean that it is written in another encoding.
_WESTERN = "äöüÄÖÜßéèêëÉÈÊàâáãåÀÁÅçÇñÑîïíìÍôóòõøÓØûúùÚæÆœ°µ€£§«»·ºª“”„²³\u2018\u2019\u2013\u2014\u00a0\u202f"
# Two such letters side by side are rare, but in German and French.
_PAIR = r"(?![äöüßÄÖÜé]{2})[^\W\d_a-zA-Z]{2}"
_DOUBTFUL = re.compile(rf"[^\x00-\x7f{_WESTERN}]|[²³](?=\w)|{_PAIR}")


class Content(NamedTuple):
    """A file in memory.

    Attributes
    ----------
    data : bytes
        Decompressed.
    kind : {"text", "parquet", "xlsx"}
        What the first bytes say.
    """

    data: bytes
    kind: Kind


def read_content(source: str | Path | IO[Any], name: str) -> Content:
    """Read a file or a stream, and decompress it; the kind is that of the content, whatever the name says.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is damaged, or of a kind that isn't read.
    """
    try:
        data = Path(source).read_bytes() if isinstance(source, str | Path) else source.read()
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not a CSV table: {error}") from error
    except OSError as error:
        raise OSError(f"can't read {name}: {error.strerror or error}") from error
    data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    for start, decompress in _PACKED.items():
        if data.startswith(start):
            try:
                data = decompress(data)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise ValueError(f"{name} is compressed and damaged: {error}") from error
    for start, what in _UNREADABLE.items():
        if data.startswith(start):
            raise ValueError(f"expected a table of CSV, Excel (.xlsx) or Parquet in {name}, got {what}")
    if data.startswith(b"PAR1"):
        return Content(data, "parquet")
    return _of_archive(data, name) if data.startswith(b"PK\x03\x04") else Content(data, "text")


def _of_archive(data: bytes, name: str) -> Content:
    """A workbook of Excel, which is a zip archive, or the only file of an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [each for each in archive.namelist() if not each.endswith("/")]
            if "xl/workbook.xml" in files:
                return Content(data, "xlsx")
            if len(files) == 1:
                return Content(archive.read(files[0]), "text")
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, zlib.error) as error:
        raise ValueError(f"{name} is compressed and damaged: {error}") from error
    raise ValueError(f"expected one file in the zip archive {name}, got {len(files)}; unpack it")


def encoding_of(data: bytes, given: str | None, name: str) -> str:
    """The encoding of a text: the given one, that of its mark, UTF-8, or Windows-1252 for Western European letters.

    Raises
    ------
    ValueError
        If the bytes are no text, or their encoding can't be told.
    """
    if given is not None:
        return _checked(data, given, name)
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _checked(data, encoding, name)
    if b"\x00" in data[:4096]:
        raise ValueError(f"{name} is not a CSV table: its bytes are no text; if it is UTF-16, say --encoding utf-16-le")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _western(data, name)
    return "utf-8"


def _checked(data: bytes, encoding: str, name: str) -> str:
    try:
        if codecs.lookup(encoding).name in ("utf-16", "utf-32") and not data.startswith(
            tuple(mark for mark, _ in _MARKS)
        ):
            raise ValueError("no mark tells the order of its bytes")
        data.decode(encoding)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"expected an encoding such as utf-8, cp1252 or utf-16, got --encoding {encoding}") from error
    except ValueError as error:
        raise ValueError(
            f"{name} is not a CSV table in the encoding {encoding}: {error}; name another one with --encoding"
        ) from error
    return encoding


def _western(data: bytes, name: str) -> str:
    try:
        doubt = _DOUBTFUL.search(data.decode("cp1252"))
    except UnicodeDecodeError as error:
        doubt = re.match(r".*", str(error))
    if doubt is not None:
        raise ValueError(
            f"{name} is not a CSV table in UTF-8, and its letters are none of Western Europe; name its encoding, as in "
            "--encoding cp1250"
        )
    return "cp1252"
