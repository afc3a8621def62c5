"""What the agent takes when there is nothing to do, with 100 000 files backed up."""

import os
import subprocess
import time
from pathlib import Path

from harness import BINARY, backed_up_library, safelight, status

FILES = 100_000
READY_SECS = 120
QUIET_SECS = 20
WATCHED_SECS = 60


def cpu_secs(pid):
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def wait_for_rest(data):
    deadline = time.monotonic() + READY_SECS
    while time.monotonic() < deadline:
        now = status(data)
        (destination,) = now["destinations"]
        if now["sources"][0]["state"] == "watching" and destination["safe"] == destination["found"] == FILES:
            return
        time.sleep(0.5)
    raise SystemExit(f"the agent came to no rest: {now}")


def measure(place):
    _photos, _backup, data, _secs = backed_up_library(place, FILES)
    agent = subprocess.Popen([BINARY, "--data-dir", str(data), "agent"], stdin=subprocess.DEVNULL)
    try:
        # Its first look around is over before it is watched.
        time.sleep(QUIET_SECS)
        wait_for_rest(data)
        time.sleep(QUIET_SECS)
        before = cpu_secs(agent.pid)
        time.sleep(WATCHED_SECS)
        share = 100 * (cpu_secs(agent.pid) - before) / WATCHED_SECS
        memory = resident_mb(agent.pid)
        safelight(data, "agent", "--stop")
        agent.wait(30)
    finally:
        agent.kill()
        agent.wait()
    yield (f"CPU over {WATCHED_SECS} s", f"{share:.2f} %", "", "", "0.0 %")
    yield ("resident memory", f"{memory:.0f} MB", "", "", "at most 60 MB")
