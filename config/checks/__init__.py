"""What types cannot say: checks across the parts of a zone file. Each yields findings and changes nothing."""
