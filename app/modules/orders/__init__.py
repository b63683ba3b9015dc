"""Orders owns products and the life of an order.

Publishes: order_created, order_reserved, order_confirmed, order_rejected, order_cancelled,
order_expired, order_fulfilled, hold_confirmed, fulfillment_requested,
fulfillment_cancel_requested.
Reacts to: stock_reserved, stock_rejected, stock_issued, stock_issue_voided.
"""
