"""libris."""
