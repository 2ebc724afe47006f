"""What README and docs/ say can be followed: links lead somewhere, and examples run."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import numpy as np
import pytest

from hamer_ros.demo.report import Accuracy, Report, table
from hamer_ros.hand_model.topology import (
    FINGERTIP_VERTICES,
    JOINT_NAMES,
    JOINT_PARENTS,
    N_SKELETON,
    OPENPOSE_FROM_MANO,
    PARENTS,
)

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *DOCS, ROOT / "without_ros" / "README.md"]
CONVENTIONS = (ROOT / "docs" / "conventions.md").read_text()


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def without_code(text: str) -> str:
    """Markdown without its blocks of code, in which # and [] mean something else."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """What links to headings end with, as GitHub makes it of their words."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def broken_links(page: Path, text: str) -> list[str]:
    """The relative links in a page's text that lead nowhere."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            broken.append(target)
    return broken


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code in a language, which is empty for what programs print."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [block for its_language, block in found if its_language == language]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    assert broken_links(page, page.read_text()) == []


@pytest.mark.parametrize(
    "target", ["nowhere.md", "docs/nowhere.md", "docs/cameras.md#nowhere", "#nowhere"]
)
def test_a_link_that_leads_nowhere_is_noticed(target):
    assert broken_links(README, f"see [there]({target})") == [target]


def test_headings_become_anchors_as_on_github():
    text = "# One, two: `three_4`\n```sh\n# a comment\n```\n## In-between\n"
    assert anchors(text) == {"one-two-three_4", "in-between"}


def test_the_readme_leads_to_every_page():
    targets = set(re.findall(r"\]\((docs/[^)#]+)", README.read_text()))
    assert {name_of(page) for page in DOCS} <= targets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_examples_in_python_are_python(page):
    for block in blocks(page, "python"):
        if ">>>" not in block:
            ast.parse(block)


def test_the_examples_of_the_conventions_give_what_they_say():
    examples = "\n".join(blocks(ROOT / "docs" / "conventions.md", "python"))
    parsed = doctest.DocTestParser().get_doctest(examples, {}, "conventions", None, 0)
    results = doctest.DocTestRunner().run(parsed)
    assert results.attempted >= 10
    assert results.failed == 0


@pytest.mark.usefixtures("models")
def test_the_example_without_ros_runs():
    (example,) = [b for b in blocks(ROOT / "docs" / "python.md", "python") if "HandPipeline" in b]
    there = {"rgb": np.zeros((480, 640, 3), np.uint8), "stamp": 0.0}
    exec(compile(example, "docs/python.md", "exec"), there)
    assert there["pipeline"].process(there["frame"]).hands == ()


def test_the_readme_shows_what_the_demo_prints():
    (block,) = [b for b in blocks(README, "") if "PA-MPJPE" in b]
    accuracy = Accuracy(
        hands=300,
        found=1.0,
        handedness_right=1.0,
        invented=0,
        pa_mpjpe_mean=5.5,
        pa_mpjpe_max=8.3,
        mpjpe_mean=18.0,
        mpjpe_before=41.0,
    )
    report = Report(
        source="clip",
        camera="known",
        max_hands=4,
        estimator="landmarks",
        sent=150,
        processed=150,
        with_hands=150,
        hands=300,
        most_hands=2,
        finite=True,
        latency_p50=22.0,
        latency_p99=46.0,
        cpu_per_frame=20.0,
        tf_complete=150,
        topology=True,
        overlay=True,
        markers=True,
        accuracy=accuracy,
    )
    assert set(block.splitlines()) <= set(table(report).splitlines())


def test_the_conventions_list_the_21_joints():
    tips = list(FINGERTIP_VERTICES.values())
    rows = []
    for joint, (name, parent) in enumerate(zip(JOINT_NAMES, JOINT_PARENTS, strict=True)):
        source = OPENPOSE_FROM_MANO[joint]
        is_tip = source >= N_SKELETON
        what = f"vertex {tips[source - N_SKELETON]}" if is_tip else f"skeleton {source}"
        rows.append(f"| {joint} | `{name}` | {'' if parent < 0 else f'{parent} '}| {what} |")
    assert "\n".join(rows) in CONVENTIONS


def test_the_conventions_list_the_16_joints_of_the_skeleton():
    rows = []
    for joint, parent in enumerate(PARENTS):
        name = JOINT_NAMES[OPENPOSE_FROM_MANO.index(joint)]
        first = 3 * (joint - 1)
        rest = "| |" if parent < 0 else f"{parent} | {first} to {first + 2} |"
        rows.append(f"| {joint} | `{name}` | {rest}".replace("| | | |", "| | |"))
    assert "\n".join(rows) in CONVENTIONS


def names_of_our_own(source: str) -> set[str]:
    """Private names of topics and services, such as ~/hands, in the text of a module."""
    strings = (n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant))
    return {s for s in strings if isinstance(s, str) and re.fullmatch(r"~/\w+", s)}


def test_every_topic_and_service_of_the_node_is_documented():
    sources = (ROOT / "hamer_ros" / "ros").rglob("*.py")
    names = set.union(*(names_of_our_own(file.read_text()) for file in sources))
    assert {"~/hands", "~/topology", "~/enable", "~/calibrate_hand"} <= names
    page = (ROOT / "docs" / "topics.md").read_text()
    assert [name for name in names if f"| `{name}` |" not in page] == []
