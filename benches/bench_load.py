"""Steps and pages of a store with a million backup records and 256 live jobs."""

from harness import drive

RECORDS = 1_000_000
#: What is done for every job or shown all the time, by the driver's names.
WANTED = {
    "claim": ("draw", "create", "start"),
    "finish": ("succeed", "fail"),
    "acknowledge": ("acknowledge",),
    "status counts": ("counts", "library_counts"),
    "live jobs": ("jobs",),
    "queue pages": tuple(
        f"pages_{name}"
        for name in ("uploading", "waiting", "needs_attention", "unproven", "excluded", "done")
    ),
    "failures by cause": ("failure_groups",),
    "days of the grid": ("sections_all", "sections_not_safe", "sections_attention"),
}
LIMIT_MS = 2
SLOW = ("failures by cause", "days of the grid")


def measure(place):
    medians = {name: float(median) for name, median, _most in drive("load", place, RECORDS)}
    for what, names in WANTED.items():
        figures = ", ".join(f"{name} {medians[name]:.2f}" for name in names)
        worst = max(medians[name] for name in names)
        wanted = "" if what in SLOW else f"under {LIMIT_MS} ms at the median"
        yield (what, f"{figures} ms", "", f"{worst:.2f} ms", wanted)
