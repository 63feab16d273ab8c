"""The journal: everything decided, sent or answered, appended to one hash-chained file before it leaves."""
