"""The cases, one file for each family of instructions: what is tried, why, and which oracle says what comes out."""
