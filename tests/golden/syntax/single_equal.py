if n = 4:
    a
while x = 1: pass
f(x.y=1)
f(True=1)
f(a + b=1)
return x = 1
z = (a = 1)
