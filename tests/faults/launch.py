"""`python -m tests.faults.launch serve …`: Orderly as it is, with every effect audited.

Two subscribers more than it has listen to what may be poison. FAULTS_PLANT names a bug of
`plants.py` to run with, FAULTS_CLOCK_S says by how many seconds this process's clock is wrong.
"""

import os

from app import main as composition
from app.__main__ import main
from app.main import SUBSCRIBERS
from tests.faults import clock
from tests.faults.audit import audited
from tests.faults.plants import PLANTS
from tests.faults.poison import tasters

if __name__ == "__main__":
    clock.shift(float(os.environ.get("FAULTS_CLOCK_S", "0")))
    for subscriber in SUBSCRIBERS:
        audited(subscriber)
    vars(composition)["SUBSCRIBERS"] = (*SUBSCRIBERS, *tasters())
    if name := os.environ.get("FAULTS_PLANT"):
        PLANTS[name](setattr)
    main()
