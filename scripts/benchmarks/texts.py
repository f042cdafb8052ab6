# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Real text: three packages of Debian, unpacked beside the benchmarks and not installed. Standard library only."""

import html
import pathlib
import re
import subprocess

from benchmarks.environment import BenchError, run_logged

# Packages, and what reads them. bible-kjv is the program that reads the data of bible-kjv-text.
PACKAGES = ["bible-kjv-text", "bible-kjv", "python3.11-doc", "debian-handbook"]


def unpack(environment):
    """WORK/text with the packages' files, made once."""
    folder = environment.work / "text"
    stamp = folder / "unpacked"
    if stamp.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    log = environment.work / "logs" / "text.log"
    for package in PACKAGES:
        run_logged(
            f"package {package}",
            ["sh", "-ec", 'cd "$1"; rm -f "$2"_*.deb; apt-get download "$2"; dpkg-deb -x "$2"_*.deb .; rm "$2"_*.deb']
            + ["sh", folder, package],
            log,
        )
    stamp.touch()
    return folder


def bible(folder):
    """Its verses, a book after the other."""
    command = [folder / "usr/bin/bible", "-p", folder / "usr/lib", "-f", "gen1:1-rev22:21"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode or len(done.stdout) < 1_000_000:
        raise BenchError(f"{command[0]} gives {len(done.stdout)} letters: {done.stderr.strip()}")
    return [re.sub(r"^\S+ ", "", line) for line in done.stdout.splitlines() if line.strip()]


def python_manual(folder):
    """Paragraphs of the library reference without its markup."""
    paragraphs = []
    for file in sorted(folder.glob("usr/share/doc/python3.11/html/_sources/library/*.rst.txt")):
        for paragraph in re.split(r"\n\s*\n", file.read_text(errors="replace")):
            if re.match(r"\s*(\.\.|[=*~^-]{3}|[|+>])", paragraph):
                continue
            text = re.sub(r":[\w:]+:`~?!?([^`]*)`", r"\1", paragraph).replace("``", "")
            paragraphs.append(" ".join(text.split()))
    return [text for text in paragraphs if len(text) > 60]


def handbook(folder):
    """Paragraphs of the English edition."""
    paragraphs = []
    for file in sorted(folder.glob("usr/share/doc/debian-handbook/html/en-US/*.html")):
        for match in re.findall(r"<(?:p|div class=\"para\")[^>]*>(.*?)</(?:p|div)>", file.read_text(), re.S):
            paragraphs.append(" ".join(html.unescape(re.sub(r"<[^>]*>", " ", match)).split()))
    return [text for text in paragraphs if len(text) > 60]


def read(environment):
    """Name of a source -> its paragraphs, in order."""
    folder = unpack(environment)
    sources = {"bible": bible(folder), "python manual": python_manual(folder), "debian handbook": handbook(folder)}
    for name, paragraphs in sources.items():
        if len(paragraphs) < 500:
            raise BenchError(f"{name} has {len(paragraphs)} paragraphs below {pathlib.Path(folder)}, expected more")
    return sources
