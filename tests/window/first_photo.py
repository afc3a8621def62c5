"""From an installed package to the first safe photo, without a terminal.

Run by `tests/package` in a clean system, as an ordinary person: the window is opened, a photo folder
and a backup folder are typed into it, and backup is switched on, all through the accessibility
interface. Says how many seconds it took.
"""

import time
from pathlib import Path

from driver import Display, Safelight, Window, run, wait_until

PICTURES = Path.home() / "Pictures"
BACKUP = Path.home() / "Backup"


def main():
    began = time.monotonic()
    display = Display()
    app = Safelight(Path.home() / ".local/share/safelight", Path.home())
    try:
        app.start()
        window = Window(app)
        window.find("Keep your photos safe", deadline_secs=60)
        window.set_text("Photo folder", str(PICTURES))
        window.key("Return")
        window.find(lambda name: "1 file" in name.replace("\u00a0", " "), deadline_secs=60)
        window.set_text("Backup folder", str(BACKUP))
        window.key("Return")
        window.press("Agree and switch on backup", deadline_secs=60)
        wait_until("backup is on", 60, lambda: app.status()["backup"], lambda state: state == "on")
        wait_until("the photo is safe", 120, app.bins, lambda bins: bins["safe"] == bins["found"] == 1)
        print(f"first photo safe after {time.monotonic() - began:.1f} s")
        app.must("agent", "--stop")
    except BaseException:
        print(run("wmctrl", "-lp"), app.processes(), (Path.home() / "started-0.log").read_text()[-4000:])
        raise
    finally:
        app.end_all()
        display.stop()


main()
