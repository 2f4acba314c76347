"""Everything a broker's JVM needs, made once and cached under `build/kafka`: jars, formatted storage, class archive."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.doubles.making import key_of, made_once

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / "build" / "kafka"
POM = HERE / "pom.xml"
FLAGS = (
    "-XX:+UseSerialGC",
    "-Xss512k",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
    "-Dlog4j2.disableJmx=true",
    f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
)
SMALL = ("-Xms192m", "-Xmx384m", "-XX:TieredStopAtLevel=1")
"""Starts faster and runs slower: for tests, not for measuring."""


class BrokerError(Exception):
    """The broker can't be had; the text says what to install or shows its log."""


def java() -> Path:
    """The `java` on PATH, 17 or newer. Raises BrokerError."""
    found = shutil.which("java")
    if found is None:
        raise BrokerError('Kafka tests need Java 17+: no "java" on PATH (install a JRE, e.g. openjdk-17-jre-headless)')
    version = _version(found)
    if int(version.split(".")[0]) < 17:
        raise BrokerError(f"Kafka tests need Java 17+, found {version} at {found}")
    return Path(found)


def _version(executable: str) -> str:
    said = subprocess.run([executable, "-version"], capture_output=True, text=True, check=False, timeout=60).stderr
    match = re.search(r'"(\d[^"]*)"', said)
    if match is None:
        raise BrokerError(f"Kafka tests need Java 17+, {executable} -version says {said.strip()!r}")
    return match[1]


def classpath() -> str:
    """All jars by full name, sorted: the class archive fits only the very same path. Fetches them if need be."""
    return ":".join(sorted(str(jar) for jar in _jars().glob("*.jar")))


def _jars() -> Path:
    given = os.environ.get("KAFKA_TEST_LIB")
    if given:
        return Path(given).resolve()
    folder = CACHE / f"lib-{key_of(POM.read_text())}"
    return made_once(folder, _fetch)


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError(
            f'Kafka jars not found in {folder.parent} and no "mvn" on PATH: install Maven once (package maven), '
            "or point KAFKA_TEST_LIB at a folder of jars"
        )
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}")
    command = [maven, "-B", "-q", "-f", str(POM), *goal]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=600
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise BrokerError(f"Maven can't fetch Kafka's jars:\n{tail}\nTo repeat by hand: {' '.join(command)}")


def formatted(properties: str, scram: tuple[str, ...]) -> Path:
    """A formatted storage folder to copy for each node, with those SCRAM users in it (StorageTool's notation)."""
    folder = CACHE / f"storage-{key_of(classpath(), _version(str(java())), *scram)}"
    return made_once(folder, lambda target: _format(target, properties, scram))


def _format(target: Path, properties: str, scram: tuple[str, ...]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".properties") as file:
        file.write(f"{properties}\nlog.dirs={target}\n")
        file.flush()
        users = [part for user in scram for part in ("--add-scram", user)]
        tool = ["kafka.tools.StorageTool", "format", "-t", "feishuEventRouter0test", "-c", file.name, *users]
        done = subprocess.run(
            [str(java()), *SMALL, *FLAGS, "-cp", classpath(), *tool],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
    if done.returncode:
        raise BrokerError(f"Kafka's storage can't be formatted:\n{done.stdout[-2000:]}")


def archive_path() -> Path:
    """Where the class archive of this Java and these jars is, or will be."""
    return CACHE / f"classes-{key_of(classpath(), _version(str(java())))}.jsa"
