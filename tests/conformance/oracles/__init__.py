"""What the instructions give, computed without the program: Python's integers and decimals, and IEEE float32 of NumPy."""
