"""The servers that copies go to, on 127.0.0.1, each for as long as a bench runs, and the programs that
Safelight is measured against there."""

import base64
import contextlib
import hashlib
import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

PLACE = Path(os.environ["SAFELIGHT_SERVERS"])
FAKE_IMMICH = os.environ["SAFELIGHT_FAKE_IMMICH"]
RCLONE = PLACE / "venv/bin/rclone"
READY_WITHIN = 60
USER, PASSWORD, BUCKET = "ann", "bench-password", "bench"
# What both sides have under way at once, so that only what they make of it differs.
FILES_AT_ONCE = 8
PARTS_AT_ONCE = 4
IMMICH_AT_ONCE = 6

APACHE = """
ServerRoot "DIR"
ServerName 127.0.0.1
Listen 127.0.0.1:PORT
PidFile "DIR/pid"
ErrorLog "DIR/log"
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_basic_module /usr/lib/apache2/modules/mod_auth_basic.so
LoadModule dav_module /usr/lib/apache2/modules/mod_dav.so
LoadModule dav_fs_module /usr/lib/apache2/modules/mod_dav_fs.so
User www-data
Group www-data
DocumentRoot "DIR/files"
DavLockDB "DIR/files/.lock"
<Directory "DIR/files">
    Dav On
    AuthType Basic
    AuthName "bench"
    AuthUserFile "DIR/users"
    Require valid-user
</Directory>
"""


def free_port():
    """A port whose second one, ten thousand above, is free too: SeaweedFS wants pairs."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 10_000))
                return port


def wait_for(what, is_there):
    began = time.monotonic()
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if is_there():
                return
        if time.monotonic() - began > READY_WITHIN:
            raise SystemExit(f"{what} is not ready after {READY_WITHIN} s")
        time.sleep(0.05)


@contextlib.contextmanager
def running(place, *command):
    """A server in a process group of its own; what it says goes into a file."""
    with open(place / "said", "wb") as said:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


@contextlib.contextmanager
def seaweedfs(place):
    """SeaweedFS in one process; gives the port of its S3 gateway."""
    place.mkdir()
    (place / "d").mkdir()
    key = f'{{"accessKey":"{USER}","secretKey":"{PASSWORD}"}}'
    actions = '["Admin","Read","Write","List","Tagging"]'
    (place / "s3.json").write_text(
        f'{{"identities":[{{"name":"bench","credentials":[{key}],"actions":{actions}}}]}}'
    )
    master, volume, filer, gateway = (free_port() for _ in range(4))
    command = [PLACE / "venv/bin/weed", "server", "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-dir", "d"]
    command += [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
    command += ["-master.telemetry=false", "-volume.max=100", "-s3", "-s3.config", "s3.json"]
    command += [f"-s3.port={gateway}", f"-s3.port.grpc={free_port()}"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]

    def takes_files():
        connection = http.client.HTTPConnection("127.0.0.1", filer, timeout=5)
        connection.request("PUT", f"/buckets/{BUCKET}/first", b"first")
        return connection.getresponse().status in (200, 201)

    with running(place, *command):
        wait_for("SeaweedFS", lambda: takes_files() and answers(gateway))
        yield gateway


@contextlib.contextmanager
def apache(place):
    """Apache with mod_dav and a password; gives its port and the folder that it serves."""
    place.mkdir()
    place.chmod(0o755)
    files = place / "files"
    files.mkdir()
    files.chmod(0o777)
    port = free_port()
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    (place / "users").write_text(f"{USER}:{{SHA}}{digest}\n")
    (place / "httpd.conf").write_text(APACHE.replace("DIR", str(place)).replace("PORT", str(port)))
    with running(place, "apache2", "-DFOREGROUND", "-f", place / "httpd.conf"):
        wait_for("Apache", lambda: answers(port))
        yield port, files


@contextlib.contextmanager
def immich(place):
    """An empty fake Immich; gives its port and its key."""
    place.mkdir(exist_ok=True)
    port = free_port()
    with running(place, FAKE_IMMICH, "--port", port, "--key", PASSWORD):
        wait_for("the fake Immich", lambda: answers(port))
        yield port, PASSWORD


def rclone(*words):
    """rclone with as much under way at once as Safelight has."""
    together = [f"--transfers={FILES_AT_ONCE}", f"--checkers={FILES_AT_ONCE}"]
    return [RCLONE, "--config", "/dev/null", *together, *words]
