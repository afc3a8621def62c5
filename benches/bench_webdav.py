"""A first backup to Apache, every copy read back, against rclone copy, and then rclone check with and without reading."""

import subprocess

from harness import BINARY, age, clear, make_files, read_all, settle, status, use_in_turns, used
from servers import PASSWORD, RCLONE, USER, apache, rclone

SETS = {"many small": (1_500, 20_000, 400_000), "few large": (4, 256_000_000, 256_000_000)}


def measure(place):
    place.chmod(0o711)
    for name, (count, shortest, longest) in SETS.items():
        room = place / name.replace(" ", "-")
        room.mkdir(mode=0o711)
        total = make_files(room / "photos", count, shortest, longest)
        with apache(room / "server") as (port, files):
            yield from compare(room, name, count, total, port, files)
        clear(room)


def compare(room, name, count, total, port, files):
    photos, data = room / "photos", room / "data"
    age(photos)
    hidden = subprocess.run([RCLONE, "obscure", PASSWORD], check=True, capture_output=True, text=True)

    def prepare():
        clear(data)
        for old in files.iterdir():
            clear(old)
        for folder in ("ours", "theirs"):
            (files / folder).mkdir()
            (files / folder).chmod(0o777)
        read_all(photos)
        settle()

    def backup():
        address = f"webdav+http://{USER}@127.0.0.1:{port}/ours"
        command = [BINARY, "--data-dir", data, "backup", photos, "--to", address, "--quiet"]
        took = used(*command, env={"SAFELIGHT_PASSWORD": PASSWORD})
        (destination,) = status(data)["destinations"]
        assert destination["safe"] == count, destination
        return [took]

    def copy_and_check():
        url = f"--webdav-url=http://127.0.0.1:{port}/theirs"
        options = [url, "--webdav-vendor=other", f"--webdav-user={USER}"]
        options.append(f"--webdav-pass={hidden.stdout.strip()}")
        copy = used(*rclone("copy", *options, photos, ":webdav:"))
        check = used(*rclone("check", *options, photos, ":webdav:"))
        read = used(*rclone("check", "--download", *options, photos, ":webdav:"))
        return [copy, copy + check, copy + read]

    ((ours,), theirs) = use_in_turns([backup, copy_and_check], prepare)
    what = f"{name}: {count} files, {total / 1e6:.0f} MB"
    peers = ("rclone copy", "rclone copy, then check (sizes)", "rclone copy, then check --download")
    for peer, side, wanted in zip(peers, theirs, ("", "", "1")):
        yield (what, f"{ours}", f"{peer}: {side}", ours.against(side), wanted)
