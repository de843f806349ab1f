def f():
    """Loads a tile.
    return 1
