"""A talk on disk: both sides of the sound, what happened, and the transcript."""
