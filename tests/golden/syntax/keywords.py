lambda = 0.5
class = 3
def in(x): pass
x.is = 2
import from
x = class
for while in x: pass
global None
