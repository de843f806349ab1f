if x == 1
    a
for i in range(4) print(i)
def f(x)
    return x
class A
    pass
else_ = 1
while x: y
try
    a
finally
    b
