"""The documents: links with their headings, commands that there are, the site."""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import tempfile
import tomllib
import unittest

import yaml

from tools import ROOT, anchors, find, need, read, run

PAGES = sorted(
    path.relative_to(ROOT)
    for folder in [ROOT, ROOT / "docs", ROOT / "deploy"]
    for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
)
# Names of a command of ours that are no commands: what stands in prose.
NO_COMMANDS = {"is", "and", "in", "on", "has", "help"}


def prose(text):
    """A document without blocks of code."""
    return re.sub(r"```.*?```", "", text, flags=re.S)


def blocks(text):
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M)


def load_preprocessor():
    spec = importlib.util.spec_from_file_location("book_links", ROOT / "scripts/book-links.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def help_of(program, words):
    """What a command's help says, or None where there is no such command."""
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


class Docs(unittest.TestCase):
    def test_links_lead_to_headings_that_there_are(self):
        found = 0
        wrong = []
        for page in PAGES:
            for target in re.findall(r"\]\(([^)\s]+)\)", prose(read(page))):
                path, _, anchor = target.partition("#")
                if "://" in target or target.startswith("mailto:"):
                    continue
                file = (ROOT / page).parent / path if path else ROOT / page
                if not file.exists():
                    wrong.append(f"{page}: {target}: no such file")
                elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
                    wrong.append(f"{page}: {target}: no such heading")
                found += 1
        self.assertEqual(wrong, [])
        self.assertGreater(found, 150)

    def test_blocks_of_code_are_what_they_say(self):
        program = find("bash")
        for page in PAGES:
            for language, text in blocks(read(page)):
                with self.subTest(page=str(page), begins=text[:40]):
                    if language == "sh":
                        run(program, "-n", text=text)
                    elif language == "toml":
                        tomllib.loads(text)
                    elif language == "json":
                        json.loads(text)
                    elif language == "yaml":
                        list(yaml.safe_load_all(text))

    def test_commands_in_documents_are_there(self):
        program = need("watchfire")
        known, wrong = {}, set()
        for page in PAGES:
            if page.name == "CHANGELOG.md":
                continue
            text = read(page)
            shown = [block for language, block in blocks(text) if language == "sh"]
            shown += re.findall(r"`(watchfire [a-z][^`|]*)`", prose(text))
            for line in "\n".join(shown).replace("\\\n", " ").splitlines():
                for words in re.findall(r"(?:^|[|&;(] *)watchfire ((?:[a-z][a-z-]+ ?)+)", line):
                    words = words.split()[:2]
                    if words[0] in NO_COMMANDS:
                        continue
                    for length in (1, 2):
                        key = tuple(words[:length])
                        if key not in known:
                            known[key] = help_of(program, key)
                    said = known[tuple(words)] or known[(words[0],)]
                    if said is None:
                        wrong.add(f"{page}: watchfire {' '.join(words)}")
                        continue
                    for flag in re.findall(r"(?<=\s)--[a-z][a-z-]+", line.split("watchfire", 1)[1]):
                        if "|" not in line and flag not in said:
                            wrong.add(f"{page}: watchfire {' '.join(words)} {flag}")
        self.assertEqual(sorted(wrong), [])
        self.assertGreater(len(known), 15)

    def test_the_site_has_every_document(self):
        summary = read("docs/SUMMARY.md")
        listed = re.findall(r"\]\(([^)]+)\)", summary)
        there = {str(p.relative_to("docs")) for p in PAGES if p.parts[0] == "docs"}
        runs = {page for page in there if page.startswith("chaos/")}
        self.assertEqual(set(listed), there - runs - {"SUMMARY.md"})
        self.assertEqual(len(listed), len(set(listed)))

    def test_links_out_of_the_site_lead_to_the_repository(self):
        turned = load_preprocessor().turned
        chapters = {"rules.md"}
        table = [
            ("[a](rules.md#x)", "[a](rules.md#x)"),
            ("[`b`](../deploy/README.md#y)", "[`b`](R/deploy/README.md#y)"),
            ("[a](rules.md) and [b](../x)", "[a](rules.md) and [b](R/x)"),
            ("[c](https://c) [d](#e)", "[c](https://c) [d](#e)"),
            ("```sh\n[f](../g)\n```\n[f](../g)", "```sh\n[f](../g)\n```\n[f](R/g)"),
        ]
        for text, expected in table:
            self.assertEqual(turned(text, "", chapters, "R"), expected)
        self.assertEqual(turned("[`b`](../x)", "", chapters, None), "`b`")

    def test_the_site_is_built(self):
        program = need("mdbook")
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "REPOSITORY": "https://example.com/w/blob/main"}
            done = subprocess.run(
                [program, "build", "--dest-dir", folder, str(ROOT)],
                env=environment, capture_output=True, text=True, check=False,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("WARN", done.stderr)
            page = (pathlib.Path(folder) / "runbook.html").read_text(encoding="utf-8")
            self.assertIn("https://example.com/w/blob/main/deploy/helm/", page)
            broken = []
            for file in pathlib.Path(folder).glob("*.html"):
                for target in re.findall(r'<a href="([^"#:]+\.html)', file.read_text("utf-8")):
                    if not (file.parent / target).exists():
                        broken.append(f"{file.name}: {target}")
            self.assertEqual(broken, [])


class Releases(unittest.TestCase):
    def test_the_changelog_tells_of_this_version_in_its_form(self):
        version = tomllib.loads(read("Cargo.toml"))["package"]["version"]
        text = read("CHANGELOG.md")
        versions = re.findall(r"^## \[([^\]]+)\](.*)$", text, re.M)
        self.assertEqual(versions[0], ("Unreleased", ""))
        self.assertEqual(versions[1][0], version)
        self.assertEqual(len(versions), len(set(versions)))
        for _, date in versions[1:]:
            self.assertRegex(date, r"^ - \d{4}-\d\d-\d\d$")
        kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        self.assertLessEqual(set(re.findall(r"^### (.*)$", text, re.M)), kinds)

    def test_the_workflow_checks_the_same(self):
        workflow = read(".github/workflows/release.yaml")
        for file in ["Cargo.toml", "CHANGELOG.md", "deploy/helm/watchfire/Chart.yaml"]:
            self.assertIn(file, workflow)
        # Versions of tools that the image and the workflow both name.
        for tool in [r"cargo-auditable --version [\d.]+", r"\b1\.88\.0\b"]:
            found = re.findall(tool, workflow + read("deploy/Dockerfile"))
            self.assertEqual(len(set(found)), 1, found)


class Forge(unittest.TestCase):
    def test_workflows_are_what_the_forge_takes(self):
        for file in (ROOT / ".github/workflows").iterdir():
            run(need("actionlint"), file)

    def test_issue_templates_are_whole(self):
        for file in (ROOT / ".github/ISSUE_TEMPLATE").iterdir():
            form = yaml.safe_load(file.read_text(encoding="utf-8"))
            if file.name == "config.yml":
                continue
            self.assertTrue(form["name"] and form["description"])
            names = [part["id"] for part in form["body"] if part["type"] != "markdown"]
            self.assertEqual(len(names), len(set(names)), file.name)
            for part in form["body"]:
                self.assertIn(part["type"], {"markdown", "input", "textarea", "dropdown"})


if __name__ == "__main__":
    unittest.main()
