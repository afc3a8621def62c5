"""The first look at a library (what is there, what it is, its digests), against a warm b3sum of it."""

import time

from harness import clear, drive, read_all, settle, take_turns, tool

FILES = 2_000
TEMPLATES = 8
WIDTH, HEIGHT = 3_000, 2_000
# A file that was written to a moment ago is left alone for this long.
STILL_BEING_WRITTEN_SECS = 4


def make(place, photos):
    """Photos with metadata; a few are drawn, and each file gets a tail of its own."""
    drawn = place / "drawn"
    drawn.mkdir()
    drive("photos", drawn, TEMPLATES, WIDTH, HEIGHT)
    templates = [path.read_bytes() for path in sorted(drawn.iterdir())]
    total = 0
    for n in range(FILES):
        folder = photos / f"{n // 100:02}"
        folder.mkdir(parents=True, exist_ok=True)
        body = templates[n % TEMPLATES] + n.to_bytes(8, "little")
        (folder / f"IMG_{n:05}.jpg").write_bytes(body)
        total += len(body)
    return total


def measure(place):
    photos, data = place / "photos", place / "data"
    total = make(place, photos)
    time.sleep(STILL_BEING_WRITTEN_SECS)

    def prepare():
        clear(data)
        data.mkdir()
        read_all(photos)
        settle()

    def index():
        (_, seconds), (_, ready) = drive("index", data, photos)
        assert int(ready) == FILES, ready
        return float(seconds)

    def b3sum():
        tool("sh", "-c", 'find "$0" -type f -print0 | xargs -0 b3sum', photos)

    ours, theirs = take_turns([index, b3sum], prepare)
    yield (
        f"{FILES} photos, {total / 1e6:.0f} MB, warm",
        f"{ours}",
        f"b3sum: {theirs}",
        f"{ours.over(theirs):.2f} times its time",
        "at most 1.3",
    )
