"""The documents: what they point to exists, and what they promise to keep in order is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from milepost.delivery.model import DeliveryState
from milepost.orders.events import Verdict
from tests.house.repository import ROOT, documents, files, name_of

DECISIONS = ROOT / "docs/decisions"
DECISION_PARTS = ["Context", "Decision", "Consequences", "To revisit"]


def prose(path: Path) -> str:
    """A document without its blocks of code."""
    return re.sub(
        r"^(```|~~~).*?^\1", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def headings(path: Path, *, level: str = "#{1,6}") -> list[str]:
    """The headings of a document, as they are written."""
    return re.findall(rf"^{level} +(.+?) *$", prose(path), re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The fragments that a link into a document can name."""
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings(path)]
    return {text.strip().replace(" ", "-") for text in plain}


def links(path: Path) -> list[str]:
    """The targets of the links and pictures of a document that are not addresses."""
    found = re.findall(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", prose(path))
    found += re.findall(r"^\[[^\]]+\]:\s*(\S+)", prose(path), re.MULTILINE)
    found += re.findall(r"(?:src|href)=\"([^\"]+)\"", prose(path))
    return [target for target in found if not re.match(r"[a-z][a-z0-9+.-]*:", target)]


def make_targets() -> set[str]:
    """The targets of the Makefile that say what they do."""
    return set(
        re.findall(
            r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
        )
    )


def test_the_documents_that_a_newcomer_looks_for_are_there() -> None:
    wanted = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/README.md"}
    assert wanted <= {name_of(path) for path in documents()}


def test_every_relative_link_leads_somewhere() -> None:
    known = {path.resolve() for path in files()}
    known |= {parent for path in known for parent in path.parents}
    lost = []
    for document in documents():
        for target in links(document):
            name, _, fragment = target.partition("#")
            goal = (document.parent / name).resolve() if name else document.resolve()
            if goal not in known:
                lost.append(f"{name_of(document)}: {target}")
            elif fragment and goal.suffix == ".md" and fragment not in anchors(goal):
                lost.append(f"{name_of(document)}: {target} (no such heading)")
    assert lost == []


def test_every_document_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    indexed = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    missing = [
        name_of(path)
        for path in documents()
        if ROOT / "docs" in path.parents and path != index and path.resolve() not in indexed
    ]
    assert missing == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/README.md"])
def test_every_make_target_that_is_named_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    named = set(re.findall(r"\bmake ([a-z]+)\b", code))
    assert named <= make_targets()


def test_the_readme_names_the_commands_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"make {target}" in readme for target in ("demo", "test", "check", "serve"))


def test_the_makefile_explains_each_of_its_targets() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == make_targets()


def test_the_glossary_is_in_alphabetical_order_and_defines_each_term_once() -> None:
    terms = headings(ROOT / "docs/glossary.md", level="###")
    assert len(terms) > 30
    assert terms == sorted(terms, key=str.casefold)
    assert len(terms) == len(set(terms))


def test_the_glossary_has_each_word_of_the_closed_sets() -> None:
    terms = set(headings(ROOT / "docs/glossary.md", level="###"))
    assert {*map(str, Verdict), *map(str, DeliveryState)} <= terms


def test_every_term_of_the_glossary_is_defined() -> None:
    parts = re.split(r"^### .+$", prose(ROOT / "docs/glossary.md"), flags=re.MULTILINE)[1:]
    assert all(len(part.split()) >= 5 for part in parts)


def test_decisions_are_numbered_without_holes_and_tell_the_same_four_things() -> None:
    records = sorted(DECISIONS.glob("*.md"))
    assert [path.name[:4] for path in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for path in records:
        assert headings(path, level="##") == DECISION_PARTS, name_of(path)
        title = headings(path, level="#")
        assert title[0].startswith(f"{int(path.name[:4])}. "), name_of(path)


def test_the_changelog_begins_with_what_is_not_released_yet() -> None:
    assert headings(ROOT / "CHANGELOG.md", level="##")[0] == "Unreleased"
