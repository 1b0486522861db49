"""The colours: dark, light, and one of high contrast. No other module names a colour."""

from __future__ import annotations

from textual.theme import Theme

DEFAULTS = {"frame": "#3a4048", "quiet": "#8b929c"}
"""Our own variables: lines around the panels; labels, times and what else is not read first."""

DARK = Theme(
    name="dark",
    dark=True,
    primary="#4cc9a6",
    secondary="#7aa7e0",
    accent="#4cc9a6",
    foreground="#e4e7ea",
    background="#121519",
    surface="#181c21",
    panel="#22272e",
    success="#63c174",
    warning="#e3b04f",
    error="#ee6d73",
    variables={**DEFAULTS, "footer-key-foreground": "#4cc9a6"},
)

LIGHT = Theme(
    name="light",
    dark=False,
    primary="#00735c",
    secondary="#2b5ea8",
    accent="#00735c",
    foreground="#1f2328",
    background="#fcfbf8",
    surface="#f4f2ec",
    panel="#e8e5dc",
    success="#2a7d3a",
    warning="#8a5a00",
    error="#b3261e",
    variables={"frame": "#c3beb2", "quiet": "#636970"},
)

CONTRAST = Theme(
    name="contrast",
    dark=True,
    primary="#ffff00",
    secondary="#00ffff",
    accent="#ffff00",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    success="#00ff00",
    warning="#ffff00",
    error="#ff8080",
    text_alpha=1.0,
    variables={
        "frame": "#ffffff",
        "quiet": "#ffffff",
        "text-muted": "#ffffff",
        "text-disabled": "#ffffff",
        "foreground-muted": "#ffffff",
        "foreground-disabled": "#ffffff",
        "text-primary": "#ffff00",
        "text-success": "#00ff00",
        "text-warning": "#ffff00",
        "text-error": "#ff8080",
        "scrollbar": "#ffffff",
        "scrollbar-hover": "#ffff00",
        "scrollbar-active": "#ffff00",
        "scrollbar-background": "#000000",
        "block-cursor-foreground": "#000000",
        "block-cursor-background": "#ffff00",
        "input-cursor-foreground": "#000000",
        "input-cursor-background": "#ffff00",
        "input-selection-background": "#0000ff",
    },
)

ALL = (DARK, LIGHT, CONTRAST)
