"""What attackers try, against the whole application: generated from what it serves."""
