"""Thumbnails of 12 and 24 megapixel photos on all cores, against vipsthumbnail."""

import os

from harness import clear, drive, read_all, take_turns, tool

# Megapixels, width, height, photos, how much faster is wanted.
KINDS = ((12, 4_000, 3_000, 60, 1.5), (24, 6_000, 4_000, 30, 1.2))
SIDE = 320
CORES = os.cpu_count()
PREVIEW_WANTED = 50


def vips(photos, out, processes, threads):
    """All photos by so many processes at once, each given its share in one go."""
    share = -(-len(list(photos.iterdir())) // processes)
    command = (
        f'find "$0" -type f -print0 | VIPS_CONCURRENCY={threads} '
        f"xargs -0 -P {processes} -n {share} vipsthumbnail --size {SIDE} --output \"$1/%s.jpg[Q=85]\""
    )
    tool("sh", "-c", command, photos, out)


def measure(place):
    for megapixels, width, height, count, wanted in KINDS:
        photos, ours, theirs = (place / f"{megapixels}-{name}" for name in ("photos", "ours", "theirs"))
        photos.mkdir()
        drive("photos", photos, count, width, height)

        def prepare():
            for old in (ours, theirs):
                clear(old)
                old.mkdir()
            read_all(photos)

        def our_own():
            drive("thumbs", photos, ours)

        sides = [
            our_own,
            lambda: vips(photos, theirs, CORES, 1),
            lambda: vips(photos, theirs, 1, CORES),
            lambda: float(drive("previews", photos)[0][1]),
        ]
        thumbs, processes, threads, previews = take_turns(sides, prepare)
        best, how = min((processes, f"{CORES} processes"), (threads, f"{CORES} threads"), key=lambda side: side[0].median)
        bytes_each = sum(path.stat().st_size for path in photos.iterdir()) / count
        what = f"{count} photos of {megapixels} MP, {bytes_each / 1e6:.1f} MB each"
        yield (
            what,
            f"{thumbs}",
            f"vipsthumbnail, {how}: {best}",
            f"{best.over(thumbs):.2f} times faster",
            f"{wanted}",
        )
        yield (
            f"first pixels of the same, {previews.median / count * 1e3:.2f} ms a photo",
            f"{previews}",
            f"the same: {best}",
            f"{best.over(previews):.0f} times faster",
            f"{PREVIEW_WANTED}",
        )
