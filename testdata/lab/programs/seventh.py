"""The seventh batch (x-*), unseen: three tables by three authors without knowledge of the analyzer. A twin stands where the very dump that is
kept of a crash leaves another cause open."""
from . import unseen

PROGRAMS = {}


def add(name, source, sets, defines, mechanism, cause, operation="leave", **more):
    """As unseen.add; the program is x-NAME, its source x-SOURCE.cpp or .c. `operation` None: no lock failure."""
    unseen.add("seventh", "x-" + source, sets, defines, mechanism, cause, operation, **more)
    assert "x-" + name not in PROGRAMS, name
    PROGRAMS["x-" + name] = unseen.UNSEEN.pop("u-seventh")


from . import seventh_over, seventh_life, seventh_unmade  # noqa: E402, F401
