"""Whether a history of what several clients did could have happened one after the other, each in its own time: by search, as Wing and Gong have it.

The object is a map of registers. An operation is from `called` to `returned` (None: nobody knows whether it was made, now or ever), does `what` to `key`, and came to `result`."""
import collections
import math

Operation = collections.namedtuple("Operation", "called returned what key argument result")


def apply(state, op):
    """The state behind the operation, or None where it cannot have come to what it did."""
    at = dict(state)
    if op.what == "read":
        return state if op.returned is None or at.get(op.key) == op.result else None
    if op.what == "list":
        return state if op.returned is None or at == op.result else None
    if op.what == "swap":  # argument: what it expects to be there, and what it puts in its place
        there, fresh = op.argument
        if op.returned is not None and op.result != (at.get(op.key) == there):
            return None
        if at.get(op.key) != there:
            return state
    else:
        fresh = op.argument
    at[op.key] = fresh
    return tuple(sorted((k, v) for k, v in at.items() if v is not None))


def candidates(operations, done, start):
    """What may come next: whatever was called before anything else that is left has returned. Operations are in the order of their calls."""
    end = math.inf
    for i in range(start, len(operations)):
        op = operations[i]
        if done >> i & 1:
            continue
        if op.called > end:
            return
        yield i
        if op.returned is not None:
            end = min(end, op.returned)


def is_linearizable(operations):
    """Operations that nobody knows of may be left out."""
    operations = sorted(operations)
    wanted = sum(1 << i for i, op in enumerate(operations) if op.returned is not None)
    seen, stack = set(), [(0, (), 0)]
    while stack:
        done, state, start = stack.pop()
        if done & wanted == wanted:
            return True
        while done >> start & 1:
            start += 1
        for i in candidates(operations, done, start):
            after = apply(state, operations[i])
            if after is None:
                continue
            found = (done | 1 << i, after)
            if found not in seen:
                seen.add(found)
                stack.append((*found, start))
    return False
