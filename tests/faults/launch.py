"""`python -m tests.faults.launch serve …`: Orderly as it is, with every effect audited.

FAULTS_PLANT names a bug of `plants.py` to run with.
"""

import os

from app.__main__ import main
from app.main import SUBSCRIBERS
from tests.faults.audit import audited
from tests.faults.plants import PLANTS

if __name__ == "__main__":
    for subscriber in SUBSCRIBERS:
        audited(subscriber)
    if name := os.environ.get("FAULTS_PLANT"):
        PLANTS[name](setattr)
    main()
