"""Runs the outside runtimes and compilers: whether they accept the aligned file and compute what it
declares.

Every native runtime and compiler runs in a separate process and is imported only there.
"""
