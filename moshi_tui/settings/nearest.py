"""What a person may have meant by a word that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like it; None if none does."""
    import difflib  # not at the top: most starts have no mistake in them

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence: " (did you mean …?)", or nothing."""
    near = nearest(word, known)
    return f" (did you mean {near}?)" if near else ""
