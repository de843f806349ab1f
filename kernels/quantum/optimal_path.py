import math

from atlas_kernel import DeviceArray, f32, u32


def optimal_path(
        adjacency: DeviceArray[f32], path_weights: DeviceArray[f32], visited: DeviceArray[u32], start: u32,
        target: u32, n: u32, max_depth: u32, total_paths: DeviceArray[u32]):
    """Walks from start along the edges of adjacency [n, n]: its element [i, j] is the weight of the edge from i to
    j, 0 or less where there is none. path_weights [max_depth + 1, n] becomes the least weight of a walk of d edges
    that ends at v, infinity where there is none; visited [max_depth + 1, n] how many there are; and how many of
    them end at target is added to total_paths[0]. Counts wrap at 2^32. One thread does all.
    """
    if start < n and target < n:
        for v in range(n):
            path_weights[v] = 0.0 if v == start else math.inf
            visited[v] = u32(v == start)
        for d in range(max_depth):
            here = d * n
            there = here + n
            for v in range(n):
                least: f32 = math.inf
                count: u32 = 0
                for u in range(n):
                    weight = adjacency[u * n + v]
                    if weight > 0:
                        least = min(least, path_weights[here + u] + weight)
                        count += visited[here + u]
                path_weights[there + v] = least
                visited[there + v] = count
        for d in range(max_depth + 1):
            total_paths[0] += visited[d * n + target]
