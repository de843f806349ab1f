def f(x, y, x): return x
g = lambda a, *a: a
h(x, mask=a, mask=b)
return 1
yield 2
if a:
    break
for i in x:
    def k():
        continue
else:
    break
class A:
    return 3
nonlocal z
*a = b
*c, [*d, *e] = f
async def m():
    await n
    lambda: (await n)
def o(): return (yield 1)
try:
    p
except:
    q
except R:
    s
while x:
    with y: break
