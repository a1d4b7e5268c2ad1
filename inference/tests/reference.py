#!/usr/bin/env python3
"""Llama in plain f32 (needs numpy): writes vectors/smollm2.json, the likeliest tokens after each position of a given answer."""
import json, os, pathlib, struct
import numpy as np

DATA = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
VECTORS = pathlib.Path(__file__).parent / "vectors" / "smollm2.json"
file = open(f"{DATA}/touchstone/models/smollm2-135m-instruct.q4_1.gguf", "rb")
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def read(code):
    return struct.unpack("<" + code, file.read(struct.calcsize(code)))[0]


def text():
    return file.read(read("Q")).decode("utf8", "replace")


def value(kind):
    if kind == 9:
        kind, count = read("I"), read("Q")
        return [value(kind) for _ in range(count)]
    return text() if kind == 8 else read(NUMBERS[kind])


file.read(8)
tensor_count, value_count = read("Q"), read("Q")
for _ in range(value_count):
    text(), value(read("I"))
infos = {}
for _ in range(tensor_count):
    name = text()
    infos[name] = ([read("Q") for _ in range(read("I"))], read("I"), read("Q"))
start = (file.tell() + 31) // 32 * 32


def weights(name):
    shape, kind, offset = infos[name]
    count = int(np.prod(shape))
    file.seek(start + offset)
    if kind == 0:
        numbers = np.frombuffer(file.read(count * 4), "<f4")
    else:
        size = {8: 34, 3: 20}[kind]
        blocks = np.frombuffer(file.read(count // 32 * size), np.uint8).reshape(-1, size)
        half = lambda at: blocks[:, at:at + 2].copy().view("<f2").astype("f4")
        if kind == 8:
            numbers = half(0) * blocks[:, 2:].copy().view(np.int8).astype("f4")
        else:
            numbers = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], 1).astype("f4") * half(0) + half(2)
    return numbers.reshape(shape[::-1])


PARTS = "attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down".split()
layers = [{part: weights(f"blk.{n}.{part}.weight") for part in PARTS} for n in range(30)]
embedding, last_norm = weights("token_embd.weight"), weights("output_norm.weight")


def norm(x, weight):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * weight


def forward(ids):
    n, x = len(ids), embedding[ids]
    angles = (np.arange(n)[:, None] * 100000.0 ** (-np.arange(32) / 32))[:, None]
    cos, sin = np.cos(angles).astype("f4"), np.sin(angles).astype("f4")

    def rotate(t):
        t = t.reshape(n, -1, 64)
        a, b = t[..., 0::2], t[..., 1::2]
        return np.stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(t.shape)

    mask = np.triu(np.full((n, n), -1e30, "f4"), 1)
    for layer in layers:
        h = norm(x, layer["attn_norm"])
        q, k, v = rotate(h @ layer["attn_q"].T), rotate(h @ layer["attn_k"].T), (h @ layer["attn_v"].T).reshape(n, 3, 64)
        heads = []
        for head in range(9):
            scores = q[:, head] @ k[:, head // 3].T / 8 + mask
            p = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(p / p.sum(-1, keepdims=True) @ v[:, head // 3])
        x = x + np.concatenate(heads, 1) @ layer["attn_output"].T
        h = norm(x, layer["ffn_norm"])
        gate = h @ layer["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ layer["ffn_up"].T)) @ layer["ffn_down"].T
    return norm(x, last_norm) @ embedding.T


if __name__ == "__main__":
    # The default system text, "What is the capital of France?", and "The capital of France is Paris.".
    prompt = [1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712, 8182, 2, 198,
              1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198]
    answer = [504, 3575, 282, 4649, 314, 7042, 30, 2]
    logits = forward(prompt + answer)[len(prompt) - 1:-1].astype("f8")
    top = []
    for z in logits:
        logprobs = z - z.max() - np.log(np.exp(z - z.max()).sum())
        top.append([[int(i), round(float(logprobs[i]), 4)] for i in np.argsort(-z)[:5]])
    VECTORS.write_text(json.dumps({"prompt": prompt, "answer": answer, "top": top}) + "\n")
