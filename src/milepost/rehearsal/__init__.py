"""The rehearsal room: orders that never were, told to a receiver as the hub would tell them.

Scenarios, lives, sends and chaos are pure; only the player and the conformance check wait.
"""
