"""Of the tenth batch (g-*), which was written to be looked at: what showed a fault of the analyzer that no other dump shows."""
from . import unseen

PROGRAMS = {}


def add(name, source, sets, mechanism, cause, operation, flags, **more):
    """As unseen.add, linked to the runtime libraries; the program is g-NAME, its source g-SOURCE.cpp."""
    unseen.add("tenth", "g-" + source, sets, "TENTH", mechanism, cause, operation, flags=flags, **more)
    entry = unseen.UNSEEN.pop("u-tenth")
    PROGRAMS["g-" + name] = dict(entry, flags=[flag for flag in entry["flags"] if flag != "-static"], kinds=("wer",))


add("lscene", "life-scene", "W", "debug-info-invalid", "memory-released", "delete", "-O1",
    note="a level's blocks begin again; a late destructor finds a particle, whose floats are in a register of ntdll's; the Leave before was called with that register")
