"""The stages of align(), check() and explain(): bytes in, bytes and a report out; no files are
opened.
"""
