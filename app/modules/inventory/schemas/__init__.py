"""What inventory reads and writes over REST."""
