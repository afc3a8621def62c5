"""Upload jobs taken through their whole life in the store, against plain inserts of the same rows."""

from harness import RUNS, Turns, drive

JOBS = 20_000


def measure(place):
    turns = [tuple(map(float, words)) for _, *words in drive("jobs", place, JOBS, RUNS)]
    wants, lives, inserts = (Turns(side) for side in zip(*turns))
    whole = Turns(want + life for want, life, _ in turns)
    yield (
        f"{JOBS} jobs: create, start, end, acknowledge",
        f"{lives}",
        "",
        f"{JOBS / lives.median:.0f} jobs/s",
        "20 000 jobs/s",
    )
    yield (
        "the same with the records and attachments they need",
        f"{whole}, {wants.median:.2f} s of it for the records",
        f"batched inserts of the same rows: {inserts}",
        f"{whole.over(inserts):.1f} times their time",
        "at most 4",
    )
