from atlas_kernel import DeviceArray, u32, get_global_id


def onnx_shape_to_tensor(Shape: DeviceArray[u32], Y: DeviceArray[u32], rank: u32):
    """Shape: the dimensions as an array."""
    i = get_global_id()
    if i < rank:
        Y[i] = Shape[i]
