"""`python -m tests.system.apart serve …`: Orderly with the one module that TEST_MODULE names.

What a repository of its own would have as its `MODULES` in `app/main.py`.
"""

import os

from app import main as composition
from app.__main__ import main
from app.loops import Chores
from app.modules.inventory import handlers as inventory_handlers
from app.modules.inventory.api import router as inventory_api
from app.modules.orders import handlers as orders_handlers
from app.modules.orders.api import router as orders_api

MODULES = {
    "orders": (orders_api.router, orders_handlers.subscriber),
    "inventory": (inventory_api.router, inventory_handlers.subscriber),
}

if __name__ == "__main__":
    router, subscriber = MODULES[os.environ["TEST_MODULE"]]
    vars(composition)["ROUTERS"] = (router,)
    vars(composition)["SUBSCRIBERS"] = (subscriber,)
    if os.environ["TEST_MODULE"] == "inventory":
        # The only timers there are, and forgetting of what the web keeps, are not inventory's.
        vars(composition)["chores"] = lambda _: Chores(subscribers=(subscriber,))
    main()
