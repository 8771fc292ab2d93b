#!/usr/bin/env python3
"""embed.py NAME=FILE ...: a C header on standard output with the bytes of files as arrays."""
import pathlib
import sys

print("/* Made by share/bundle/embed.py. */\n#pragma once\n")
for argument in sys.argv[1:]:
    name, _, path = argument.partition("=")
    data = pathlib.Path(path).read_bytes()
    print(f"static const unsigned char {name}[{len(data)}] = {{")
    for at in range(0, len(data), 20):
        print("    " + ", ".join(str(byte) for byte in data[at:at + 20]) + ",")
    print("};\n")
