"""A kit for the tests of modules: their subscribers on real engines, step by step."""
