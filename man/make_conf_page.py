#!/usr/bin/env python3
"""make_conf_page.py SEKISHO INPUT: print the manual page with the program's own list of keys for @KEYS@."""
import pathlib
import re
import subprocess
import sys

keys = subprocess.run([sys.argv[1], "check", "--man"], capture_output=True, text=True, check=True).stdout
keys = re.sub(r"(?<=[A-Za-z0-9])\. (?=[A-Z])", ".\n", keys)  # mdoc: a sentence begins a line
print(pathlib.Path(sys.argv[2]).read_text().replace("@KEYS@\n", keys), end="")
