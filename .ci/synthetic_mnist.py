"""Writes four small files in MNIST's format: images in which the class is a bright row."""

import os
import random
import struct
import sys

folder = sys.argv[1]
os.makedirs(folder)
random.seed(1)
for name, count in [("train", 240), ("t10k", 60)]:
    labels = bytes(random.randrange(10) for _ in range(count))
    with open(os.path.join(folder, f"{name}-images-idx3-ubyte"), "wb") as file:
        file.write(struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28))
        for label in labels:
            rows = [bytes(random.randrange(60) for _ in range(28)) for _ in range(28)]
            rows[2 * label + 4] = bytes([255] * 28)
            file.write(b"".join(rows))
    with open(os.path.join(folder, f"{name}-labels-idx1-ubyte"), "wb") as file:
        file.write(struct.pack(">4BI", 0, 0, 8, 1, count))
        file.write(labels)
