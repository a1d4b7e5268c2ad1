#!/usr/bin/env python3
"""Writes word-problems.jsonl: 200 arithmetic word problems in the shape of GSM8K, drawn from a fixed seed.

    python3 tests/data/word-problems.py > tests/data/word-problems.jsonl

Numbers, people and things differ; one to four steps. Nothing is taken from a published data set.
"""

import json
import random

draw = random.Random(20261)
NAMES = ["Anna", "Boris", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Irina", "Jonas", "Katya", "Leo"]
THINGS = ["apples", "books", "coins", "pencils", "stamps", "candles", "shells", "marbles"]


def step(expression):
    """The expression with its value marked as a calculator would."""
    value = eval(expression)
    assert value == int(value) > 0, expression
    return int(value), f"{expression}=<<{expression}={int(value)}>>{int(value)}"


def boxes(name, other, things):
    a, b, c = draw.randint(3, 20), draw.randint(4, 30), draw.randint(2, 11)
    total, first = step(f"{a}*{b}")
    left, second = step(f"{total}-{c}")
    return (f"{name} has {a} boxes with {b} {things} each and gives {c} {things} to {other}. How many {things} does {name} have left?",
            f"{name} begins with {first} {things}.\nAfter the gift there are {second}.", left)


def shares(name, other, things):
    people, each, rest = draw.randint(3, 9), draw.randint(5, 25), draw.randint(1, 30)
    total = people * each + rest
    shared, first = step(f"{total}-{rest}")
    part, second = step(f"{shared}//{people}")
    return (f"{name} and {other} count {total} {things}. They keep {rest} and share out the others equally among {people} friends. "
            f"How many {things} does each friend get?",
            f"There are {first} {things} to share.\nEach friend gets {second}.", part)


def prices(name, other, things):
    a, b, price, fee = draw.randint(2, 15), draw.randint(2, 15), draw.randint(2, 12), draw.randint(3, 19)
    count, first = step(f"{a}+{b}")
    cost, second = step(f"{count}*{price}")
    total, third = step(f"{cost}+{fee}")
    return (f"{name} orders {a} {things} and {other} orders {b}. All {things} cost {price} dollars a piece, and sending them costs {fee} dollars "
            f"once. How many dollars do they pay together?",
            f"They order {first} {things}.\nThose cost {second} dollars.\nWith the sending it is {third} dollars.", total)


def weeks(name, other, things):
    days, daily, more = draw.randint(3, 6), draw.randint(2, 12), draw.randint(5, 40)
    weekly, first = step(f"{days}*{daily}")
    weeks = draw.randint(2, 8)
    found, second = step(f"{weekly}*{weeks}")
    both, third = step(f"{found}+{found}+{more}")
    return (f"{name} finds {daily} {things} on each of {days} days a week. In {weeks} weeks {other} finds {more} {things} more than {name}. How many {things} "
            f"do they find together in {weeks} weeks?",
            f"{name} finds {first} {things} a week.\nIn {weeks} weeks that is {second}.\nTogether they find {third}.", both)


def half(name, other, things):
    small, factor, sold = draw.randint(10, 60) * 2, draw.randint(2, 6), draw.randint(2, 9)
    large, first = step(f"{small}*{factor}")
    half, second = step(f"{large}//2")
    left, third = step(f"{large}-{half}")
    all_left, fourth = step(f"{left}+{small}-{sold}")
    return (f"{other} owns {small} {things} and {name} owns {factor} times as many. {name} sells half of them and {other} sells {sold}. "
            f"How many {things} do both own now?",
            f"{name} owned {first} {things}.\nHalf of that is {second}.\n{name} keeps {third}.\nBoth own {fourth}.", all_left)


seen = set()
while len(seen) < 200:
    name, other = draw.sample(NAMES, 2)
    question, reasoning, answer = draw.choice([boxes, shares, prices, weeks, half])(name, other, draw.choice(THINGS))
    if question not in seen:
        seen.add(question)
        print(json.dumps({"question": question, "answer": f"{reasoning}\n#### {answer}"}))
