"""Orders and inventory together: every life an order can have, and what must hold in each."""
