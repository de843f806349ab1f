"""Cannot be evaluated."""

rows = 128 // 0
