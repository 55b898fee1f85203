"""Of the eleventh batch (h-l*, h-o*), which was written to be looked at: the crash whose small dump shows what the program's file adds to it.
The file is kept as testdata/images/h-oecho.exe, of the same build as the dump; a new build has another time stamp."""
from . import unseen

PROGRAMS = {}

unseen.add("eleventh", "h-over-audio", "X", "ECHO", "handle-implausible", "corrupted", "leave", flags="-O1", state="signal", other_thread=True,
           note="a delay line at index -1 to -3: floats over half of LockSemaphore and SpinCount while others sleep; the debug record is whole")
_entry = unseen.UNSEEN.pop("u-eleventh")
PROGRAMS["h-oecho"] = dict(_entry, flags=[flag for flag in _entry["flags"] if flag != "-static"], kinds=("wer",), wer=dict(handles=True))
