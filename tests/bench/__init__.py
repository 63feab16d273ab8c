"""Benchmarks: each compares us with a named peer in the same run, where there is one."""
