def kernel(x):
return x

x = 1
  y = 2
z = 3
for i in x:

while x:
    # nothing
