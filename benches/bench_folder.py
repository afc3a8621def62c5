"""A first backup to a folder, verified, against rsync with checksums and a cold b3sum of both sides."""

from harness import clear, drop_page_cache, make_files, read_all, safelight, settle, status, take_turns, tool

FILES = 1_200
SHORTEST, LONGEST = 50_000, 6_000_000


def measure(place):
    photos, ours, theirs, data = (place / name for name in ("photos", "ours", "theirs", "data"))
    total = make_files(photos, FILES, SHORTEST, LONGEST)

    def prepare():
        for old in (ours, theirs, data):
            clear(old)
        read_all(photos)
        settle()

    def backup():
        safelight(data, "backup", photos, "--to", ours, "--quiet")

    def copy_and_check():
        tool("rsync", "--archive", "--checksum", "--fsync", f"{photos}/", theirs)
        drop_page_cache()
        for side in (photos, theirs):
            tool("sh", "-c", 'find "$0" -type f -print0 | xargs -0 b3sum', side)

    ours_took, theirs_took = take_turns([backup, copy_and_check], prepare)
    prepare()
    backup()
    (destination,) = status(data)["destinations"]
    assert destination["safe"] == FILES, destination
    yield (
        f"{FILES} files, {total / 1e6:.0f} MB",
        f"{ours_took}",
        f"rsync, then cold b3sum: {theirs_took}",
        f"{theirs_took.over(ours_took):.2f} times faster",
        "1.3",
    )
