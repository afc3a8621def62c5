"""A first backup, a retry and a restore by keyboard alone, as a screen reader follows them."""

import time

from driver import Atspi, GLib, Stage, wait_until
from library import Library, digests

PHOTOS = 6
SLOW_SECS = 180
# So many presses of Tab lead around any screen.
TABS_MAX = 80
# A file of this size that takes no room on its disk is one that a cloud drive has not downloaded.
PLACEHOLDER_BYTES = 60_000


def set_up():
    stage = Stage("keyboard")
    stage.library = Library(stage.room / "photos")
    stage.library.grow(PHOTOS)
    stage.backup = stage.room / "backup"
    stage.restored = stage.room / "restored"
    stage.missing = stage.library.folder / "trip 0" / "IMG_late.jpg"
    return stage


def focused(window):
    """The node that has the keyboard; none between two of them."""
    for node in window.nodes():
        try:
            if node.has_state(Atspi.StateType.FOCUSED) and node.role not in ("frame", "window", "application"):
                return node
        except GLib.Error:
            continue
    return None


def focused_name(window):
    node = focused(window)
    return node.name.replace("\u00a0", " ") if node is not None else ""


def tab_to(window, wanted):
    """Presses Tab until what has this name, or a name that passes, has the keyboard."""
    fits = wanted if callable(wanted) else (lambda name: name == wanted)
    met = []
    for _ in range(TABS_MAX):
        name = wait_until("something has the keyboard", 15, lambda: focused_name(window))
        if fits(name):
            return
        met.append(name)
        window.key("Tab")
        # The next stop may have the same name: then it is taken for the same one, and Tab goes on.
        deadline = time.monotonic() + 2
        while focused_name(window) == name and time.monotonic() < deadline:
            time.sleep(0.05)
    raise AssertionError(f"Tab does not lead to {wanted!r}; it led to {met}")


def is_in_view(window):
    """Whether what has the keyboard lies inside the window."""
    node, frame = focused(window), window.find("Safelight", ("frame", "window"))
    if node is None:
        return False
    inner, outer = (n.accessible.get_component_iface().get_extents(Atspi.CoordType.WINDOW) for n in (node, frame))
    return inner.y >= outer.y and inner.y + inner.height <= outer.y + outer.height


def says(window, text, deadline_secs=SLOW_SECS):
    """Waits until the window says this somewhere."""
    plain = lambda said: text in said.replace("\u00a0", " ")  # noqa: E731
    wait_until(f"the window says {text!r}", deadline_secs, lambda: window.shows(plain))


def check_a_first_run(stage):
    window = stage.open_window()
    says(window, "Keep your photos safe")
    wait_until("the first field has the keyboard", 20, lambda: focused_name(window) == "Photo folder")
    window.type(str(stage.library.folder))
    window.key("Return")
    says(window, f"{PHOTOS} files")
    tab_to(window, "Backup folder")
    window.type(str(stage.backup))
    window.key("Return")
    says(window, "Ready to use")
    tab_to(window, "Agree and switch on backup")
    wait_until("what has the keyboard is in view", 20, lambda: is_in_view(window))
    stage.screenshot("1-agree")
    window.key("Return")
    wait_until("backup is on", 30, lambda: stage.app.status()["backup"], lambda state: state == "on")
    all_safe = lambda bins: bins["safe"] == bins["found"] == PHOTOS  # noqa: E731
    wait_until("all is safe", SLOW_SECS, stage.app.bins, all_safe)
    says(window, f"{PHOTOS} of {PHOTOS} files safe")
    assert digests(stage.backup) == stage.library.digests()
    stage.screenshot("2-safe")


def check_a_retry(stage):
    window = stage.window
    with open(stage.missing, "wb") as file:
        file.truncate(PLACEHOLDER_BYTES)
    wait_until("the file needs attention", SLOW_SECS, stage.app.bins, lambda bins: bins["needs_attention"] == 1)
    says(window, "1 file needs attention")
    window.key("ctrl+2")
    # The queue opens on what needs the person, and its list has the keyboard.
    wait_until(
        "the list has the keyboard", 20, lambda: focused_name(window), lambda n: n.startswith("Needs attention")
    )
    says(window, "The file is not on this computer")
    stage.screenshot("3-attention")
    tab_to(window, lambda name: name.startswith("Show file: "))
    tab_to(window, lambda name: name.startswith("Retry: "))
    window.key("Return")
    says(window, "Retrying 1 file", 20)
    # The cloud drive has downloaded it.
    stage.missing.write_bytes(stage.library.pictures[0] + b"late" * 1_000)
    all_safe = lambda bins: bins["safe"] == bins["found"] == PHOTOS + 1  # noqa: E731
    wait_until("all is safe", SLOW_SECS, stage.app.bins, all_safe)
    says(window, "All good")
    stage.screenshot("4-good")


def check_a_restore(stage):
    window = stage.window
    window.key("ctrl+4")
    says(window, "Where to")
    tab_to(window, "Folder for the restored files")
    window.type(str(stage.restored))
    says(window, "free here")
    stage.screenshot("5-restore")
    tab_to(window, lambda name: name.startswith(f"Restore {PHOTOS + 1} files"))
    window.key("Return")
    wait_until(
        "all is restored", SLOW_SECS, lambda: digests(stage.restored) if stage.restored.exists() else None,
        lambda found: found == stage.library.digests(),
    )  # fmt: skip
    says(window, f"{PHOTOS + 1} files restored and verified")
    stage.screenshot("6-restored")


def check_no_press_of_the_pointer_was_needed(stage):
    window = stage.window
    window.key("ctrl+q")
    wait_until("the window has gone", 30, lambda: not stage.app.processes())
