"""Inventory owns locations, stock levels, reservations and the movement ledger.

Publishes: stock_reserved, stock_rejected. Reacts to: order_created.
"""
