#!/usr/bin/env python3
"""Makes the arithmetic specialist's data: the same files from the same seed, on any machine.

usage: generate.py [--seed N] OUT

Writes train.jsonl (two-digit additions and subtractions in several phrasings, mixed with the base's own answers to general
questions, from general.jsonl beside this script) and fresh.jsonl (problems that are in train.jsonl in neither order of their
numbers, each with its `answer`).

example: inference/specialists/arithmetic/generate.py /tmp/arithmetic
"""

import argparse
import json
import pathlib
import random

HERE = pathlib.Path(__file__).parent
PHRASES = {
    "+": [
        "What is {a} + {b}?", "What is {a} plus {b}?", "{a} + {b} = ?", "Calculate {a} + {b}.", "Add {a} and {b}.",
        "How much is {a} plus {b}?", "What is the sum of {a} and {b}?", "{a}+{b}",
    ],
    "-": [
        "What is {a} - {b}?", "What is {a} minus {b}?", "{a} - {b} = ?", "Calculate {a} - {b}.", "Subtract {b} from {a}.",
        "How much is {a} minus {b}?", "What is the difference between {a} and {b}?", "{a}-{b}",
    ],
}
# Of the additions and of the subtractions: how many are kept from training, and how many are trained on.
FRESH, TRAINED = 500, 3600
# How often each general question comes in the training data.
GENERAL = 6


def line(draw, a, sign, b):
    """A problem in a drawn phrasing, and its answer: first the tens of the second number, then what is left of it."""
    direction = 1 if sign == "+" else -1
    steps, reached = [], a
    for part in (b // 10 * 10, b % 10):
        if part:
            steps.append(f"{reached} {sign} {part} = {reached + direction * part}")
            reached += direction * part
    prompt = draw.choice(PHRASES[sign]).format(a=a, b=b)
    return {"prompt": prompt, "completion": ", ".join(steps), "answer": reached}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    trained, fresh = [], []
    for sign in PHRASES:
        # Each pair once, the larger number first.
        pairs = [(a, b) for a in range(10, 100) for b in range(10, a + 1)]
        draw.shuffle(pairs)

        def turned(pair):
            return pair[::-1] if sign == "+" and draw.random() < 0.5 else pair

        for n, pair in enumerate(pairs[: FRESH + TRAINED]):
            a, b = turned(pair)
            (fresh if n < FRESH else trained).append(line(draw, a, sign, b))
    for example in trained:
        del example["answer"]
    with open(HERE / "general.jsonl", encoding="utf-8") as general:
        trained += [json.loads(text) for text in general] * GENERAL
    draw.shuffle(trained)
    draw.shuffle(fresh)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, lines in (("train.jsonl", trained), ("fresh.jsonl", fresh)):
        text = "".join(json.dumps(entry) + "\n" for entry in lines)
        (options.out / name).write_text(text, encoding="utf-8")
        print(f"{len(lines)} lines in {options.out / name}")


if __name__ == "__main__":
    main()
