"""Of the twelfth batch (i-l*, i-o*), which was written to be looked at: the two crashes that showed a fault which no other dump shows."""
from . import unseen

PROGRAMS = {}


def add(name, source, set_letter, defines, mechanism, cause, operation, **more):
    unseen.add("twelfth", source, set_letter, defines, mechanism, cause, operation, **more)
    entry = unseen.UNSEEN.pop("u-twelfth")
    PROGRAMS[name] = dict(entry, flags=[flag for flag in entry["flags"] if flag != "-static"], kinds=("full",))


add("i-lplugin", "i-life-host", "W", "MODULES_IN_ORDER", "section-zeroed", "deleted", "enter",
    note="static; the log is ended first, by a table of functions that can be written to, and another module's end logs")
add("i-ovoice", "i-over-voice", "N", "VOICE", "section-zeroed", "corrupted", "enter", other_thread=True, flags="-O1",
    note="memset of the whole object; the call goes through a local of the renderer")
