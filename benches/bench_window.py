"""How soon the window shows something with 100 000 photos, and what a frame of the grid costs."""

import os
import statistics
import subprocess
import time

from harness import BINARY, DRIVERS, RUNS, Turns, backed_up_library, drive, safelight, status

FILES = 100_000
GRID_ASSETS = 250_000
FRAMES = 2_000
SCREEN = "1400x900x24"
READY_SECS = 120


def wait_for_agent(data):
    deadline = time.monotonic() + READY_SECS
    while time.monotonic() < deadline:
        if status(data)["sources"][0]["state"] == "watching":
            return
        time.sleep(0.5)
    raise SystemExit("the agent came to no rest")


def first_frames(data, display):
    """Seconds until the first frame and until the grid were shown."""
    environment = {**os.environ, "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"}
    began = time.monotonic()
    window = subprocess.Popen([DRIVERS, "start", str(data)], stdout=subprocess.PIPE, text=True, env=environment)
    seen = {}
    with window:
        for line in window.stdout:
            seen.setdefault(line.strip(), time.monotonic() - began)
    if window.returncode != 0 or set(seen) != {"frame", "grid"}:
        raise SystemExit(f"the window showed {seen}, exit code {window.returncode}")
    return seen["frame"], seen["grid"]


def starts(data):
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    screen = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
    agent = subprocess.Popen([BINARY, "--data-dir", str(data), "agent"], stdin=subprocess.DEVNULL)
    try:
        os.close(write)
        with os.fdopen(read) as number:
            display = ":" + number.readline().strip()
        wait_for_agent(data)
        # The first one fills the page cache.
        first_frames(data, display)
        frames, grids = zip(*(first_frames(data, display) for _ in range(2 * RUNS)))
        safelight(data, "agent", "--stop")
        agent.wait(30)
    finally:
        for process in (agent, screen):
            process.kill()
            process.wait()
    return Turns(frames), Turns(grids)


def measure(place):
    rounds = [dict(drive("frames", GRID_ASSETS, FRAMES)) for _ in range(RUNS)]
    for percentile, wanted in (("p50", 4), ("p99", 8)):
        found = [float(figures[f"{percentile}_ms"]) for figures in rounds]
        yield (
            f"frame of the grid, {GRID_ASSETS} photos, scrolling, {percentile}",
            f"{statistics.median(found):.2f} ms ({min(found):.2f}–{max(found):.2f})",
            "layout and tessellation, no renderer",
            "",
            f"at most {wanted} ms",
        )
    _photos, _backup, data, _secs = backed_up_library(place, FILES)
    frames, grids = starts(data)
    for what, took, wanted in (("first frame", frames, "at most 0.3 s"), ("first frame with photos' places", grids, "")):
        yield (f"start to {what}, {FILES} photos, agent running", f"{took}", "OpenGL in software, Xvfb", "", wanted)
