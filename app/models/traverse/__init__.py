"""The state of the Traverse room: shelf, pad, walk, drafts, render and film (QtCore only)."""
