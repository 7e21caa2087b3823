"""The Python interface: `align`, `check`, `explain` on paths, bytes or files, with options as
keywords.
"""
