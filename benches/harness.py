"""What all benches share: made-up files, a cold cache, and runs that take turns."""

import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

BINARY = os.environ["SAFELIGHT_BINARY"]
DRIVERS = os.environ["SAFELIGHT_DRIVERS"]
RUNS = int(os.environ["SAFELIGHT_BENCH_RUNS"])
PAGE_CACHE = "/proc/sys/vm/drop_caches"
SEED = 20_241
# What is written and read at once, in bytes. A program that is started counts this one's memory as its
# own, up to where it takes its place.
PIECE = 1 << 20
# Seconds in which a file still counts as being written.
TOUCHED_FOR = 5
# Up to where a picture's own data begin: whoever looks for what is told of it stops there.
JPEG_HEAD = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffda0008010100003f00")


def make_files(root, count, shortest, longest, per_folder=500):
    """Files of different bytes that pass for photos; gives their bytes in all. The seed is fixed."""
    chance = random.Random(SEED)
    total = 0
    for n in range(count):
        folder = Path(root) / f"{n // per_folder:04}"
        if n % per_folder == 0:
            folder.mkdir(parents=True)
        length = int(shortest * (longest / shortest) ** chance.random())
        with open(folder / f"IMG_{n:06}.jpg", "wb") as file:
            file.write(JPEG_HEAD)
            for start in range(0, length, PIECE):
                file.write(chance.randbytes(min(PIECE, length - start)))
        total += length + len(JPEG_HEAD)
    return total


def age(root):
    """Makes files old: what was written to, or otherwise touched, a moment ago is left alone for some
    seconds."""
    for path in Path(root).rglob("*"):
        os.utime(path, (1_500_000_000, 1_500_000_000))
    time.sleep(TOUCHED_FOR)


def settle():
    """Lets no run pay for the writes of the one before."""
    os.sync()


def drop_page_cache():
    """Makes the next read come from the disk. Needs root, and says so."""
    os.sync()
    try:
        Path(PAGE_CACHE).write_text("1\n")
    except OSError as error:
        raise SystemExit(f"the cold reads of this bench need root ({error})") from error


def read_all(root):
    """Warms the cache: every side starts from the same."""
    for path in Path(root).rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                while file.read(PIECE):
                    pass


def clear(path):
    shutil.rmtree(path, ignore_errors=True)


def timed(act, *arguments):
    began = time.monotonic()
    act(*arguments)
    return time.monotonic() - began


def tool(*command, **options):
    """Runs another program; it has to succeed."""
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, **options)


def safelight(data_dir, *arguments, wanted=(0,)):
    """Runs a command of the binary; gives what it printed."""
    command = [BINARY, "--data-dir", str(data_dir), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode not in wanted:
        raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def status(data_dir):
    return json.loads(safelight(data_dir, "status", "--json", wanted=(0, 1)))


def drive(*arguments):
    """Runs one of the drivers; gives the words of each line it printed."""
    command = [DRIVERS, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return [line.split() for line in done.stdout.splitlines()]


class Turns(list):
    """What one side took in each turn, in seconds."""

    @property
    def median(self):
        return statistics.median(self)

    def over(self, other):
        """How many times the other side's time this side took: the median over the turns, because
        what loads the machine in one turn loads both sides."""
        return statistics.median(mine / theirs for mine, theirs in zip(self, other))

    def __str__(self):
        digits = 0 if self.median >= 100 else 2 if self.median >= 1 else 3
        return f"{self.median:.{digits}f} s ({min(self):.{digits}f}–{max(self):.{digits}f})"


def take_turns(sides, prepare=settle):
    """Runs all sides in turn and gives the turns of each. `prepare` comes before each. A side that
    measures itself gives its seconds."""
    turns = [Turns() for _ in sides]
    for number in range(RUNS):
        for mine, act in zip(turns, sides):
            prepare()
            began = time.monotonic()
            seconds = act()
            mine.append(time.monotonic() - began if seconds is None else seconds)
        print(f"   turn {number + 1}: {' against '.join(f'{mine[-1]:.3f} s' for mine in turns)}", flush=True)
    return turns


class Used:
    """What programs took, one after the other: seconds, seconds of processor, the most memory in MB."""

    def __init__(self, seconds=0.0, cpu=0.0, peak=0.0):
        self.seconds, self.cpu, self.peak = seconds, cpu, peak

    def __add__(self, other):
        peak = max(self.peak, other.peak)
        return Used(self.seconds + other.seconds, self.cpu + other.cpu, peak)


def used(*command, env=None):
    """Runs a program to its end, which has to be a success; gives what it and its children took."""
    began = time.monotonic()
    said = tempfile.TemporaryFile()
    words = [str(word) for word in command]
    process = subprocess.Popen(
        words, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=said, stderr=said
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said.seek(0)
        raise SystemExit(f"{words}: exit code {process.returncode}\n{said.read().decode(errors='replace')}")
    return Used(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


class Uses(Turns):
    """Turns with processor time and memory beside the seconds."""

    def __init__(self, uses):
        super().__init__(one.seconds for one in uses)
        self.cpu = Turns(one.cpu for one in uses)
        self.peak = Turns(one.peak for one in uses)

    def __str__(self):
        return f"{super().__str__()}, processor {self.cpu.median:.1f} s, {self.peak.median:.0f} MB"

    def against(self, other):
        """The ratios to another side, as medians over the turns."""
        return (
            f"{other.over(self):.2f} times faster; processor {self.cpu.over(other.cpu):.2f} times, "
            f"memory {self.peak.over(other.peak):.2f} times theirs"
        )


def use_in_turns(sides, prepare=settle):
    """Runs all sides in turn, as `take_turns`. A side gives a list of uses: what it had used after
    each of its steps. Gives a list of such turns for each side."""
    turns = [[] for _ in sides]
    for number in range(RUNS):
        for mine, act in zip(turns, sides):
            prepare()
            mine.append(act())
        seconds = (" then ".join(f"{step.seconds:.2f}" for step in mine[-1]) for mine in turns)
        print(f"   turn {number + 1}: {' s against '.join(seconds)} s", flush=True)
    return [[Uses(step) for step in zip(*mine)] for mine in turns]


_backed_up = {}


def backed_up_library(place, count):
    """A library of so many small files and a backup of it, made once for all benches of a run.
    Gives the folders of the photos, the backup and the data, and the seconds that the backup took."""
    if count not in _backed_up:
        photos, backup, data = (Path(place).parent / f"{count}-{name}" for name in ("photos", "backup", "data"))
        make_files(photos, count, 60, 600)
        settle()
        seconds = timed(safelight, data, "backup", photos, "--to", backup, "--quiet")
        (destination,) = status(data)["destinations"]
        assert destination["safe"] == count, destination
        _backed_up[count] = (photos, backup, data, seconds)
    return _backed_up[count]
