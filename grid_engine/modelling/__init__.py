"""Networks as models: empty tables, every fault, and how a document is laid out."""
