"""Errors, names and files: what every other package may import."""
