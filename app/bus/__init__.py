"""The event bus: outbox, relay, stream, consumer, inbox. Knows no module of the house above it."""
