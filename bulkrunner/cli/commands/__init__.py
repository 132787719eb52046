"""The commands, by what they are about; each module is imported only when asked for."""
