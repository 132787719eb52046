"""What a manifest may write for a value or a condition."""
