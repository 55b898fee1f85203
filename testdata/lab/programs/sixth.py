"""The sixth batch (w-*), unseen: four tables by four authors without knowledge of the analyzer. A twin stands where the very dump that is
kept of a crash leaves another cause open."""
from . import unseen

PROGRAMS = {}


def add(name, source, sets, defines, mechanism, cause, operation="leave", **more):
    """As unseen.add; the program is w-NAME, its source w-SOURCE.cpp or .c. `operation` None: no lock failure."""
    unseen.add("sixth", "w-" + source, sets, defines, mechanism, cause, operation, **more)
    assert "w-" + name not in PROGRAMS, name
    PROGRAMS["w-" + name] = unseen.UNSEEN.pop("u-sixth")


from . import sixth_close, sixth_life, sixth_over, sixth_unmade  # noqa: E402, F401
