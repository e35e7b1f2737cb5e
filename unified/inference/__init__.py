"""Nudged relaxation as MAP inference, and the posterior around it, checked against PyMC."""
