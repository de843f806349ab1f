else if x: pass
if a: pass
else if b: pass
else:
    c
except: pass
finally: pass
try:
    a
b = 1
try: a
except* : b
try: a
except A: b
except* B: c
