retrun x
fro i in items: pass
improt os
x = a adn b
if x then:
    y
function f(x): pass
esle: pass
x y
f(a b)
import a from b
y = 3 x
