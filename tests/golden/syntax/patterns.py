match x:
    case 1 + 2: a
    case y as _: a
    case *z: a
    case {**r, "a": b}: a
    case A(x=1, y): a
    case f() + 1: a
    case {x: 1}: a
    y = 3
    case _: b
