"""Make a virtual environment that has pip in it, and install this project there, editable.

    python3 tools/bootstrap.py .venv '.[dev]'

Some systems ship Python without `ensurepip`, so that `python3 -m venv` fails or leaves an
environment without pip. The environment is therefore made without pip, and pip comes from the
first of these that works: `ensurepip`, the pip that started this script, the pip wheel of the
package index. Standard library only, and no newer syntax than Python 3.6 knows.
"""
# No `from __future__ import annotations`: Python 3.6 stops at it before it can be told its age.
# ruff: noqa: I002

import configparser
import hashlib
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import venv

OLDEST = (3, 11)
PYPI = "https://pypi.org/simple"
PIP_CONFIG_FILES = (
    os.environ.get("PIP_CONFIG_FILE", ""),
    os.path.expanduser("~/.config/pip/pip.conf"),
    os.path.expanduser("~/.pip/pip.conf"),
    "/etc/xdg/pip/pip.conf",
    "/etc/pip.conf",
)


def main(folder, target):
    """Bring the environment in `folder` to where it can run `target`, e.g. `.[dev]`."""
    version = sys.version.split()[0]
    if sys.version_info < OLDEST:
        sys.exit(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this one is {version}")
    python = os.path.join(folder, "bin", "python")
    if not works(python, "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"):
        print(f"making {folder} with Python {version}", flush=True)
        venv.EnvBuilder(clear=True, symlinks=True, with_pip=False).create(folder)
    if not works(python, "-m", "pip", "--version"):
        install_pip(python)
    print(f"installing {target} (the first time takes a minute)", flush=True)
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--editable", target])
    sys.exit(done.returncode)


def works(*command):
    """Whether a command can be run and ends well; what it prints is nobody's business."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.run(command, **silent).returncode == 0
    except OSError:
        return False


def install_pip(python):
    """Give the environment of `python` a pip, from the nearest source that has one."""
    if works(python, "-m", "ensurepip", "--default-pip"):
        return
    if works(sys.executable, "-m", "pip", "--python", python, "install", "pip"):
        return
    with tempfile.TemporaryDirectory() as folder:
        wheel = download_pip(folder)
        # A wheel is a zip file, and Python runs what lies inside one.
        command = [python, os.path.join(wheel, "pip"), "install", "--quiet", wheel]
        subprocess.run(command, check=True)


def download_pip(folder):
    """Fetch the newest pip wheel that the package index offers; return its path.

    The page is that of https://packaging.python.org/specifications/simple-repository-api/.
    """
    page_address = setting("index-url", PYPI).rstrip("/") + "/pip/"
    page = fetch(page_address).decode()
    offers = re.findall(r'href="([^"]*/pip-([0-9.]+)-py3-none-any\.whl)(?:#sha256=(\w+))?', page)
    if not offers:
        sys.exit(f"no pip wheel at {page_address}: set PIP_INDEX_URL to a package index")
    link, version, sha256 = max(offers, key=lambda offer: [int(n) for n in offer[1].split(".")])
    content = fetch(urllib.parse.urljoin(page_address, link))
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        sys.exit(f"the pip wheel from {page_address} does not have the checksum that it should")
    path = os.path.join(folder, f"pip-{version}-py3-none-any.whl")
    with open(path, "wb") as file:
        file.write(content)
    return path


def fetch(address):
    """Return the bytes behind an address, trusting the certificates that pip is told to trust."""
    trusted = ssl.create_default_context(cafile=setting("cert", None))
    request = urllib.request.Request(address, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, context=trusted, timeout=60) as answer:
        return answer.read()


def setting(name, default):
    """Return what pip itself would use for an option: its environment, then its configuration."""
    value = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if value:
        return value
    config = configparser.RawConfigParser()
    for path in reversed(PIP_CONFIG_FILES):  # a file read later overrides one read earlier
        config.read(path)
    return config.get("global", name, fallback=default)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
