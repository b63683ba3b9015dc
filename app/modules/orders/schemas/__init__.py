"""What orders reads and writes over REST."""
