mode = 0644
month = 07 + 1
