"""The eighth batch (y-*), unseen: four tables by four authors without knowledge of the analyzer. A twin stands where the very dump that is
kept of a crash leaves another cause open."""
from . import unseen

PROGRAMS = {}


def add(name, source, sets, defines, mechanism, cause, operation="leave", **more):
    """As unseen.add; the program is y-NAME, its source y-SOURCE.cpp or .c. `operation` None: no lock failure."""
    unseen.add("eighth", "y-" + source, sets, defines, mechanism, cause, operation, **more)
    assert "y-" + name not in PROGRAMS, name
    PROGRAMS["y-" + name] = unseen.UNSEEN.pop("u-eighth")


from . import eighth_field, eighth_over, eighth_life, eighth_unmade  # noqa: E402, F401
