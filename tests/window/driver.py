"""A virtual display, the built binary on it, and hands and eyes for both.

What the binary shows is read and pressed through AT-SPI, by accessible role and name, as a screen
reader does; pixels are only kept as screenshots for people. Nothing here waits for a fixed time:
every wait polls a state that can be seen, and has a deadline.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

BINARY = os.environ["SAFELIGHT_BINARY"]
SCREEN = "1400x900x24"
POLL_SECS = 0.05
# A tree deeper or wider than this is a fault of the window, not a reason to wait for ever.
NODES_MAX = 20_000


class Late(AssertionError):
    """A deadline passed."""


def wait_until(what, deadline_secs, look, wanted=bool):
    """Calls `look` until `wanted` of what it gives is true; gives that. Tells the last state."""
    began = time.monotonic()
    while True:
        seen = look()
        if wanted(seen):
            return seen
        if time.monotonic() - began > deadline_secs:
            raise Late(f"{what}: not within {deadline_secs} s; last seen: {seen!r}")
        time.sleep(POLL_SECS)


def run(*command, **options):
    """Runs a helper program to its end and gives what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    return done.stdout


def is_running(pid):
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def switch_accessibility_on():
    """Tells the desktop's bus that a screen reader is there, and begins to read."""
    for switch in ("IsEnabled", "ScreenReaderEnabled"):
        run(
            "gdbus", "call", "--session", "--dest", "org.a11y.Bus", "--object-path", "/org/a11y/bus",
            "--method", "org.freedesktop.DBus.Properties.Set", "org.a11y.Status", switch, "<true>", check=True,
        )  # fmt: skip
    Atspi.init()
    Atspi.set_timeout(2_000, 5_000)


class Display:
    """Xvfb with a window manager and accessibility switched on, until `stop`."""

    def __init__(self):
        self.processes = []
        try:
            self._start_all()
        except BaseException:
            self.stop()
            raise

    def _start_all(self):
        read, write = os.pipe()
        self._start("Xvfb", "-displayfd", str(write), "-screen", "0", SCREEN, "-nolisten", "tcp", pass_fds=(write,))
        os.close(write)
        with os.fdopen(read) as number:
            self.name = ":" + number.readline().strip()
        assert self.name != ":", "Xvfb did not start"
        os.environ["DISPLAY"] = self.name
        self._start("openbox")
        wait_until("the window manager", 20, lambda: run("xprop", "-root", "_NET_SUPPORTING_WM_CHECK"), lambda said: "0x" in said)
        switch_accessibility_on()

    def _start(self, *command, **options):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, **options,
        )  # fmt: skip
        self.processes.append(process)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Node:
    """One accessible object, as far as it still exists."""

    def __init__(self, accessible):
        self.accessible = accessible

    @property
    def name(self):
        """Its name; none once it has gone, as lists change while they are read."""
        try:
            return self.accessible.get_name() or ""
        except GLib.Error:
            return ""

    @property
    def role(self):
        """Its role; none once it has gone."""
        try:
            return self.accessible.get_role_name() or ""
        except GLib.Error:
            return ""

    def has_state(self, state):
        return self.accessible.get_state_set().contains(state)

    @property
    def is_on(self):
        """Checked, pressed or selected, whichever way the toolkit says it."""
        states = (Atspi.StateType.CHECKED, Atspi.StateType.PRESSED, Atspi.StateType.SELECTED)
        return any(self.has_state(state) for state in states)

    @property
    def text(self):
        """The text it holds; its name where it holds none."""
        try:
            inner = self.accessible.get_text_iface()
            if inner is not None:
                return Atspi.Text.get_text(inner, 0, Atspi.Text.get_character_count(inner))
        except GLib.Error:
            pass
        return self.name

    def press(self):
        """Does its first action: what a click does."""
        action = self.accessible.get_action_iface()
        assert action is not None, f"{self!r} has no action"
        assert Atspi.Action.do_action(action, 0), f"{self!r} would not be pressed"

    def focus(self):
        component = self.accessible.get_component_iface()
        assert component is not None and Atspi.Component.grab_focus(component), f"{self!r} takes no focus"

    def walk(self):
        """It and everything below it."""
        waiting = [self]
        seen = 0
        while waiting and seen < NODES_MAX:
            node = waiting.pop(0)
            seen += 1
            yield node
            try:
                count = node.accessible.get_child_count()
                children = [node.accessible.get_child_at_index(index) for index in range(count)]
            except GLib.Error:
                continue
            waiting.extend(Node(child) for child in children if child is not None)

    def __repr__(self):
        try:
            return f"{self.role} {self.name!r}"
        except GLib.Error:
            return "a node that has gone"


def application(pid):
    """The accessible application of a process; none while it has none."""
    desktop = Atspi.get_desktop(0)
    for index in range(desktop.get_child_count()):
        try:
            child = desktop.get_child_at_index(index)
            if child is not None and child.get_process_id() == pid:
                return Node(child)
        except GLib.Error:
            continue
    return None


class Safelight:
    """The binary with a data directory of its own: its commands, its agent and its window."""

    def __init__(self, data_dir, log_dir):
        self.data_dir = Path(data_dir)
        self.log_dir = Path(log_dir)
        self.started = []

    def command(self, *arguments, timeout=60):
        """Runs a command to its end; gives its exit code and what it printed."""
        done = subprocess.run(
            [BINARY, "--data-dir", self.data_dir, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def must(self, *arguments, timeout=60):
        """Runs a command that has to succeed; gives what it printed."""
        code, out, err = self.command(*arguments, timeout=timeout)
        assert code == 0, f"{arguments}: exit code {code}\n{out}\n{err}"
        return out

    def status(self):
        """The document of `status --json`."""
        code, out, err = self.command("status", "--json")
        assert out.strip(), f"status: exit code {code}\n{err}"
        return json.loads(out)

    def bins(self):
        """The only destination's bins; the accounting identity is checked each time."""
        (destination,) = self.status()["destinations"]
        names = ("safe", "unproven", "waiting", "uploading", "needs_attention", "excluded")
        assert destination["found"] == sum(destination[name] for name in names), destination
        return destination

    def start(self, *arguments):
        """Starts the binary and leaves it running: without arguments, its window."""
        log = open(self.log_dir / f"started-{len(self.started)}.log", "wb")
        process = subprocess.Popen(
            [BINARY, "--data-dir", self.data_dir, *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def processes(self):
        """Process ids of all that run with this data directory, those that it started included."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                program = os.readlink(entry / "exe")
            except OSError:
                continue
            is_ours = program.removesuffix(" (deleted)") == BINARY and is_running(int(entry.name))
            if is_ours and os.fsencode(self.data_dir) in b" ".join(words):
                found.append(int(entry.name))
        return found

    def agent_pid(self):
        """The process that holds the lock of the data directory; none when nobody does."""
        lock = self.data_dir / "lock"
        try:
            inode = lock.stat().st_ino
        except OSError:
            return None
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            # "1: FLOCK ADVISORY WRITE 1234 fe:00:5678 0 EOF"; "->" marks one that only waits.
            if "->" in words or not words[5].endswith(f":{inode}"):
                continue
            if int(words[4]) in self.processes():
                return int(words[4])
        return None

    def windows(self):
        """Ids of all windows of everything that runs with this data directory."""
        return [window for pid in self.processes() for window in windows_of(pid)]

    def end_all(self):
        """Ends everything that was started, and the agent it started."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()


class Window:
    """The one window of everything that runs with a data directory."""

    def __init__(self, app, deadline_secs=30):
        self.app = app
        self.pid, self.id = wait_until("the window", deadline_secs, lambda: self._find(app))

    @staticmethod
    def _find(app):
        for pid in app.processes():
            for window in windows_of(pid):
                return pid, window
        return None

    @property
    def is_open(self):
        """It is there for its person: mapped, or minimised."""
        return self.id in windows_of(self.pid)

    @property
    def is_minimised(self):
        return "Iconic" in run("xprop", "-id", self.id, "WM_STATE")

    @property
    def is_active(self):
        said = run("xprop", "-root", "_NET_ACTIVE_WINDOW")
        return said.strip().lower().endswith(hex(int(self.id, 16)))

    def minimise(self):
        run("xdotool", "windowminimize", self.id)
        wait_until("the window is minimised", 10, lambda: self.is_minimised)

    def restore(self):
        run("xdotool", "windowactivate", self.id)
        wait_until("the window is back", 10, lambda: not self.is_minimised)

    def close(self):
        """Asks it to close, as its title bar's button does."""
        run("wmctrl", "-i", "-c", self.id)

    def key(self, keys):
        """Presses keys: "ctrl+q"."""
        run("xdotool", "windowactivate", "--sync", self.id)
        run("xdotool", "key", "--window", self.id, "--clearmodifiers", keys)

    def type(self, text):
        assert text.isascii(), "xdotool cannot type it reliably"
        run("xdotool", "windowactivate", "--sync", self.id)
        run("xdotool", "type", "--delay", "5", text)

    # What it shows.

    def nodes(self):
        """Everything it shows, by role and name."""
        app = application(self.pid)
        return list(app.walk()) if app is not None else []

    def find(self, name, roles=None, deadline_secs=15):
        """The node with this name (a string, or a test of one), and one of these roles."""
        matches = name if callable(name) else (lambda text: text == name)
        shown = []

        def look():
            shown[:] = []
            for node in self.nodes():
                try:
                    if matches(node.name) and (roles is None or node.role in roles):
                        return node
                    if node.name:
                        shown.append(repr(node))
                except GLib.Error:
                    continue
            return None

        try:
            return wait_until(f"the window shows {name!r}", deadline_secs, look)
        except Late as late:
            raise Late(f"{late}; it shows: {shown[:200]}") from None

    def shows(self, name):
        """Whether it shows a node with this name, or one that passes, now."""
        matches = name if callable(name) else (lambda text: text == name)
        for node in self.nodes():
            try:
                if matches(node.name) or matches(node.text):
                    return True
            except GLib.Error:
                continue
        return False

    def press(self, name, roles=None, deadline_secs=15):
        """Presses the node with this name. One that changed while it was pressed is found again."""

        def try_press():
            try:
                self.find(name, roles, deadline_secs).press()
            except GLib.Error:
                return False
            return True

        wait_until(f"{name!r} is pressed", deadline_secs, try_press)

    def set_text(self, name, text):
        """Replaces the text of the field with this name."""
        self.find(name).focus()
        self.key("ctrl+a")
        self.type(text)
        wait_until(f"{name!r} holds the text", 10, lambda: self.find(name).text, lambda seen: seen == text)


def windows_of(pid):
    """Ids of a process's windows that the window manager knows: mapped or minimised ones."""
    lines = [line.split(maxsplit=4) for line in run("wmctrl", "-lp").splitlines()]
    return [words[0] for words in lines if len(words) >= 3 and words[2] == str(pid)]


class Stage:
    """What a file of checks works on: a display, a folder of its own and the binary."""

    def __init__(self, name):
        self.name = name
        self.room = Path(tempfile.mkdtemp(prefix="sl-"))
        shots = os.environ.get("SAFELIGHT_SHOTS")
        self.shots = Path(shots) if shots else self.room / "shots"
        self.shots.mkdir(parents=True, exist_ok=True)
        self.display = Display()
        self.app = Safelight(self.room / "data", self.room)
        self.window = None

    def open_window(self, deadline_secs=30):
        """Starts the binary without arguments and waits for its window."""
        self.app.start()
        self.window = Window(self.app, deadline_secs)
        self.window.seen_at = time.monotonic()
        wait_until("the window can be read", 30, lambda: len(self.window.nodes()), lambda n: n > 3)
        return self.window

    def screenshot(self, label):
        run("import", "-window", "root", str(self.shots / f"{self.name}-{label}.png"))

    def explain(self, label):
        """Tells what there is to know after a failure."""
        self.screenshot(f"failed-{label}")
        if self.window is not None:
            print("shown:", [repr(node) for node in self.window.nodes()][:200])
        for log in sorted(self.room.glob("started-*.log")) + sorted(self.room.glob("data/log/*")):
            text = log.read_text(errors="replace") if log.is_file() else ""
            if text:
                print(f"--- {log.name}\n{text[-4_000:]}")

    def tear_down(self):
        self.app.end_all()
        self.display.stop()
