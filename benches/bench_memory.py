"""The most memory that one file of 4 GiB takes on its way to SeaweedFS, beside a small one's."""

import os
import random

from harness import BINARY, JPEG_HEAD, PIECE, SEED, age, clear, settle, status, used
from servers import BUCKET, PASSWORD, USER, seaweedfs

FILM_HEAD = bytes.fromhex("0000001866747970") + b"isom\0\0\2\0isomiso2"
PIECES = 4 << 10
EXTRA_MAX_MB = 64
KEYS = {"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": PASSWORD}


def measure(place):
    small, large = place / "small", place / "large"
    for folder in (small, large):
        folder.mkdir()
    chance = random.Random(SEED)
    (small / "IMG_1.jpg").write_bytes(JPEG_HEAD + chance.randbytes(50_000))
    with open(large / "film.mp4", "wb") as film:
        film.write(FILM_HEAD)
        for _ in range(PIECES):
            film.write(chance.randbytes(PIECE))
    with seaweedfs(place / "server") as port:
        took = {}
        for photos in (small, large):
            age(photos)
            settle()
            data = place / f"data-{photos.name}"
            address = f"s3://{BUCKET}/{photos.name}?endpoint=http://127.0.0.1:{port}&style=path"
            took[photos] = used(BINARY, "--data-dir", data, "backup", photos, "--to", address, "--quiet", env=KEYS)
            (destination,) = status(data)["destinations"]
            assert destination["safe"] == 1, destination
    size = os.path.getsize(large / "film.mp4")
    extra = took[large].peak - took[small].peak
    assert extra < EXTRA_MAX_MB, f"{extra} MB"
    yield (
        f"one file of {size / 2**30:.2f} GiB, {took[large].seconds:.0f} s",
        f"{took[large].peak:.0f} MB resident at most",
        f"a small file: {took[small].peak:.0f} MB",
        f"{extra:.0f} MB more",
        f"less than {EXTRA_MAX_MB} MB more",
    )
    clear(place)
