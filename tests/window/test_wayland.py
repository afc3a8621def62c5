"""The window under a Wayland compositor without a screen: it opens, closes while backup goes on, and
comes back; nothing of X is there to fall back on."""

import os
import subprocess
import tempfile
from pathlib import Path

from driver import BINARY, GLib, Safelight, application, is_running, switch_accessibility_on, wait_until
from library import Library

PHOTOS = 5
SOCKET = "wayland-safelight"
SLOW_SECS = 120


class WaylandStage:
    """Weston without a screen, a folder and the binary."""

    def __init__(self):
        self.room = Path(tempfile.mkdtemp(prefix="sl-"))
        self.display = os.environ.pop("DISPLAY", None)
        socket = Path(os.environ["XDG_RUNTIME_DIR"]) / SOCKET
        self.compositor = subprocess.Popen(
            ["weston", "--backend=headless-backend.so", f"--socket={SOCKET}", "--use-gl", "--width=1400",
             "--height=900"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(self.room / "weston.log").open("wb"),
            start_new_session=True,
        )  # fmt: skip
        wait_until("the compositor", 30, socket.exists)
        os.environ["WAYLAND_DISPLAY"] = SOCKET
        switch_accessibility_on()
        self.library = Library(self.room / "photos")
        self.library.grow(PHOTOS)
        self.app = Safelight(self.room / "data", self.room)
        self.process = None

    def nodes(self):
        app = application(self.process.pid) if self.process else None
        return list(app.walk()) if app is not None else []

    def shows(self, text):
        return any(text in node.name.replace("\u00a0", " ") for node in self.nodes())

    def press(self, name, roles):
        def try_press():
            try:
                # The last of a name: a dialog's button comes after the page's.
                for node in reversed(self.nodes()):
                    if node.name == name and node.role in roles:
                        node.press()
                        return True
            except GLib.Error:
                pass
            return False

        wait_until(f"{name!r} is pressed", 30, try_press)

    def open_window(self):
        self.process = self.app.start()
        wait_until("the window can be read", 60, lambda: len(self.nodes()), lambda count: count > 10)

    def explain(self, label):
        print(label, "shown:", [repr(node) for node in self.nodes()][:200])
        for log in [self.room / "weston.log", *sorted(self.room.glob("started-*.log"))]:
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3_000:]}")

    def tear_down(self):
        self.app.end_all()
        self.compositor.terminate()
        self.compositor.wait(20)
        os.environ.pop("WAYLAND_DISPLAY", None)
        if self.display is not None:
            os.environ["DISPLAY"] = self.display


def set_up():
    return WaylandStage()


def all_safe(count):
    return lambda bins: bins["safe"] == bins["found"] == count


def check_the_window_opens_and_shows_the_backup(stage):
    stage.app.must("backup", str(stage.library.folder), "--to", str(stage.room / "backup"), timeout=120)
    stage.open_window()
    wait_until("the window says so", 60, lambda: stage.shows(f"{PHOTOS} of {PHOTOS} files safe"))


def check_a_screen_is_reached(stage):
    stage.press("Settings", ("push button", "button", "toggle button", "page tab", "list item", "radio button"))
    wait_until("the settings", 30, lambda: stage.shows("Start when I sign in"))


def check_closing_it_keeps_backing_up(stage):
    stage.press("Close window", ("push button", "button"))
    # The dialog's name; the page has a sentence that begins alike.
    wait_until("the notice", 30, lambda: any(node.name == "Backup continues" for node in stage.nodes()))
    stage.press("Close window", ("push button", "button"))
    wait_until("the window is gone", 30, lambda: not is_running(stage.process.pid))
    stage.library.grow(2)
    wait_until("the agent backs up", SLOW_SECS, stage.app.bins, all_safe(PHOTOS + 2))


def check_it_comes_back_and_opens_once(stage):
    stage.open_window()
    wait_until("the window says so", 60, lambda: stage.shows(f"{PHOTOS + 2} of {PHOTOS + 2} files safe"))
    second = subprocess.run(
        [BINARY, "--data-dir", stage.app.data_dir], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    assert second.returncode == 0, second.stderr
    assert is_running(stage.process.pid), "the first window ended"
