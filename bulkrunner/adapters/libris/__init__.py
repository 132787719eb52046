"""The only client of the catalogue and its login."""
