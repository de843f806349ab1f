"""Scalar kernels that are measured besides those of kernels/."""

from atlas_kernel import DeviceArray, atomic_add, exp, f32, get_global_id, u32


def saxpy(x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32):
    """y = s x + y."""
    i = get_global_id()
    if i < n:
        y[i] = s * x[i] + y[i]


def softmax_row(x: DeviceArray[f32], y: DeviceArray[f32], rows: u32, columns: u32):
    """Each row of y [rows, columns] is the softmax of that of x. One thread is one row."""
    row = get_global_id()
    if row < rows:
        first = row * columns
        most = x[first]
        for i in range(1, columns):
            most = max(most, x[first + i])
        total = 0.0
        for i in range(columns):
            e = exp(x[first + i] - most)
            y[first + i] = e
            total += e
        for i in range(columns):
            y[first + i] = y[first + i] / total


def histogram(values: DeviceArray[u32], counts: DeviceArray[u32], n: u32):
    """Adds to counts how often each number occurs in values."""
    i = get_global_id()
    if i < n:
        atomic_add(counts, values[i], 1)
