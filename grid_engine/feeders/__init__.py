"""Networks that come with the project: public test feeders, and a demonstration zone of its own."""
