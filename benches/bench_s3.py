"""A first backup to SeaweedFS, proved, against rclone copy, and then rclone check with and without reading."""

from harness import BINARY, age, clear, make_files, read_all, settle, status, use_in_turns, used
from servers import BUCKET, PARTS_AT_ONCE, PASSWORD, USER, rclone, seaweedfs

SETS = {"many small": (2_000, 20_000, 400_000), "few large": (4, 256_000_000, 256_000_000)}
KEYS = {"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": PASSWORD}


def measure(place):
    for name, (count, shortest, longest) in SETS.items():
        room = place / name.replace(" ", "-")
        room.mkdir()
        with seaweedfs(room / "server") as port:
            yield from compare(room, name, count, make_files(room / "photos", count, shortest, longest), port)
        clear(room)


def compare(room, name, count, total, port):
    photos, data = room / "photos", room / "data"
    age(photos)
    turn = 0

    def prepare():
        nonlocal turn
        turn += 1
        clear(data)
        read_all(photos)
        settle()

    def backup():
        address = f"s3://{BUCKET}/ours-{turn}?endpoint=http://127.0.0.1:{port}&style=path"
        took = used(BINARY, "--data-dir", data, "backup", photos, "--to", address, "--quiet", env=KEYS)
        (destination,) = status(data)["destinations"]
        assert destination["safe"] == count, destination
        return [took]

    def copy_and_check():
        options = [
            "--s3-provider=SeaweedFS",
            f"--s3-endpoint=http://127.0.0.1:{port}",
            f"--s3-access-key-id={USER}",
            f"--s3-secret-access-key={PASSWORD}",
            "--s3-no-check-bucket",
            "--s3-chunk-size=8M",
            f"--s3-upload-concurrency={PARTS_AT_ONCE}",
        ]
        to = f":s3:{BUCKET}/theirs-{turn}"
        copy = used(*rclone("copy", *options, photos, to))
        check = used(*rclone("check", *options, photos, to))
        read = used(*rclone("check", "--download", *options, photos, to))
        return [copy, copy + check, copy + read]

    ((ours,), theirs) = use_in_turns([backup, copy_and_check], prepare)
    what = f"{name}: {count} files, {total / 1e6:.0f} MB"
    peers = ("rclone copy", "rclone copy, then check", "rclone copy, then check --download")
    for peer, side, wanted in zip(peers, theirs, ("", "1", "")):
        yield (what, f"{ours}", f"{peer}: {side}", ours.against(side), wanted)
