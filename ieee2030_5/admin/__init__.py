"""The operator side of the utility server: a local HTTP API to arrange, to command and to look."""
