"""A first backup to a server that answers as Immich does, proved, against Immich's own command line."""

import os

from harness import BINARY, age, clear, make_files, read_all, settle, status, use_in_turns, used
from servers import IMMICH_AT_ONCE, immich

SETS = {"many small": (2_000, 20_000, 400_000), "few large": (4, 128_000_000, 128_000_000)}
NODE, CLI = os.environ["SAFELIGHT_NODE"], os.environ["SAFELIGHT_IMMICH_CLI"]


def measure(place):
    for name, (count, shortest, longest) in SETS.items():
        room = place / name.replace(" ", "-")
        room.mkdir()
        total = make_files(room / "photos", count, shortest, longest)
        yield compare(room, name, count, total)
        clear(room)


def compare(room, name, count, total):
    photos, data = room / "photos", room / "data"
    age(photos)

    def prepare():
        clear(data)
        read_all(photos)
        settle()

    def backup():
        with immich(room / "server") as (port, key):
            address = f"immich+http://127.0.0.1:{port}"
            command = [BINARY, "--data-dir", data, "backup", photos, "--to", address, "--quiet"]
            took = used(*command, env={"IMMICH_API_KEY": key})
        (destination,) = status(data)["destinations"]
        assert destination["safe"] == count, destination
        return [took]

    def upload():
        with immich(room / "server") as (port, key):
            instance = {"IMMICH_INSTANCE_URL": f"http://127.0.0.1:{port}/api", "IMMICH_API_KEY": key}
            return [used(NODE, CLI, "upload", "--recursive", "-c", IMMICH_AT_ONCE, photos, env=instance)]

    ((ours,), (theirs,)) = use_in_turns([backup, upload], prepare)
    what = f"{name}: {count} files, {total / 1e6:.0f} MB"
    return (what, f"{ours}", f"immich upload: {theirs}", ours.against(theirs), "1")
