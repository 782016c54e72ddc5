"""Scripted step times through the whole chain of conclusions: how often it is wrong, and how often it finds."""
