"""The TOML of a small target: `TARGET`, its head and QUANTIZE types; `LEVEL`, one level for all rules."""

from __future__ import annotations

__all__ = ["LEVEL", "TARGET"]

TARGET = """\
format = 1
name = "here"
title = "Here"
judges = []
sources = ["litert:add.cc"]
[quantize]
int8 = ["int8"]
"""
LEVEL = '[[level]]\nrules = ["*"]\nseverity = "error"\nbehaviour = "wrong"\n'
