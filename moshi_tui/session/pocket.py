"""What the demo's model is called, and what to say of it to who meets it for the first time."""

POCKET_MOSHI = "Pocket Moshi"

SMALL = f"{POCKET_MOSHI}, a tiny model"
"""Where there is little room."""

REAL_ONE = "moshi-tui --quant 4"
"""What to type for the model that it stands for..."""
MACHINES = "a Mac with Apple silicon, or Linux with an NVIDIA GPU"
"""...and where."""

POCKET_WORDS = (
    f"{SMALL} that comes with the program: it takes turns, but understands little. "
    f"The real one: {REAL_ONE} ({MACHINES})"
)
