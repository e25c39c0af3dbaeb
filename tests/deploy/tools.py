"""Where the tools are that deploy/ is checked with, and the project's own files.

A tool that is not there is said, and what needs it is skipped: DEPLOY_TOOLS names the folder in
which scripts/deploy-check.sh keeps those that it could get.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/watchfire"
TOOLS = pathlib.Path(os.environ.get("DEPLOY_TOOLS", "/nonexistent"))
NODE_FOLDER = TOOLS / "npm"


def find(name):
    """The tool's path, or None."""
    beside = pathlib.Path(sys.executable).with_name(name)
    places = [str(beside), str(TOOLS / "bin" / name), shutil.which(name)]
    return next((place for place in places if place and os.access(place, os.X_OK)), None)


def need(name):
    """The tool's path; without it the test is skipped, and says so."""
    path = find(name)
    if path is None:
        raise unittest.SkipTest(f"{name} is not here")
    return path


def run(*command, text=None):
    """What a command writes; it must succeed."""
    done = subprocess.run(
        [str(part) for part in command], input=text, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def node(script, text):
    """What a script of this folder writes, with the packages that were installed for it."""
    program = need("node")
    if not (NODE_FOLDER / "node_modules").is_dir():
        raise unittest.SkipTest("the packages of tests/deploy/package.json are not here")
    # Packages are looked for from where the script lies.
    copy = NODE_FOLDER / script
    shutil.copy(pathlib.Path(__file__).parent / script, copy)
    return run(program, copy, text=text)


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def schema(name):
    return json.loads(read(f"schemas/{name}"))


def anchors(markdown):
    """The anchors of a document's headings, as GitHub and mdBook make them."""
    found = set()
    in_code = False
    for line in markdown.splitlines():
        if line.startswith("```"):
            in_code = not in_code
        heading = re.match(r"#+ +(.*)", line)
        if heading and not in_code:
            text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1).lower())
            found.add(re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-"))
    return found
