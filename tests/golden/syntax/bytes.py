a = b"head" "tail"
b = b"é"
