"""Small readers of the machine's state: each a pure parser of what a tool, a file or the kernel says, and a thin call.

A reader that finds nothing answers None; it never raises, never guesses, and never answers "fine".
"""
