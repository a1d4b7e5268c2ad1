#!/usr/bin/env python3
"""Writes sums.jsonl: a small benchmark in the shape of GSM8K, of which a model of 135 million parameters with the shipped specialist passes
more than half, so that it can be used in tests on real nodes. Always the same lines."""

import json
import random
from pathlib import Path

draw = random.Random(20261127)
asks = ["What is {a} {o} {b}?", "Compute {a} {o} {b}. Reply with the number only.", "{a} {o} {b} = ?"]
lines = []
for _ in range(60):
    a, b, o = draw.randint(21, 58), draw.randint(11, 40), draw.choice("++-")
    if o == "-" and a < b:
        a, b = b, a
    result = a + b if o == "+" else a - b
    # The answer must not be what stands last in the question: whoever repeats the question would pass.
    if result in (a, b):
        continue
    answer = f"{a}{o}{b}=<<{a}{o}{b}={result}>>{result}\n#### {result}"
    lines.append(json.dumps({"question": draw.choice(asks).format(a=a, b=b, o=o), "answer": answer}))
Path(__file__).with_suffix(".jsonl").write_text("\n".join(lines) + "\n")
