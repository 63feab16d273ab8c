"""Example zones; a file here is loaded by a test."""
