"""Runs first in the frozen program (see genie.spec), before anything imports torch."""

import os

# torch compiles a few derivative rules from the source of their Python, standard library
# included, which a bundle doesn't have. Uncompiled they do the same; `genie-exact` needs them.
os.environ.setdefault("PYTORCH_JIT", "0")
