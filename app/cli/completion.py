"""`completion`: what a shell needs to complete commands and options."""

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

_ROOT = Path(__file__).parents[2]


class Shell(StrEnum):
    """The shells that can be told."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


# The answer to _ORDERLY_COMPLETE is typer's; what asks for it is as in typer's own scripts, but for
# the name: theirs wants one program on PATH, and we are a module of an interpreter.
_SCRIPTS = {
    Shell.BASH: """\
orderly() {{ (cd {root} && exec {python} -m app "$@"); }}
_orderly_complete() {{
    local IFS=$'\\n'
    COMPREPLY=($(cd {root} && COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD=$COMP_CWORD \\
        _ORDERLY_COMPLETE=complete_bash {python} -m app))
}}
complete -o default -F _orderly_complete orderly dev.py ./dev.py
""",
    Shell.ZSH: """\
orderly() {{ (cd {root} && exec {python} -m app "$@"); }}
_orderly_complete() {{
    eval $(cd {root} && _TYPER_COMPLETE_ARGS="${{words[1,$CURRENT]}}" \\
        _ORDERLY_COMPLETE=complete_zsh {python} -m app)
}}
compdef _orderly_complete orderly dev.py
""",
    Shell.FISH: """\
function orderly; pushd {root}; {python} -m app $argv; popd; end
complete --command orderly --command dev.py --no-files --arguments \\
    "(env PYTHONPATH={root} _ORDERLY_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \\
    _TYPER_COMPLETE_ARGS=(commandline -cp) {python} -m app)"
""",
}


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")],
) -> None:
    """Print a script that gives your shell the command `orderly`, and completes it and ./dev.py.

    Example: `eval "$(python3 dev.py completion bash)"`
    """
    script = _SCRIPTS[shell]
    typer.echo(
        script.format(root=shlex.quote(str(_ROOT)), python=shlex.quote(sys.executable)), nl=False
    )
