"""A recording, used again: played on the screen, drawn as a picture, run through the model."""
