"""nki.collectives: communication between ranks.

Every rank of a group calls the same function with tensors of the same shapes. `srcs` and `dsts` are lists of tensors, all
in HBM or all in SBUF; several of them, in HBM, are sent together.
"""

import _klr


class ReplicaGroup:
    """Non-overlapping lists of ranks; the place of a rank in its list is the place of its piece."""

    def __init__(self, groups):
        self.groups = [list(group) for group in groups]


def _groups(replica_group):
    return replica_group.groups if isinstance(replica_group, ReplicaGroup) else replica_group


def all_reduce(srcs, dsts, replica_group, op, priority=None, name=None):
    """Every rank's dsts = op over all ranks' srcs."""
    return _klr.emit("all_reduce", name, dsts=dsts, srcs=srcs, op=op, replica_group=_groups(replica_group), priority=priority)


def all_gather(srcs, dsts, replica_group, collective_dim, priority=None, name=None):
    """Every rank's dsts = all ranks' srcs, concatenated along collective_dim."""
    return _klr.emit("all_gather", name, dsts=dsts, srcs=srcs, replica_group=_groups(replica_group), concat_dim=collective_dim,
                     priority=priority)


def all_gather_v(srcs, dsts, replica_group, metadata_tensor, recv_counts_known=False, has_rdispls=False, priority=None,
                 name=None):
    """Every rank's dst = a piece of every rank's src, each in a slot of its own; metadata_tensor says which pieces."""
    return _klr.emit("all_gather", name, dsts=dsts, srcs=srcs, replica_group=_groups(replica_group), priority=priority,
                     metadata=metadata_tensor, recv_counts_known=recv_counts_known, has_rdispls=has_rdispls)


def reduce_scatter(srcs, dsts, replica_group, collective_dim, op, priority=None, name=None):
    """dsts = this rank's piece, along collective_dim, of op over all ranks' srcs."""
    return _klr.emit("reduce_scatter", name, dsts=dsts, srcs=srcs, op=op, replica_group=_groups(replica_group),
                     concat_dim=collective_dim, priority=priority)


def all_to_all(srcs, dsts, replica_group, collective_dim, priority=None, name=None):
    """Piece i of rank j's srcs goes to piece j of rank i's dsts."""
    return _klr.emit("all_to_all", name, dsts=dsts, srcs=srcs, replica_group=_groups(replica_group), concat_dim=collective_dim,
                     priority=priority)


def all_to_all_v(srcs, dsts, replica_group, metadata_tensor, recv_counts_known=False, has_rdispls=False, priority=None,
                 name=None):
    """A piece of every rank's src goes to every rank's dst; metadata_tensor says which, and where to."""
    return _klr.emit("all_to_all", name, dsts=dsts, srcs=srcs, replica_group=_groups(replica_group), priority=priority,
                     metadata=metadata_tensor, recv_counts_known=recv_counts_known, has_rdispls=has_rdispls)


def collective_permute(srcs, dsts, source_target_pairs, priority=None, name=None):
    """srcs of each source rank go to dsts of its target rank."""
    return _klr.emit("collective_permute", name, dsts=dsts, srcs=srcs, source_target_pairs=[list(p) for p in source_target_pairs],
                     priority=priority)


def rank_id(name=None):
    """A register with the rank of this worker."""
    return _klr.rank_id(name)


def _expect_channels(function, channel_ids, lists):
    if list(channel_ids) != list(range(len(channel_ids))) or not 0 < len(channel_ids) <= 4:
        _klr.error(f"channel_ids of {function} is {list(channel_ids)}; expected [0], [0, 1], ..., at most four channels",
                   rule=f"nccl.{function}.channel_ids.channels")
    if any(len(tensors) != len(channel_ids) for tensors in lists):
        _klr.error(f"{function} on {len(channel_ids)} channels needs as many lists of tensors")


def collective_permute_implicit(srcs_by_channel, dsts_by_channel, replica_group, channel_ids=[0], priority=None, name=None):
    """A step around the ring: send to the next rank, receive from the one before, one tensor for each channel."""
    _expect_channels("collective_permute_implicit", channel_ids, [srcs_by_channel, dsts_by_channel])
    for channel, srcs, dsts in zip(channel_ids, srcs_by_channel, dsts_by_channel):
        _klr.emit("collective_permute_implicit", name, dsts=dsts, srcs=srcs, replica_group=_groups(replica_group),
                  channel_id=channel, num_channels=len(channel_ids), priority=priority)


def collective_permute_implicit_reduce(srcs0_by_channel, srcs1_by_channel, dsts_by_channel, replica_group, op,
                                       channel_ids=[0], priority=None, name=None):
    """op(src0, src1), then a step around the ring."""
    _expect_channels("collective_permute_implicit_reduce", channel_ids, [srcs0_by_channel, srcs1_by_channel, dsts_by_channel])
    for channel, srcs0, srcs1, dsts in zip(channel_ids, srcs0_by_channel, srcs1_by_channel, dsts_by_channel):
        _klr.emit("collective_permute_implicit_reduce", name, dsts=dsts, srcs=srcs0 + srcs1, op=op,
                  replica_group=_groups(replica_group), channel_id=channel, num_channels=len(channel_ids),
                  priority=priority)


def collective_permute_implicit_current_processing_rank_id(iteration_id, replica_group, channel_id=0, name=None):
    """A register with the rank whose data ring iteration `iteration_id` processes; its own rank at 0."""
    return _klr.processing_rank_id(iteration_id, channel_id, _groups(replica_group))
