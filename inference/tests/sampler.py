#!/usr/bin/env python3
"""The network's sampler, gumbel-top-k/1, in plain Python: checks tests/vectors/sampler.json, or writes it with --write."""
import json, math, pathlib, struct, sys

VECTORS = pathlib.Path(__file__).parent / "vectors" / "sampler.json"


def chacha20_word(key, counter):
    """First 64-bit word of a ChaCha20 block: 64-bit counter, nonce 0."""
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), counter & 0xFFFFFFFF, counter >> 32, 0, 0]
    s = start[:]
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15), (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                s[x] = (s[x] + s[y]) & 0xFFFFFFFF
                s[z] = ((s[z] ^ s[x]) << turn | (s[z] ^ s[x]) >> (32 - turn)) & 0xFFFFFFFF
    word = [(a + b) & 0xFFFFFFFF for a, b in zip(s, start)]
    return word[0] | word[1] << 32


def gumbel(key, position, token):
    u = ((chacha20_word(key, position << 32 | token) >> 11) + 0.5) / 2**53
    return -math.log(-math.log(u))


def choose(logits, top_k, temperature_milli, key, position):
    best = sorted(range(len(logits)), key=lambda v: (-logits[v], v))[:top_k]
    if temperature_milli == 0:
        return best[0]
    return min(best, key=lambda v: (-(logits[v] + temperature_milli / 1000 * gumbel(key, position, v)), v))


def vectors():
    state = 1
    def draw():  # A fixed stream of numbers below 2^16.
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return state >> 48
    noise, choices = [], []
    for n in range(16):
        key = bytes(draw() % 256 for _ in range(32))
        position, token = (0, 0) if n == 0 else (draw(), draw())
        noise.append({"key": key.hex(), "position": position, "token": token, "gumbel": gumbel(key, position, token)})
    for n in range(32):
        key = bytes(draw() % 256 for _ in range(32))
        logits = [(draw() - 2**15) / 2**12 for _ in range(1 + draw() % 80)]
        if n % 4 == 3:
            logits = [float(int(z)) for z in logits]  # Many ties.
        query = {"logits": logits, "topK": 1 + draw() % 64, "temperatureMilli": [0, 200, 700, 1000, 2000][n % 5], "position": draw()}
        token = choose(logits, query["topK"], query["temperatureMilli"], key, query["position"])
        choices.append({"key": key.hex(), **query, "token": token})
    return {"sampler": "gumbel-top-k/1", "noise": noise, "choices": choices}

if __name__ == "__main__":
    if "--write" in sys.argv:
        VECTORS.write_text(json.dumps(vectors()).replace('{"key"', '\n{"key"') + "\n")
    given, ours = json.loads(VECTORS.read_text()), vectors()
    assert given["choices"] == ours["choices"], "the choices differ"
    assert all(abs(a["gumbel"] - b["gumbel"]) <= 1e-12 * max(1, abs(b["gumbel"])) for a, b in zip(given["noise"], ours["noise"])), "the noise differs"
    print(f"{len(ours['noise'])} noise values and {len(ours['choices'])} choices agree")
