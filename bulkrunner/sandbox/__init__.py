"""The embedded Libris: a test and a production environment that follow the real server's rules."""
