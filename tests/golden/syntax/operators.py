a && b
a || b
if !a: pass
i++
x = c ? a : b
a => b
a === b
