"""README and docs do what they say: their Python runs, and prints what stands behind `# →`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = ["README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
WITH_EXAMPLES = [name for name in DOCUMENTS if "```python" in (ROOT / name).read_text()]


@pytest.mark.parametrize("document", WITH_EXAMPLES)
def test_the_python_examples_print_what_they_say(
    document: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / document).read_text()
    # The sections of the README stand by themselves.
    sections = re.split(r"^## ", text, flags=re.MULTILINE) if document == "README.md" else [text]
    examples = 0
    for section in sections:
        namespace = {"__name__": "readme"}
        for block in re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
            exec(compile(block, document, "exec", dont_inherit=True), namespace)
            expected = re.findall(r"^\s*# → (.*)$", block, re.MULTILINE)
            assert capsys.readouterr().out.splitlines() == expected, block
            examples += 1
    assert examples


def test_the_commands_that_it_names_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", README))
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / document).read_text()):
        assert ((ROOT / document).parent / link).exists(), link
