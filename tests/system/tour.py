"""README's tour: its blocks of commands, and whether what is printed is what README shows."""

import re

from tests.starter import ROOT

README = (ROOT / "README.md").read_text()

_END = "--- end of block {} ---"


def section(title: str) -> str:
    """Return the text below a heading of README."""
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def tour() -> list[tuple[str, str]]:
    """Return each block of commands with what README says is printed, or nothing."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", section("A tour"), flags=re.DOTALL | re.MULTILINE)
    shown = {at - 1: text for at, (kind, text) in enumerate(blocks) if not kind}
    return [(text, shown.get(at, "")) for at, (kind, text) in enumerate(blocks) if kind == "sh"]


def as_one_script(url: str) -> str:
    """Return all blocks as one script, which are typed in one shell, for the server at url."""
    script = "\n".join(
        f"{commands}echo; echo '{_END.format(at)}'" for at, (commands, _) in enumerate(tour())
    )
    return script.replace("http://127.0.0.1:8000", url)


def differences(printed: str) -> list[str]:
    """Return the blocks that did not print what README shows, with what they printed."""
    wrong = []
    for at, (commands, shown) in enumerate(tour()):
        found, _, printed = printed.partition(_END.format(at))
        if not matches(shown, found):
            wrong.append(f"{commands}\n{shown}\n{found}")
    return wrong


def matches(shown: str, printed: str) -> bool:
    """Tell whether README shows what was printed: … is anything, and blanks do not count."""
    parts = ["".join(part.split()) for part in shown.split("…")]
    return re.search(".*".join(map(re.escape, parts)), "".join(printed.split())) is not None
