"""What the hub, the network and the disk refuse, said for the person at the terminal."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

from moshi_tui.errors import MoshiTuiError

BUSY = (408, 429, 500, 502, 503, 504)
"""HTTP statuses that may pass."""

SPACE_HINT = (
    "Free some space, set HF_HUB_CACHE to a folder on a larger disk, or take smaller weights "
    "with --quant 4. What has arrived is kept."
)
_RESUME_HINT = "Try again later: what has arrived is kept."


class NoNetworkError(MoshiTuiError):
    """The hub can't be reached, or may not be (HF_HUB_OFFLINE)."""


def http_error() -> type[Exception]:
    """The base of all errors of httpx, whichever httpx the installed huggingface_hub uses."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]


def may_pass(error: Exception) -> bool:
    """Whether trying again can help: a broken connection, or a server that is busy."""
    from huggingface_hub.errors import HfHubHTTPError

    return not isinstance(error, HfHubHTTPError) or error.response.status_code in BUSY


def quiet_library() -> None:
    """Keep huggingface_hub off stderr, which is the screen: its log goes where ours goes."""
    from huggingface_hub import utils

    logger = logging.getLogger(utils.__name__.partition(".")[0])
    for handler in list(logger.handlers):
        if type(handler) is logging.StreamHandler:
            logger.removeHandler(handler)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # or else Python itself writes to stderr
    logger.propagate = True


class Explained:
    """`with`: errors of the hub, the network and the disk leave as `MoshiTuiError`.

    Args:
        endpoint: the hub's address.
        cache: its cache.
        repo: the repo that is asked for.
        revision: at which branch, tag or commit.
        name: and which file, if one.
    """

    def __init__(
        self, endpoint: str, cache: Path, repo: str, revision: str, name: str = ""
    ) -> None:
        self._endpoint, self._cache = endpoint, cache
        self._repo, self._revision, self._name = repo, revision, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, (http_error(), OSError, ValueError)):
            raise self._explain(error) from error

    def _explain(self, error: BaseException) -> MoshiTuiError:
        from huggingface_hub import errors

        if isinstance(error, errors.HfHubHTTPError):
            return self._refused(error)
        if isinstance(error, errors.HFValidationError):
            return MoshiTuiError(
                "Not a repo", f"{self._repo!r} is no repo's name.", "Write it as OWNER/NAME."
            )
        if isinstance(error, errors.OfflineModeIsEnabled):
            return NoNetworkError(
                "Offline",
                f"HF_HUB_OFFLINE is set, so {self._repo} can't be downloaded.",
                "Unset it to download.",
            )
        if isinstance(error, http_error()):
            why = str(error) or type(error).__name__
            return NoNetworkError(
                "No network",
                f"{self._endpoint} can't be reached for {self._repo}: {why}.",
                "Connect and start again: what has arrived is kept.",
            )
        if isinstance(error, OSError):
            return self._disk(error)
        return MoshiTuiError(
            "Not a hub",
            f"{self._endpoint} does not answer as a hub does for {self._repo}: {error}.",
            "Check HF_ENDPOINT, and whether a proxy or a login page is in between.",
        )

    def _refused(self, error: BaseException) -> MoshiTuiError:
        """The hub answered, with an error that says which."""
        from huggingface_hub import errors

        repo, page = self._repo, f"{self._endpoint}/{self._repo}"
        if isinstance(error, errors.GatedRepoError):
            return MoshiTuiError(
                "Repo is gated",
                f"The owners of {repo} give access on request; it was refused here.",
                f"Ask for it at {page}, then run: hf auth login",
            )
        if isinstance(error, errors.RepositoryNotFoundError):
            return MoshiTuiError(
                "Repo not found",
                f"There is no {repo} at {self._endpoint}, or it is private.",
                "Check the name. For a private repo run: hf auth login",
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return MoshiTuiError(
                "Revision not found",
                f"{repo} has no branch, tag or commit {self._revision}.",
                f"See {page}/commits/main, or leave --revision out for the newest files.",
            )
        if isinstance(error, errors.EntryNotFoundError):
            return MoshiTuiError("File not found", f"{repo} has no {self._name}.", f"See {page}")
        assert isinstance(error, errors.HfHubHTTPError)
        return self._status(error.response.status_code)

    def _status(self, status: int) -> MoshiTuiError:
        said = f"{self._endpoint} answered {status} for {self._repo}"
        if status in (401, 403):
            return MoshiTuiError(
                "No access",
                f"{said}: it does not accept this machine's token.",
                "Run hf auth login for a new one, or hf auth logout: Kyutai's repos need none.",
            )
        if status in BUSY:
            why = "too many requests" if status == 429 else "it is in trouble"
            return MoshiTuiError("The hub is busy", f"{said}: {why}.", _RESUME_HINT)
        return MoshiTuiError("Download failed", f"{said}.", _RESUME_HINT)

    def _disk(self, error: OSError) -> MoshiTuiError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return MoshiTuiError(
                "Disk is full", f"No space left for {self._name} in {self._cache}.", SPACE_HINT
            )
        return MoshiTuiError(
            "Cache can't be used",
            f"{error.filename or self._cache}: {error.strerror or error}.",
            "Set HF_HUB_CACHE to a folder that can be written.",
        )
