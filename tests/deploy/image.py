"""Builds the image without a daemon: buildah, over a Debian made by debootstrap, kept under `build/`."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.deploy.manifests import ROOT

CACHE = ROOT / "build" / "image"
SUITE = "bookworm"
BASE, IMAGE = "localhost/base", "localhost/router"
NEEDED = ("buildah", "debootstrap", "unshare", "nsenter")


def require_tools() -> None:
    """Raise with what to install when something is missing."""
    if os.geteuid() != 0:
        raise RuntimeError("the image test makes a root file system and name spaces: run it as root")
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        raise RuntimeError(f"the image test needs {', '.join(missing)}: make setup-test installs them")


def run(*command: str | Path) -> str:
    """Standard output of a command; its last lines as an error when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=420, check=False, cwd=ROOT)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise RuntimeError(f"{' '.join(map(str, command[:4]))} … ended with {done.returncode}:\n{tail}")
    return done.stdout


def buildah(*arguments: str | Path) -> str:
    """buildah on a storage of our own; vfs works on every file system."""
    storage = ("--root", CACHE / "storage", "--runroot", CACHE / "run", "--storage-driver", "vfs")
    return run("buildah", *storage, *arguments).strip()


@contextmanager
def locked() -> Iterator[None]:
    """One builder at a time on this storage, whatever processes the tests run in."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def base_archive() -> Path:
    """A small Debian with Python in one file; made once, about a minute."""
    archive = CACHE / f"{SUITE}.tar"
    if archive.exists():
        return archive
    rootfs, unfinished = CACHE / f"{SUITE}.{os.getpid()}", archive.with_suffix(".tmp")
    mirror = [value for value in (os.environ.get("DEBIAN_MIRROR"),) if value]
    run(
        "debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", SUITE, rootfs, *mirror
    )  # fmt: skip
    unneeded = ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*", "usr/share/doc/*", "usr/share/locale/*")
    run("tar", "-C", rootfs, *(f"--exclude=./{path}" for path in unneeded), "-cf", unfinished, ".")
    shutil.rmtree(rootfs)
    unfinished.rename(archive)
    return archive


def make_base() -> None:
    """The base image, if this storage hasn't got it."""
    archive = base_archive()
    if BASE in buildah("images", "--noheading", "--format", "{{.Name}}").split():
        return
    working = buildah("from", "scratch")
    buildah("add", "--quiet", working, archive, "/")
    buildah("commit", "--quiet", working, BASE)
    buildah("rm", working)


def pip_secrets(folder: Path) -> Iterator[str]:
    """How pip is set up here, as build secrets: the index, proxy and CA that this machine needs, whatever they are."""
    listed = run(sys.executable, "-m", "pip", "config", "list").splitlines()
    options = {name.rpartition(".")[2]: value.strip("'") for name, _, value in (line.partition("=") for line in listed)}
    if certificates := options.get("cert") or os.environ.get("SSL_CERT_FILE"):
        options["cert"] = "/run/secrets/ca.pem"
        yield f"id=ca.pem,src={certificates}"
    options.pop("find-links", None)  # a folder of this machine
    config = folder / "pip.conf"
    config.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in options.items()))
    yield f"id=pip.conf,src={config}"


@contextmanager
def built(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The image's root file system, mounted, and its configuration; gone afterwards."""
    require_tools()
    with locked():
        buildah("rm", "--all")  # what a killed run left behind
        make_base()
        secrets = [argument for secret in pip_secrets(folder) for argument in ("--secret", secret)]
        buildah(
            "bud", "--isolation", "chroot", "--format", "docker", "--build-arg", f"BASE={BASE}", *secrets,
            "--file", ROOT / "deploy" / "Dockerfile", "--tag", IMAGE, ROOT,
        )  # fmt: skip
        buildah("rmi", "--prune")
        working = buildah("from", IMAGE)
        try:
            config = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
            yield Path(buildah("mount", working)), config
        finally:
            buildah("rm", working)
