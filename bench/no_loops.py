"""Our own `serve` without its loops: `python -m bench.no_loops serve`.

An embedded process always runs them, and intake on SQLite is to be measured alone, as the others
are.
"""

from app import runtime
from app.__main__ import main

if __name__ == "__main__":
    runtime.loops_of = lambda *_: []  # type: ignore[attr-defined]  # runtime's own name for it
    main()
