print "x", y
exec code in scope
raise ValueError, "text"
if a <> b: pass
x = `y`
y = ur"text"
try:
    pass
except ValueError, e:
    pass
