"""Photos made up for the checks: a few drawn pictures, each file made another by its last bytes."""

import hashlib
import os
import subprocess
from pathlib import Path

PICTURES = 12
# Small enough for thousands, large enough that a backup of them takes its time.
EXTRA_BYTES = 60_000


class Library:
    """A folder of photos that can grow."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.count = 0
        self.pictures = [self._draw(n) for n in range(PICTURES)]

    @staticmethod
    def _draw(seed):
        """A landscape of sorts as JPEG: sky, ground, noise."""
        hues = ["#d8693a", "#3f6b8c", "#7a8b4f", "#b99a5b", "#8c4a5e", "#4f7f78"]
        sky, ground = hues[seed % 6], hues[(seed * 5 + 2) % 6]
        drawn = subprocess.run(
            ["convert", "-seed", str(seed), "-size", "640x480", f"gradient:{sky}-#f4e9d8",
             "(", "-size", "640x180", f"plasma:{ground}-#2b2622", ")", "-gravity", "south", "-composite",
             "-quality", "82", "jpg:-"],
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        return drawn.stdout

    def grow(self, files):
        """Adds photos of different days, a whole folder at a time."""
        for _ in range(files):
            n = self.count
            self.count += 1
            folder = self.folder / f"trip {n // 500}"
            folder.mkdir(exist_ok=True)
            path = folder / f"IMG_{n:05}.jpg"
            path.write_bytes(self.pictures[n % PICTURES] + os.urandom(EXTRA_BYTES))
            day = 1_420_000_000 + (n // 7) * 86_400
            os.utime(path, (day, day))

    def digests(self):
        return digests(self.folder)


def digests(folder):
    """How often each content is below a folder, Safelight's own files left out."""
    counts = {}
    for root, folders, files in os.walk(folder):
        if ".safelight" in folders:
            folders.remove(".safelight")
        for name in files:
            digest = hashlib.sha256((Path(root) / name).read_bytes()).digest()
            counts[digest] = counts.get(digest, 0) + 1
    return counts
