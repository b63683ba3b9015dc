"""The delivery protocol under histories that Hypothesis makes up: a world, a model, a machine."""
