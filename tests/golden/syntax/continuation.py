total = a + \ # and
    b
last = a + \
