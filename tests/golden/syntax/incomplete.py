x =
y = (1 +)
z = [1, , 2]
from a import b,
from a import
import
foo(,)
x = a.
y = 3 if x
d = {1: }
e = {1, 2: 3}
x = a[1:2:3:4]
async x
@f
y = 1
x = not
[*a for a in b]
{**a for a in b}
del
