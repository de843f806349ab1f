name = “tile”
x = a – b
y = a + b
z = 5 € 3
w = $HOME
