"""Orders owns products and the life of an order.

Publishes: order_created, order_confirmed, order_rejected.
Reacts to: stock_reserved, stock_rejected.
"""
