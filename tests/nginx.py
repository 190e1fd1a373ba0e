"""A real nginx, with the site of final/deploy/nginx.conf, on ports of its own."""

import os
import pwd
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steps.ports import free_port
from tests.live import ROOT, opens

SITE = ROOT / "final" / "deploy" / "nginx.conf"
MAIN = """
daemon off;
user {user};
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


class Nginx:
    """An nginx that runs: its address, and what a client needs to trust it."""

    def __init__(self, http: int, https: int, certificate: Path, log: Path) -> None:
        self.http = f"http://localhost:{http}"
        self.https = f"https://localhost:{https}"
        self.wss = f"wss://localhost:{https}/live/"
        self.context = ssl.create_default_context(cafile=certificate)
        self.log = log


def adapted(text: str, changes: dict[str, str]) -> str:
    """Return a file for this machine; raise ValueError if it has not what changes."""
    for pattern, replacement in changes.items():
        text, number = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if not number:
            raise ValueError(f"nothing matches {pattern}")
    return text


def make_certificate(folder: Path) -> None:
    """Make a certificate for localhost that nobody but the test trusts."""
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "ec", "-noenc", "-days", "1"],
            *["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"],
            *["-addext", "subjectAltName=DNS:localhost"],
            *["-keyout", f"{folder}/key.pem", "-out", f"{folder}/certificate.pem"],
        ],
        check=True,
        capture_output=True,
    )


@contextmanager
def running_nginx(
    folder: Path, https: int, site: int, servers: list[int], changes: dict[str, str]
) -> Iterator[Nginx]:
    """
    Run nginx on a port, in front of a site and some servers on others.

    The file is changed where this machine differs, and where a test asks for it. If
    nginx isn't installed, skip the test.

    """
    path = f"{os.environ['PATH']}:/usr/sbin"
    if (program := shutil.which("nginx", path=path)) is None:
        pytest.skip("nginx isn't installed: apt-get install nginx-light")
    make_certificate(folder)
    http = free_port()
    listed = "\n".join(f"    server 127.0.0.1:{port};" for port in servers)
    text = adapted(
        SITE.read_text(),
        {
            r"listen 80;": f"listen 127.0.0.1:{http};",
            r"listen 443 ssl;": f"listen 127.0.0.1:{https} ssl;",
            r"^ *listen \[::\].*\n": "",
            r"server_name .*;": "server_name localhost;",
            r"ssl_certificate .*;": f"ssl_certificate {folder}/certificate.pem;",
            r"ssl_certificate_key .*;": f"ssl_certificate_key {folder}/key.pem;",
            r"https://\$host": f"https://$host:{https}",
            r"127.0.0.1:8000": f"127.0.0.1:{site}",
            r"( *server 127.0.0.1:88\d\d;.*\n?)+": f"{listed}\n",
        }
        | changes,
    )
    (folder / "site.conf").write_text(text)
    user = pwd.getpwuid(os.geteuid()).pw_name
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
    log = folder / "error.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [program, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"],
            stderr=errors,
        ) as process,
    ):
        try:
            if not opens(process, https):
                raise RuntimeError(f"nginx didn't start: {log.read_text()}")
            yield Nginx(http, https, folder / "certificate.pem", log)
        finally:
            process.terminate()
