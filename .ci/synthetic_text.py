"""Writes small files of labelled texts, as TSV like SST-2's and as CSV like AG News's."""

import csv
import os
import random
import sys

folder = sys.argv[1]
random.seed(1)
WORDS = [["good", "fine", "lovely"], ["bad", "dull", "awful"]]
FILLER = "the a film story , of and plot with it's music".split()


def text(label):
    words = random.choices(FILLER, k=random.randrange(2, 12))
    words.insert(random.randrange(len(words)), random.choice(WORDS[label]))
    return " ".join(words)


for sub in ["tsv", "csv"]:
    os.makedirs(os.path.join(folder, sub))
    for name, count in [("train", 240), ("test", 60)]:
        labels = [random.randrange(2) for _ in range(count)]
        with open(os.path.join(folder, sub, f"{name}.{sub}"), "w", newline="", encoding="utf-8") as file:
            if sub == "tsv":
                file.write("sentence\tlabel\n")
                file.writelines(f"{text(label)}\t{label}\n" for label in labels)
            else:
                writer = csv.writer(file, quoting=csv.QUOTE_ALL)
                writer.writerows([label + 1, 'A "title"', text(label)] for label in labels)
