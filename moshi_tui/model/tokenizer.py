"""Text tokens to text, one token at a time.

Moshi's text vocabulary is a sentencepiece model with byte fallback: a piece is a stretch of text
in which "▁" stands for a space, or one byte (`<0xE2>`) of a character that has no piece of its own.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection
from pathlib import Path

from moshi_tui.errors import MoshiTuiError

SILENT = (0, 3)
"""Ids that say nothing in Kyutai's vocabulary: end of padding (EPAD) and padding (PAD). The second
is `existing_text_padding_id` in a checkpoint's config."""

_SPACE = "▁"
_UNKNOWN = "⁇"
_MAX_BYTES = 1 << 27
"""Kyutai's vocabularies take about half a megabyte; whatever is above this is another file."""


class TextTokenizer:
    """The pieces of a sentencepiece model, by id.

    Args:
        path: a `.model` file, e.g. `tokenizer_spm_32k_3.model`.

    Raises:
        MoshiTuiError: the file can't be read or is not a whole sentencepiece model.
    """

    def __init__(self, path: Path) -> None:
        import sentencepiece

        self.path = path
        self._pieces = sentencepiece.SentencePieceProcessor()
        try:
            # From memory: loading by name lets the library report trouble on fd 2 by itself.
            self._pieces.LoadFromSerializedProto(_read(path))
        except RuntimeError as error:
            raise _not_a_vocabulary(path, "it is truncated or of another kind") from error
        self.vocab_size: int = self._pieces.vocab_size()
        """Number of pieces: ids are below it."""

    def piece(self, token: int) -> str:
        """The piece as the vocabulary writes it, e.g. "▁hello" or "<0xE2>".

        Raises:
            IndexError: no such id.
        """
        if not 0 <= token < self.vocab_size:
            raise IndexError(f"text token {token} is outside 0..{self.vocab_size - 1}")
        return str(self._pieces.id_to_piece(token))

    def encode(self, text: str) -> list[int]:
        """The ids that spell `text`."""
        return [int(token) for token in self._pieces.encode(text)]

    def byte(self, token: int) -> int | None:
        """The value of a byte piece, 0 to 255, or None for any other piece."""
        piece = self.piece(token)
        return int(piece[1:-1], 16) if self._pieces.is_byte(token) else None

    def text(self, token: int) -> str:
        """What a piece that is not a byte reads as: nothing for a control piece such as `<s>`."""
        piece = self.piece(token)
        if self._pieces.is_control(token):
            return ""
        if self._pieces.is_unknown(token):
            return _UNKNOWN
        return piece.replace(_SPACE, " ")


class TextStream:
    """Turns the tokens of one talk into text as they come.

    Bytes are held back until they make a character, across silent tokens. Bytes that never do come
    out as U+FFFD, so nothing that the model said is lost. Control characters are passed on: whoever
    shows the text removes them.

    Args:
        tokenizer: the vocabulary; several streams can share one.
        silent: ids that say nothing.
    """

    def __init__(self, tokenizer: TextTokenizer, silent: Collection[int] = SILENT) -> None:
        self._tokenizer = tokenizer
        self._silent = frozenset(silent)
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The text that this token completes, often "".

        Raises:
            IndexError: no such id.
        """
        byte = self._tokenizer.byte(token)  # refuses foreign ids, silent ones too
        if token in self._silent:
            return ""
        if byte is not None:
            return self._utf8.decode(bytes([byte]))
        text = self._tokenizer.text(token)
        return self.flush() + text if text else ""

    def flush(self) -> str:
        """What is held back, U+FFFD for each unfinished character; call it when the talk ends."""
        return self._utf8.decode(b"", final=True)

    def reset(self) -> None:
        """Forget what is held back: a new talk begins."""
        self._utf8.reset()


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _not_a_vocabulary(path, "it is far too large")
        return path.read_bytes()
    except OSError as error:
        raise MoshiTuiError(
            "Tokenizer can't be read", f"{path}: {error.strerror or error}", _HINT
        ) from error


_HINT = "Give Kyutai's tokenizer_spm_32k_3.model with --tokenizer, or let it be downloaded again."


def _not_a_vocabulary(path: Path, why: str) -> MoshiTuiError:
    return MoshiTuiError("Not a tokenizer", f"{path} is not a sentencepiece model: {why}.", _HINT)
