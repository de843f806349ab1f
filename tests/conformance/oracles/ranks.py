"""Collectives over ranks, as plain list operations on the Data of each rank."""

import numpy as np
from oracles.formats import Data, narrow

FOLDS = {"add": np.add, "maximum": np.maximum, "minimum": np.minimum}


def fold(op, datas):
    """The ranks' tensors combined in the order of the list: floats in float32, rounded once; integers exactly."""
    dtype = datas[0].dtype
    if "int" in dtype:
        total = datas[0].ints.astype(object)
        for data in datas[1:]:
            total = FOLDS[op](total, data.ints.astype(object))
        bits = datas[0].words.dtype.itemsize * 8
        return Data(dtype, np.vectorize(lambda n: int(n) & ((1 << bits) - 1), otypes=[np.uint64])(total))
    total = datas[0].f32
    for data in datas[1:]:
        total = FOLDS[op](total, data.f32)
    return Data(dtype, narrow(total, dtype))


def of_groups(groups, count, function):
    """[what `function(group, place)` gives] for each of `count` ranks; None for one that no group holds."""
    results = [None] * count
    for group in groups:
        for place, rank in enumerate(group):
            results[rank] = function(group, place)
    return results


def all_reduce(groups, xs, op):
    return of_groups(groups, len(xs), lambda group, place: fold(op, [xs[r] for r in group]))


def all_gather(groups, xs, dim=0):
    return of_groups(groups, len(xs), lambda group, place: Data(xs[0].dtype, np.concatenate([xs[r].words for r in group], axis=dim)))


def reduce_scatter(groups, xs, op):
    return of_groups(groups, len(xs), lambda group, place: Data(
        xs[0].dtype, np.split(fold(op, [xs[r] for r in group]).words, len(group), axis=0)[place]))


def all_to_all(groups, xs):
    return of_groups(groups, len(xs), lambda group, place: Data(
        xs[0].dtype, np.concatenate([np.split(xs[r].words, len(group), axis=0)[place] for r in group], axis=0)))


def ring_step(groups, xs):
    return of_groups(groups, len(xs), lambda group, place: xs[group[place - 1]])


def pieces(counts, starts, xs, slots, places=None):
    """What each rank's flat dst of zeros holds after rank s sent counts[s][r] elements from starts[s][r] to rank r; r puts them
    at places[r][s], or at slot s."""
    results = []
    for r in range(len(xs)):
        words = np.zeros(slots, xs[0].words.dtype)
        for s, x in enumerate(xs):
            at = places[r][s] if places else s * (slots // len(xs))
            words[at:at + counts[s][r]] = x.words.reshape(-1)[starts[s][r]:starts[s][r] + counts[s][r]]
        results.append(Data(xs[0].dtype, words.reshape(1, -1)))
    return results
