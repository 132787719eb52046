"""Bulk changes to a union catalogue: declared, proved, reviewed, resumable, undoable."""
