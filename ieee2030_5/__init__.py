"""The IEEE 2030.5 utility server, an adapter behind the same port as every field protocol."""
