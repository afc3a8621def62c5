"""Looking again at 100 000 files that have not changed, against find with the same fields."""

from harness import make_files, safelight, settle, status, take_turns, timed, tool

FILES = 100_000
FIELDS = r"%p %s %T@ %C@ %i %D\n"


def measure(place):
    photos, backup, data = (place / name for name in ("photos", "backup", "data"))
    make_files(photos, FILES, 60, 600)
    command = ("backup", photos, "--to", backup, "--quiet")
    settle()
    first_secs = timed(safelight, data, *command)
    (destination,) = status(data)["destinations"]
    assert destination["safe"] == FILES, destination

    def look_again():
        # The whole command: start, rescan, nothing to send, end.
        safelight(data, *command)

    def find():
        tool("find", photos, "-printf", FIELDS)

    our_secs, their_secs = take_turns(look_again, find, settle)
    yield (
        f"{FILES} files, the whole command",
        f"{our_secs:.2f} s",
        f"find -printf: {their_secs:.2f} s",
        f"{our_secs / their_secs:.2f} times its time",
        "2",
    )
    yield (f"the first backup of them, {FILES / first_secs:.0f} files/s", f"{first_secs:.0f} s", "", "", "")
