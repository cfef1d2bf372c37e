"""Torture: real processes, hurt by a seeded schedule, and a checker of what came of it."""
