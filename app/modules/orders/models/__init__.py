"""What orders keeps: its tables, the life of an order, and what both are outside of them."""
