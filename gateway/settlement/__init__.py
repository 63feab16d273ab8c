"""What was delivered, what it is worth and who owes whom: pure functions from meter data to versioned statements."""
