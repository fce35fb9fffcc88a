"""Writes small files in CIFAR's formats: images in which the class is a bright row of one colour."""

import os
import random
import sys

folder = sys.argv[1]
random.seed(1)


def record(labels, place):
    planes = [bytearray(random.randrange(60) for _ in range(1024)) for _ in range(3)]
    row = place % 30
    planes[place % 3][32 * row : 32 * row + 32] = bytes([255] * 32)
    return bytes(labels) + b"".join(planes)


def ten():
    label = random.randrange(10)
    return record([label], 3 * label)


def hundred():
    label = random.randrange(100)
    return record([label // 5, label], label)


for sub, files in [
    ("cifar10", [(f"data_batch_{i}.bin", ten, 40) for i in range(1, 6)] + [("test_batch.bin", ten, 30)]),
    ("cifar100", [("train.bin", hundred, 200), ("test.bin", hundred, 30)]),
]:
    os.makedirs(os.path.join(folder, sub))
    for name, one, count in files:
        with open(os.path.join(folder, sub, name), "wb") as file:
            file.write(b"".join(one() for _ in range(count)))
