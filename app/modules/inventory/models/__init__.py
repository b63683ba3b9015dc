"""What inventory keeps, and what travels between its rooms."""
