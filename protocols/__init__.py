"""The field's words, the one port, and one adapter per field protocol behind it."""
