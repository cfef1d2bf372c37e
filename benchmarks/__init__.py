"""Measurements of the whole path and, in the same run, of its limits."""
