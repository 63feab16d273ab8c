"""Which assertions of the Sparkplug 3.0 specification the tests show."""
