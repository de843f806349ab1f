"""nki.collectives: communication between ranks.

The functions are declared here with their operators; running them on several ranks is not supported yet.
"""

import _klr


class ReplicaGroup:
    """Non-overlapping lists of ranks."""

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


def reduce_scatter(srcs, dsts, replica_group, collective_dim, op, priority=None, name=None):
    """dsts = this rank's piece, along collective_dim, of op over all ranks' srcs."""
    return _klr.emit("reduce_scatter", name, dsts=dsts, srcs=srcs, op=op, replica_group=_groups(replica_group),
                     concat_dim=collective_dim, priority=priority)


def all_to_all(srcs, dsts, replica_group, collective_dim, priority=None, name=None):
    """Piece i of rank j's srcs goes to piece j of rank i's dsts."""
    return _klr.emit("all_to_all", name, dsts=dsts, srcs=srcs, replica_group=_groups(replica_group), concat_dim=collective_dim,
                     priority=priority)


def collective_permute(srcs, dsts, source_target_pairs, priority=None, name=None):
    """srcs of each source rank go to dsts of its target rank."""
    return _klr.emit("collective_permute", name, dsts=dsts, srcs=srcs, source_target_pairs=[list(p) for p in source_target_pairs],
                     priority=priority)


def rank_id(name=None):
    """A register with the rank of this worker."""
    return _klr.rank_id(name)


def collective_permute_implicit(srcs_by_channel, dsts_by_channel, replica_group, channel_ids=[0], priority=None, name=None):
    """A step around the ring: send to the next rank, receive from the one before, one tensor for each channel."""
    for channel, srcs, dsts in zip(channel_ids, srcs_by_channel, dsts_by_channel):
        _klr.emit("collective_permute_implicit", name, dsts=dsts, srcs=srcs, replica_group=_groups(replica_group),
                  channel_id=channel, num_channels=len(channel_ids), priority=priority)


def collective_permute_implicit_reduce(srcs0_by_channel, srcs1_by_channel, dsts_by_channel, replica_group, op,
                                       channel_ids=[0], priority=None, name=None):
    """op(src0, src1), then a step around the ring."""
    for channel, srcs0, srcs1, dsts in zip(channel_ids, srcs0_by_channel, srcs1_by_channel, dsts_by_channel):
        _klr.emit("collective_permute_implicit_reduce", name, dsts=dsts, srcs=srcs0 + srcs1, op=op,
                  replica_group=_groups(replica_group), channel_id=channel, num_channels=len(channel_ids),
                  priority=priority)


def collective_permute_implicit_current_processing_rank_id(iteration_id, replica_group, channel_id=0, name=None):
    """A register with the rank whose data ring iteration `iteration_id` processes; its own rank at 0."""
    return _klr.processing_rank_id(iteration_id, channel_id, _groups(replica_group))
