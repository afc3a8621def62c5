"""The backup goes on while its window is minimised, closed or killed; quitting is explicit."""

import os
import re
import signal
import time

from driver import Atspi, Late, Stage, Window, is_running, wait_until
from library import Library, digests

FIRST_FILES = 6
FILES = 3_000
# The agent must be seen to make this many files safe on its own.
STEPS = 150
# Deadlines leave room for a busy machine; the times that count are printed.
SLOW_SECS = 180
BACK_WITHIN_SECS = 4
STOPPED_WITHIN_SECS = 20
SCREENS = ("Library", "Queue", "Destinations", "Settings")
# A screen of the sidebar, whose page has a heading of the same name.
TAB = ("page tab",)
# Its words stand beside it as a label of the same name.
TOGGLE = {"name": "Backup", "roles": ("toggle button", "switch")}


def set_up():
    stage = Stage("minimise")
    stage.library = Library(stage.room / "photos")
    stage.backup = stage.room / "backup"
    stage.agent = None
    return stage


def keep_busy(stage):
    """Sees to it that the agent has work for the next check, and knows of all of it."""
    if stage.app.bins()["waiting"] < 4 * STEPS:
        stage.library.grow(FILES // 2)
    wait_until(
        "all files are found", SLOW_SECS, stage.app.bins, lambda bins: bins["found"] == stage.library.count
    )


def goes_on(stage, what):
    """The waiting count falls, and what was waiting becomes safe."""
    if stage.app.bins()["waiting"] < 2 * STEPS:
        # What there was to do was done before this could be watched.
        stage.library.grow(FILES // 2)
    enough = lambda bins: bins["waiting"] >= 2 * STEPS  # noqa: E731
    first = wait_until(f"{what}: work waits", SLOW_SECS, stage.app.bins, enough)
    wanted = first["waiting"] - STEPS
    last = wait_until(f"{what}: waiting falls", SLOW_SECS, stage.app.bins, lambda bins: bins["waiting"] <= wanted)
    assert last["safe"] > first["safe"], (first, last)
    print(f"   {what}: waiting {first['waiting']} -> {last['waiting']}, safe {first['safe']} -> {last['safe']}")


def safe_counts(text):
    """The numbers before and after "of" in "18 204 of 18 204 safe …", however they are grouped."""
    flat = re.sub(r"(?<=\d)[\s,.\u2009\u202f\u00a0](?=\d{3})", "", text)
    found = re.search(r"(\d+) of (\d+)\b.*\bsafe\b", flat)
    return (int(found[1]), int(found[2])) if found else None


def shows_truth(stage):
    """The window's sentence lies between what the agent said before and after it was read."""
    before = stage.app.bins()
    shown = [counts for node in stage.window.nodes() if (counts := safe_counts(node.name)) is not None]
    after = stage.app.bins()
    return any(before["safe"] <= safe <= after["safe"] and found <= after["found"] for safe, found in shown)


def check_a_first_backup_by_command(stage):
    stage.library.grow(FIRST_FILES)
    stage.app.must("backup", str(stage.library.folder), "--to", str(stage.backup), timeout=120)
    bins = stage.app.bins()
    assert (bins["found"], bins["safe"]) == (FIRST_FILES, FIRST_FILES), bins


def check_the_window_shows_it(stage):
    window = stage.open_window()
    for screen in SCREENS:
        window.find(screen, TAB)
    window.find("Safelight", ("frame", "window"))
    wait_until("the sentence is true", 20, lambda: shows_truth(stage))
    stage.agent = wait_until("an agent runs", 20, stage.app.agent_pid)
    assert stage.agent != window.pid, "the window does the agent's work itself"
    stage.screenshot("1-opened")


def check_the_toggle_stops_and_starts(stage):
    window = stage.window
    wait_until("the toggle is on", 20, lambda: window.find(**TOGGLE).is_on)
    window.press(**TOGGLE)
    wait_until("backup is off", 20, lambda: stage.app.status()["backup"], lambda state: state == "off")
    wait_until("the toggle is off", 20, lambda: not window.find(**TOGGLE).is_on)
    stage.library.grow(FILES)
    assert stage.app.bins()["safe"] == FIRST_FILES
    stage.screenshot("2-off")
    window.press(**TOGGLE)
    wait_until("backup is on", 20, lambda: stage.app.status()["backup"], lambda state: state == "on")
    goes_on(stage, "switched on")
    stage.screenshot("3-on")


def check_it_goes_on_when_minimised(stage):
    keep_busy(stage)
    stage.window.minimise()
    goes_on(stage, "minimised")
    assert stage.window.is_minimised and stage.app.agent_pid() == stage.agent
    stage.screenshot("4-minimised")


def check_restoring_shows_the_truth(stage):
    stage.window.restore()
    wait_until("the sentence is true", 20, lambda: shows_truth(stage))
    stage.screenshot("5-restored")


def check_it_goes_on_when_closed(stage):
    keep_busy(stage)
    window = stage.window
    window.close()
    try:
        wait_until("the window has gone", 3, lambda: not window.is_open)
    except Late:
        # The first close says that backup goes on, and waits until that has been read.
        stage.screenshot("6-first-close")
        assert window.shows(lambda text: "back" in text.lower() and "up" in text.lower())
        window.press("Close window")
        wait_until("the window has gone", 20, lambda: not window.is_open)
    goes_on(stage, "closed")
    assert stage.app.agent_pid() == stage.agent
    stage.screenshot("7-closed")


def check_a_second_launch_brings_it_back(stage):
    began = time.monotonic()
    took = stage.open_window(BACK_WITHIN_SECS).seen_at - began
    print(f"   back after {took:.2f} s")
    wait_until("the sentence is true", 20, lambda: shows_truth(stage))
    assert stage.app.agent_pid() == stage.agent
    stage.screenshot("8-back")


def check_a_launch_beside_it_raises_it(stage):
    stage.window.minimise()
    second = stage.app.start()
    wait_until("the window is raised", BACK_WITHIN_SECS, lambda: not stage.window.is_minimised)
    wait_until("the second launch ends", 20, lambda: second.poll() is not None)
    assert second.returncode == 0, second.returncode
    assert stage.app.windows() == [stage.window.id]


def check_it_goes_on_when_the_window_is_killed(stage):
    keep_busy(stage)
    os.kill(stage.window.pid, signal.SIGKILL)
    wait_until("the window has gone", 20, lambda: not is_running(stage.window.pid))
    goes_on(stage, "killed")
    assert stage.app.agent_pid() == stage.agent


def check_all_is_safe_in_the_end(stage):
    window = stage.open_window()
    wait_until(
        "all is safe", 3 * SLOW_SECS, stage.app.bins, lambda bins: bins["safe"] == bins["found"] == stage.library.count
    )
    wait_until("the sentence is true", 20, lambda: shows_truth(stage))
    for screen in SCREENS:
        window.press(screen, TAB)
        wait_until(f"{screen} is chosen", 20, lambda: window.find(screen, TAB).is_on)
        stage.screenshot(f"9-{screen.lower()}")
    assert digests(stage.backup) == stage.library.digests()


def check_what_is_shown_is_told_as_what_it_is(stage):
    window = stage.window
    window.press("Settings", TAB)
    window.find("Settings", ("heading",))
    window.find("Photo folders", ("heading",))
    window.press("Keyboard shortcuts", ("button", "push button"))
    dialog = window.find("Keyboard shortcuts", ("dialog",))
    assert dialog.has_state(Atspi.StateType.MODAL), "the dialog does not say that it is modal"
    assert window.find("Done").has_state(Atspi.StateType.FOCUSED), "the dialog's button has no focus"
    window.key("Escape")
    wait_until("the dialog has gone", 10, lambda: not window.shows("Ctrl+1 to Ctrl+4"))


def check_quitting_stops_the_agent(stage):
    window = stage.window
    window.press("Settings", TAB)
    began = time.monotonic()
    window.press("Quit Safelight")
    wait_until("the agent has gone", STOPPED_WITHIN_SECS, lambda: not is_running(stage.agent))
    print(f"   stopped after {time.monotonic() - began:.2f} s")
    wait_until("the window has gone", 20, lambda: not stage.app.processes())
    code, out, _ = stage.app.command("status", "--json")
    assert code == 0 and out, "the ledger can be read after quitting"
