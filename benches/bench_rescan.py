"""Looking again at 100 000 files that have not changed, against find with the same fields."""

from harness import backed_up_library, safelight, take_turns, tool

FILES = 100_000
FIELDS = r"%p %s %T@ %C@ %i %D\n"


def measure(place):
    photos, backup, data, first_secs = backed_up_library(place, FILES)

    def look_again():
        # The whole command: start, rescan, nothing to send, end.
        safelight(data, "backup", photos, "--to", backup, "--quiet")

    def find():
        tool("find", photos, "-printf", FIELDS)

    ours, theirs = take_turns([look_again, find])
    yield (
        f"{FILES} files, the whole command",
        f"{ours}",
        f"find -printf: {theirs}",
        f"{ours.over(theirs):.2f} times its time",
        "at most 2",
    )
    yield (f"the first backup of them, {FILES / first_secs:.0f} files/s", f"{first_secs:.0f} s", "", "", "")
