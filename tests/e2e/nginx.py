"""A real nginx for the tests: it ends TLS before a server, and gives out the files of a build."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.support import wait_until

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

_CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  types {{ text/html html; text/plain txt; }}
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {servers}
}}
"""
_TLS = """
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/cert.pem;
    ssl_certificate_key {folder}/key.pem;
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_set_header Host $http_host;
      {headers}
    }}
  }}
"""


@contextmanager
def running(folder: Path, port: int, servers: str) -> Iterator[None]:
    """Runs nginx with some `server` blocks until it is no longer needed."""
    if NGINX is None:
        pytest.skip("nginx is not installed")
    folder.mkdir()
    (folder / "nginx.conf").write_text(_CONFIG.format(folder=folder, servers=servers))
    certificate = ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem", "-days", "2", "-nodes"]
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=127.0.0.1", *certificate]
    subprocess.run(new, check=True, capture_output=True)
    process = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)

    def answers() -> bool:
        assert process.poll() is None, (folder / "error.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(answers, "nginx")
        yield
    finally:
        process.kill()
        process.wait()


def tls(folder: Path, port: int, upstream: int, headers: str) -> str:
    """Gives a server block that ends TLS, with the `proxy_set_header` lines that it has besides Host."""
    return _TLS.format(folder=folder, port=port, upstream=upstream, headers=headers)
