"""Shipping owns shipments: what leaves the house for whom, from the first parcel to the carrier.

Publishes: shipment_prepared, shipment_dispatched, shipment_called_off.
Reacts to: order_confirmed, order_cancelled.
"""
