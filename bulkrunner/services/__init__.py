"""Use cases; import the domain only."""
