"""What encoding an export has, and its text as UTF-8 whatever it was.

UTF-8 with or without BOM, UTF-16 and UTF-32 by BOM or by their NULs, Windows-1252 byte by byte
where bytes are no UTF-8 (so that a file glued together from both is read rightly), and other
encodings only when the text is clearly not Latin. Every guess is said in a note.
"""

import codecs
import io
from dataclasses import dataclass
from typing import Protocol

from kbagent.errors import UnreadableFile

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN_SHARE = 0.2  # of bytes ≥ 0x80; German and French have 0.02 to 0.05, Russian over 0.4
_ENOUGH_BYTES = 100  # of them, without which a guess is no better than chance
_BINARY_SHARE = 0.1  # of control characters that no text has
_CONTROLS = bytes(b for b in range(32) if b not in b"\t\n\r\f\x1b\x00")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Encoding:
    """A codec, and what the user should be told about it (None when it is plain UTF-8)."""

    codec: str
    note: str | None


def detect(head: bytes, name: str, *, whole: bool) -> Encoding:
    """The encoding that the first bytes of a file show; `whole` when there are no more.

    Raises: UnreadableFile for an empty file and for one that is not text.
    """
    if not head.strip():
        raise UnreadableFile(path=name, reason="it is empty", hint="Export it again.")
    for bom, codec in _BOMS:
        if head.startswith(bom):
            said = codec.removesuffix("-sig").upper()
            return Encoding(codec, f"begins with a byte order mark, read as {said}")
    wide = _utf16_without_bom(head)
    if wide is not None:
        return Encoding(wide, f"read as {wide.upper()} (no byte order mark)")
    if len(head.translate(None, _CONTROLS)) < (1 - _BINARY_SHARE) * len(head) or (
        head.count(0) > _BINARY_SHARE * len(head)
    ):
        hint = "Export it as CSV, JSON, JSON lines or XLSX."
        raise UnreadableFile(path=name, reason="it is not text and not a workbook", hint=hint)
    return _eight_bit(head, whole=whole)


def _utf16_without_bom(head: bytes) -> str | None:
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(1, len(head) // 2)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def _eight_bit(head: bytes, *, whole: bool) -> Encoding:
    try:
        codecs.utf_8_decode(head, "strict", whole)
        return Encoding("utf-8", None)
    except UnicodeDecodeError:
        pass
    high = len(head) - len(head.translate(None, bytes(range(128, 256))))
    if high >= _ENOUGH_BYTES and high > _WESTERN_SHARE * len(head):
        from charset_normalizer import from_bytes

        best = from_bytes(head[: 1 << 16]).best()
        if best is not None and best.encoding not in {"utf_8", "ascii", "cp1252", "latin_1"}:
            return Encoding(best.encoding, f"is not UTF-8, read as {best.encoding} (a guess)")
    return Encoding("utf-8", None)  # the transcoder reads single bytes as Windows-1252, and says so


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return wrong.decode("cp1252", "replace"), error.end


codecs.register_error("kbagent-cp1252", _as_cp1252)


class Transcoder(io.RawIOBase):
    """A stream of bytes in any codec as UTF-8 bytes, NUL characters removed."""

    def __init__(self, raw: _Readable, codec: str) -> None:
        self._raw, self._utf8 = raw, codec in {"utf-8", "utf-8-sig"}
        try:
            found = codecs.getincrementaldecoder("utf-8-sig" if self._utf8 else codec)
        except LookupError as error:
            reason = f"there is no encoding '{codec}'"
            raise UnreadableFile(path="The file", reason=reason, hint="") from error
        self._decoder = found("strict" if self._utf8 else "replace")
        self._tolerant = found("kbagent-cp1252")
        self._ready = b""
        self._done = False
        self._foreign = self._replaced = self._nul = False

    def notes(self) -> tuple[str, ...]:
        """What was found so far that plain UTF-8 does not have."""
        said = []
        if self._foreign:
            said.append("is not all UTF-8, other bytes were read as Windows-1252 (cp1252)")
        if self._replaced:
            said.append("some characters cannot be decoded and became \N{REPLACEMENT CHARACTER}")
        if self._nul:
            said.append("NUL characters were removed")
        return tuple(said)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, target: object) -> int:
        """Fill `target` with UTF-8; 0 at the end."""
        view = memoryview(target)  # type: ignore[arg-type]
        while not self._ready and not self._done:
            data = self._raw.read(1 << 16) or b""
            self._done = not data
            self._ready = self._decoded(data)
        part, self._ready = self._ready[: len(view)], self._ready[len(view) :]
        view[: len(part)] = part
        return len(part)

    def _decoded(self, data: bytes) -> bytes:
        before = self._decoder.getstate()
        try:
            text = self._decoder.decode(data, self._done)
        except UnicodeDecodeError:
            self._foreign = True
            self._decoder = self._tolerant
            self._decoder.setstate(before)
            text = self._decoder.decode(data, self._done)
        if not self._utf8 and "\N{REPLACEMENT CHARACTER}" in text:
            self._replaced = True
        if "\0" in text:
            self._nul = True
            text = text.replace("\0", "")
        return text.encode("utf-8", "replace")
