x = [1 2, 3]
nl.load(x[0] mask=m)
d = {"a": 1 "b": 2}
f(x, y z)
