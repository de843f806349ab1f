"""Random calls of nki.collectives: as in random_calls.py, over some ranks.

Argument n of a base call is named, so that it can be changed or left out; what the tiles hold depends on the rank.
"""

import random

from random_calls import FILLED, MEMBERS, NONSENSE, NUMBERS, OPERATORS, near, tile

GROUPS = ["[[0, 1]]", "[[1, 0]]", "[[0], [1]]", "[[0, 1, 2, 3]]", "[[0, 2], [3, 1]]", "[[0, 1], [2, 3]]", "[[0, 1], [1, 2]]", "[[]]", "[]", "[[0, -1]]",
          "[[0, 1 << 40]]", "[[0, 1], [2]]", "[0, 1]", "None", "[['a']]", "[[0, 7]]"]
PAIRS = ["[(0, 1), (1, 0)]", "[(0, 1)]", "[]", "[(0, 0)]", "[(0, 1), (0, 0)]", "[(0, 1, 2)]", "[(0, 9)]", "[(-1, 0)]", "None", "[(0, 1), (1, 2), (2, 3), (3, 0)]"]
LISTS = {"srcs": "[{}]", "dsts": "[{}]", "srcs_by_channel": "[[{}]]", "srcs0_by_channel": "[[{}]]", "srcs1_by_channel": "[[{}]]", "dsts_by_channel": "[[{}]]"}
COMMON = {"replica_group": "group", "priority": "None"}
# {function: {parameter: what fits}} on two ranks.
BASE = {
    "all_reduce": {"srcs": "H(4, 8)", "dsts": "H(4, 8)", "op": "nl.add", **COMMON},
    "all_gather": {"srcs": "H(4, 8)", "dsts": "H(8, 8)", "collective_dim": "0", **COMMON},
    "all_gather_v": {"srcs": "H(4, 8)", "dsts": "H(8, 8)", "metadata_tensor": "H(3, 4, u32)", "recv_counts_known": "False", "has_rdispls": "False", **COMMON},
    "reduce_scatter": {"srcs": "H(8, 8)", "dsts": "H(4, 8)", "collective_dim": "0", "op": "nl.add", **COMMON},
    "all_to_all": {"srcs": "H(4, 8)", "dsts": "H(4, 8)", "collective_dim": "0", **COMMON},
    "all_to_all_v": {"srcs": "H(4, 8)", "dsts": "H(4, 8)", "metadata_tensor": "H(3, 2, u32)", "recv_counts_known": "False", "has_rdispls": "False", **COMMON},
    "collective_permute": {"srcs": "H(4, 8)", "dsts": "H(4, 8)", "source_target_pairs": PAIRS[0], "priority": "None"},
    "collective_permute_implicit": {"srcs_by_channel": "H(4, 8)", "dsts_by_channel": "H(4, 8)", "channel_ids": "[0]", **COMMON},
    "collective_permute_implicit_reduce": {"srcs0_by_channel": "H(4, 8)", "srcs1_by_channel": "H(4, 8)", "dsts_by_channel": "H(4, 8)", "op": "nl.add",
                                           "channel_ids": "[0]", **COMMON},
    "collective_permute_implicit_current_processing_rank_id": {"iteration_id": "1", "replica_group": "group", "channel_id": "0"},
    "rank_id": {},
}


def argument(draw, name, base):
    kind = draw.random()
    if name == "replica_group" and kind < 0.7:
        return f"ncc.ReplicaGroup({draw.choice(GROUPS)})" if kind < 0.6 else draw.choice(GROUPS)
    if name == "source_target_pairs" and kind < 0.7:
        return draw.choice(PAIRS)
    if name in LISTS or name == "metadata_tensor":
        made = [near(draw, base) if draw.random() < 0.7 else tile(draw) for _ in range(draw.choice([1, 1, 1, 1, 0, 2, 3]))]
        return LISTS.get(name, "{}").format(", ".join(made)) if kind < 0.9 else made[0] if made else "None"
    return draw.choice(["nl." + draw.choice(OPERATORS), draw.choice(NUMBERS), draw.choice(MEMBERS), draw.choice(NONSENSE), "[0, 1]", "[1]", "2", "3"])


def kernel(seed):
    """(text, target, more options of `klr run`)."""
    draw = random.Random(seed)
    function = draw.choice(sorted(BASE))
    arguments = {name: LISTS.get(name, "{}").format(text) for name, text in BASE[function].items()}
    for _ in range(draw.choice([0, 1, 1, 1, 2, 3])):
        if arguments:
            name = draw.choice(sorted(arguments))
            arguments[name] = argument(draw, name, BASE[function].get(name, "None"))
    if arguments and draw.random() < 0.05:
        del arguments[draw.choice(sorted(arguments))]
    target = draw.choice(["trn2", "trn2", "trn3", "trn3", "trn1"])
    ranks = draw.choice([2, 2, 2, 1, 4])
    cores = 2 if target != "trn1" and (function == "all_gather_v" or draw.random() < 0.1) else 1
    group = "[[0, 1, 2, 3]]" if ranks == 4 else "[[0, 1]]" if ranks == 2 else "[[0]]"
    call = f"ncc.{function}({', '.join(f'{name}={text}' for name, text in arguments.items())})"
    if function in ("rank_id", "collective_permute_implicit_current_processing_rank_id"):
        call = f"nisa.register_store(S(1, 1, i32), {call})"
    text = f"import nki.collectives as ncc\n{FILLED}    group = ncc.ReplicaGroup({group})\n    {call}\n    return results()\n"
    return text.replace("    out = H(1, 1)\n", "    tiles.clear()\n"), target, ["--ranks", str(ranks), "--lnc", str(cores)]
