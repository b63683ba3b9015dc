"""Changes of the schema, under load, broken off, from every release; and what is refused."""
