"""Outside judges: whether the aligned file runs, and computes what it declares.

Every native runtime and compiler runs in a process of its own and is imported only there.
"""
