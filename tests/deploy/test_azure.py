"""Bicep, Terraform and the image: parsed, and held against what the program and the docs say."""

import pathlib
import re
import tempfile
import unittest

import hcl2

from tools import ROOT, need, read, run

BICEP = ROOT / "deploy/azure/bicep"
TERRAFORM = ROOT / "deploy/azure/terraform"
RECEIVER = "a638d3c7-ab3a-418d-83e6-5f17a39d4fde"
SENDER = "2b629674-e913-4c01-ae53-ef4638d8f975"
TOPICS = ["dead-letters", "incidents", "matches", "rules"]
# What docs/security.md grants a worker.
GRANTS = {
    ("sources", "receiver"),
    ("matches", "receiver"),
    ("matches", "sender"),
    ("rules", "receiver"),
    ("rules", "sender"),
    ("incidents", "sender"),
    ("dead-letters", "sender"),
}


def bare(text):
    """A text of HCL as the parser gives it, without quotes."""
    return str(text).strip('"')


def terraform():
    found = {}
    for file in sorted(TERRAFORM.glob("*.tf")):
        with file.open(encoding="utf-8") as text:
            for kind, blocks in hcl2.load(text).items():
                if isinstance(blocks, list):
                    found.setdefault(kind, []).extend(blocks)
    return found


def balanced(text):
    """Whether brackets of a Bicep file close in the order in which they open."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r"'(?:\\.|[^'\\])*'", "''", text)
    waiting = []
    pairs = {")": "(", "]": "[", "}": "{"}
    for char in text:
        if char in pairs.values():
            waiting.append(char)
        elif char in pairs and (not waiting or waiting.pop() != pairs[char]):
            return False
    return not waiting


class Azure(unittest.TestCase):
    def test_terraform_is_hcl_and_uses_what_it_declares(self):
        found = terraform()
        declared = {bare(name) for block in found["variable"] for name in block}
        text = "".join(file.read_text(encoding="utf-8") for file in TERRAFORM.glob("*.tf"))
        used = set(re.findall(r"\bvar\.([a-z_]+)", text))
        self.assertEqual(declared, used)
        for block in found["variable"]:
            for name, settings in block.items():
                self.assertIn("description", settings, name)
        resources = {
            (bare(kind), bare(name))
            for block in found["resource"]
            for kind, named in block.items()
            for name in named
        }
        for kind, name in re.findall(r"\b(azurerm_[a-z_]+)\.([a-z_]+)\b", text):
            if f"data.{kind}.{name}" not in text:
                self.assertIn((kind, name), resources)

    def test_terraform_is_formatted(self):
        run(need("terraform"), "fmt", "-check", "-diff", TERRAFORM)

    def test_bicep_is_whole(self):
        for file in BICEP.glob("*.bicep"):
            text = file.read_text(encoding="utf-8")
            self.assertTrue(balanced(text), file.name)
            self.assertFalse(balanced(text + "}"), file.name)
            params = re.findall(r"^param (\w+)", text, re.M)
            for param in params:
                uses = len(re.findall(rf"\b{param}\b", text))
                self.assertGreater(uses, 1, f"{file.name}: {param}")
            symbols = set(re.findall(r"^resource (\w+)", text, re.M))
            for symbol in re.findall(r"^  (?:parent|scope): (\w+)$", text, re.M):
                self.assertIn(symbol, symbols, file.name)

    def test_bicep_compiles(self):
        program = need("bicep")
        for file in BICEP.glob("*.bicep"):
            run(program, "build", "--stdout", file)

    def test_both_have_the_topics_of_the_program(self):
        program = need("watchfire")
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "watchfire.toml"
            rules = f'rules = ["{ROOT}/rules/azure"]'
            text = f'sources = ["s"]\nlongest_outage = "16h"\n{rules}\n'
            text += '[kafka]\n"bootstrap.servers" = "localhost:9092"\n'
            config.write_text(text, encoding="utf-8")
            printed = run(program, "topics", "create", "--config", config, "--print", "bicep")
        wanted = {}
        for name, block in re.findall(r"name: 'watchfire\.([\w-]+)'(.*?)\n}\n", printed, re.S):
            hours = re.search(r"retentionTimeInHours: (\d+)", block)
            wanted[name] = (
                int(re.search(r"partitionCount: (\d+)", block).group(1)),
                re.search(r"cleanupPolicy: '(\w+)'", block).group(1),
                int(hours.group(1)) if hours else None,
            )
        self.assertEqual(sorted(wanted), TOPICS)
        self.assertEqual(bicep_topics(), terraform_topics())
        for name, (partitions, policy, hours) in bicep_topics().items():
            self.assertEqual((partitions, policy), wanted[name][:2], name)
            # As long as the rules that come along need, and no longer than Standard can.
            self.assertLessEqual(wanted[name][2] or 0, hours or 0, name)
            self.assertLessEqual(hours or 0, 168, name)

    def test_both_grant_what_the_documentation_grants(self):
        text = (BICEP / "main.bicep").read_text(encoding="utf-8")
        granted = set()
        names = {"sourceHubs[i]": "sources", "deadLetters": "dead-letters"}
        for scope, block in re.findall(r"  scope: (\S+)\n(.*?)\n}", text, re.S):
            if "workerPrincipalId" in block:
                role = re.search(r"roleDefinitions', (\w+)\)", block).group(1)
                granted.add((names.get(scope, scope), role))
        self.assertEqual(granted, GRANTS)
        self.assertIn(f"var receiver = '{RECEIVER}'", text)
        self.assertIn(f"var sender = '{SENDER}'", text)

        text = (TERRAFORM / "main.tf").read_text(encoding="utf-8")
        pattern = r'hub = (?:"\$\{var\.app\}\.([\w-]+)"|var\.\w+), role = local\.(\w+)'
        granted = {(hub or "sources", role) for hub, role in re.findall(pattern, text)}
        self.assertEqual(granted, GRANTS)
        docs = read("docs/security.md")
        said = "*Data Receiver* on the sources, both *Data Receiver* and *Data Sender*"
        self.assertIn(said, docs)

    def test_the_image_is_built_as_it_should(self):
        run(need("hadolint"), ROOT / "deploy/Dockerfile")


def bicep_topics():
    """The application's hubs in main.bicep, with the defaults of parameters."""
    text = (BICEP / "main.bicep").read_text(encoding="utf-8")
    params = dict(re.findall(r"^param (\w+) int = (\d+)", text, re.M))
    found = {}
    for name, block in re.findall(r"name: '\$\{app\}\.([\w-]+)'(.*?)\n}\n", text, re.S):
        def value(key, block=block):
            said = re.search(rf"{key}: (\w+)", block)
            return int(params.get(said.group(1), said.group(1))) if said else None

        policy = re.search(r"cleanupPolicy: '(\w+)'", block).group(1)
        found[name] = (value("partitionCount"), policy, value("retentionTimeInHours"))
    return found


def terraform_topics():
    """The same in main.tf."""
    defaults = {}
    for block in terraform()["variable"]:
        for name, settings in block.items():
            defaults[bare(name)] = settings.get("default")
    text = (TERRAFORM / "main.tf").read_text(encoding="utf-8")
    found = {}
    for name, block in re.findall(r'"\$\{var\.app\}\.([\w-]+)" = \{(.*?)\}', text, re.S):
        def value(key, block=block):
            said = re.search(rf"{key} += (\S+)", block).group(1)
            said = defaults[said[4:]] if said.startswith("var.") else said
            return None if said == "null" else int(said)

        policy = re.search(r'policy += "(\w+)"', block).group(1)
        found[name] = (value("partitions"), policy, value("hours"))
    return found


if __name__ == "__main__":
    unittest.main()
