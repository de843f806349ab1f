a = "tile
b = f('it's')
c = g("x, 1)
d = zz"text"
