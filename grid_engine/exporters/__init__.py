"""Writers of networks in the project's own and in other programs' formats."""
