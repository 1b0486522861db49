"""Listening to one microphone after the other, away from the app's thread."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moshi_tui import paths
from moshi_tui.errors import MoshiTuiError
from moshi_tui.ui.engine_port import DeskLike, Probe

if TYPE_CHECKING:
    from moshi_tui.audio.devices import Device

log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.15
"""Who moves through the list opens nothing on the way."""


@dataclass(frozen=True)
class Heard:
    """What came of opening a microphone: a probe, or an error."""

    device: Device
    probe: Probe | None
    error: MoshiTuiError | None = None


class Prober:
    """Holds at most one probe: of the device that was wanted last.

    The device before is let go of at once, the new one opened after `debounce` seconds without
    another wish. A daemon thread does it, since opening a device may take seconds: nothing waits
    for it, not even the end of the program. All methods return at once.
    """

    def __init__(self, desk: DeskLike, debounce: float = DEBOUNCE_SECONDS) -> None:
        self.heard: Heard | None = None
        """The one that is open now, swapped in one assignment; None while there is none."""
        self._desk = desk
        self._debounce = debounce
        self._wake = threading.Condition()
        self._wanted: Device | None = None
        self._errands: deque[tuple[Callable[[], None], bool]] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="level-probe", daemon=True)

    def start(self) -> None:
        """Begin to wait for wishes."""
        self._thread.start()

    def want(self, device: Device | None) -> bool:
        """Listen to this one; None: to none. True if that is news."""
        with self._wake:
            news = device != self._wanted
            self._wanted = device
            self._wake.notify()
        return news

    def let_go_and(self, errand: Callable[[], None], *, promised: bool = False) -> None:
        """Close what is open, then call `errand` on the thread; then go on with what is wanted. A
        `promised` one is done even if `close` comes first."""
        with self._wake:
            self._errands.append((errand, promised))
            self._wake.notify()

    def close(self) -> None:
        """Let go of everything as soon as possible, and end."""
        with self._wake:
            self._closed, self._wanted = True, None
            self._errands = deque(each for each in self._errands if each[1])
            self._wake.notify()

    def _run(self) -> None:
        try:
            while True:
                current = None if self.heard is None else self.heard.device
                with self._wake:
                    self._wake.wait_for(partial(self._news, current))
                    if self._closed and not self._errands:
                        return
                    wanted = self._wanted
                    errand = self._errands.popleft()[0] if self._errands else None
                self._let_go()
                if errand is not None:
                    errand()
                elif wanted is not None and self._settled(wanted):
                    self.heard = self._open(wanted)
        finally:
            self._let_go()

    def _news(self, current: Device | None) -> bool:
        return self._closed or bool(self._errands) or self._wanted != current

    def _settled(self, wanted: Device) -> bool:
        with self._wake:
            return not self._wake.wait_for(partial(self._news, wanted), self._debounce)

    def _open(self, device: Device) -> Heard:
        try:
            return Heard(device, self._desk.probe(device))
        except Exception as error:  # noqa: BLE001 - shown
            return Heard(device, None, said(error, f"opening {device.name}"))

    def _let_go(self) -> None:
        heard, self.heard = self.heard, None
        if heard is not None and heard.probe is not None:
            heard.probe.close()


def said(error: Exception, doing: str) -> MoshiTuiError:
    """The error for a person to read; what nobody has foreseen is in the log as well."""
    if isinstance(error, MoshiTuiError):
        return error
    log.error("%s", doing, exc_info=error)
    return MoshiTuiError(
        f"Internal error while {doing}",
        f"{type(error).__name__}: {error}.",
        f"The log says more: {paths.log_file()}.",
    )
