"""What clients rely on, kept in files: a change that would break them fails."""
