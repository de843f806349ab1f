f(x) = 1
x + 1 = y
None = 2
"a" = 3
(a, f()) = b
x == 1 = 2
for f() in x: pass
del x + y
f(x) += 1
(a, b) += 1
with a as 3: pass
[x for 1 in y]
(a.b := 1)
(a, b): int
x if y else z = 1
