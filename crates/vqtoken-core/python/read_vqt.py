"""Reads a `.vqt` file of version 1 or 2 with NumPy: python read_vqt.py FILE.vqt"""

import json, struct, sys, zlib
from bisect import bisect_left
import numpy as np

TYPES = {"F64": "<f8", "F32": "<f4", "BF16": "<u2", "I8": "i1", "U8": "u1", "U16": "<u2", "U32": "<u4"}


def read_vqt(path):
    """codebook [K, D] f32, index map [T, H, W], timestamps [T] f64 in seconds, and what else the file says."""
    data = open(path, "rb").read()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    about = header.pop("__metadata__")
    blank = data.replace(b'"checksum":"%s"' % about["checksum"].encode(), b'"checksum":"00000000"', 1)
    assert about["format"] == "vqtoken" and int(about["version"]) <= 2, "not a .vqt file of version 1 or 2"
    assert zlib.crc32(blank) == int(about["checksum"], 16), "damaged"
    part = {name: np.frombuffer(data[8 + size :][slice(*t["data_offsets"])], TYPES[t["dtype"]]).reshape(t["shape"])
            for name, t in header.items()}
    bf16 = lambda bits: (bits.astype("<u4") << 16).view("<f4")
    codebook = bf16(part["codebook"]) if header["codebook"]["dtype"] == "BF16" else part["codebook"]
    if "codebook_scales" in part:
        codebook = codebook * bf16(part["codebook_scales"])[:, None]
    if "index_map" in part:
        index_map = part["index_map"]
    else:
        shape = [int(n) for n in about["grid"].split(",")]
        index_map = np.array(decode(part["index_map_coded"].tolist(), *shape, len(codebook))).reshape(shape)
    if "timestamps" in part:
        return codebook, index_map, part["timestamps"], about
    numerator, denominator = map(int, about["tick"].split("/"))
    return codebook, index_map, np.cumsum(part["ticks"], dtype="i8") * numerator / denominator, about


LOGISTIC = [1, 2, 4, 6, 10, 17, 27, 45, 74, 120, 194, 311, 488, 747, 1102, 1546, 2048, 2550, 2994, 3349, 3608, 3785,
            3902, 3976, 4022, 4051, 4069, 4079, 4086, 4090, 4092, 4094, 4095]  # fmt: skip
CURVE = [(LOGISTIC[x >> 7] * (128 - (x & 127)) + LOGISTIC[(x >> 7) + 1] * (x & 127) + 64) >> 7 for x in range(1, 4096)]
LOGITS = [min(bisect_left(CURVE, p) - 2047, 2047) for p in range(4096)]
MASK = 0xFFFFFFFF


def mix(a, b):
    h = ((((a + 1) * 0x9E3779B1) & MASK ^ b) * 0x9E3779B1) & MASK
    return h ^ h >> 15


def decode(data, frames, height, width, codes):
    """The labels of a coded index map, flat [T * H * W]."""
    frame, count, bits, rest = height * width, frames * height * width, (codes - 1).bit_length(), iter(data)
    span, above, size, labels = MASK, 0, count.bit_length() - 1, []
    kinds = [({}, {}, max(8, min(size, 16)) + 2), ({}, {}, max(6, min(size, 16)) + 4)]
    for _ in range(4):
        above = above << 8 | next(rest)

    def decide(kind, contexts, node, group):
        nonlocal span, above
        shares, weights, log = kinds[kind]
        below = (node.bit_length() - 1) % 4
        top, within = node >> below, 1 << below | node & (1 << below) - 1
        keys = [(i, ((c ^ top) * 0x9E3779B1 & MASK) >> 32 - log ^ within) for i, c in enumerate(contexts)]
        logits = [LOGITS[shares.get(key, (32768, 0))[0] >> 4] for key in keys]
        weight = weights.setdefault(group, [1 << 14] * 8)
        p = CURVE[max(-2047, min(2047, sum(l * w for l, w in zip(logits, weight)) >> 16)) + 2047]
        part = (span >> 12) * max(4, min(4092, p))
        yes = above < part
        span, above = (part, above) if yes else (span - part, above - part)
        while span < 1 << 24:
            span, above = span << 8, above << 8 | next(rest)
        error = ((4095 if yes else 0) - p) * 10
        weight[:] = [max(-131071, min(131071, w + ((l * error + 8192) >> 14))) for l, w in zip(logits, weight)]
        for key in keys:
            share, seen = shares.get(key, (32768, 0))
            step = ((65535 if yes else 0) - share) * (65536 // (2 * seen + 3)) >> 15
            shares[key] = (share + step, min(seen + 1, 60))
        return yes

    for i in range(count):
        x, y = i % width, i // width % height
        far = lambda t, dy, dx: (labels[i - t * frame + dy * width + dx]
                                 if i >= t * frame and 0 <= x + dx < width and 0 <= y + dy < height else MASK)  # fmt: skip
        (w, n, nw, ne), (ow, on, onw, one) = ([far(t, *d) for d in ((0, -1), (-1, 0), (-1, -1), (-1, 1))] for t in (0, 1))
        (same, oe, os), (older, oldere, olders) = ([far(t, *d) for d in ((0, 0), (0, 1), (1, 0))] for t in (1, 2))
        q = next((label for label in (same, w, n) if label != MASK), 0)
        flags = lambda tests: sum(test << k for k, test in enumerate(reversed(tests)))
        agree = flags([label == q for label in (w, n, nw, ne, ow, on, oe, os, older)])
        still = flags([w == ow, n == on, nw == onw, ne == one, same == older, oe == oldere, os == olders])
        near = [mix(agree, 0), mix(still, 0), mix(agree, still), mix(x, y), mix(q, 0), mix(mix(q, w), 0),
                mix(mix(q, w), n), mix(q, older)]  # fmt: skip
        if decide(0, near, 1, (w == ow) + (n == on)):
            labels.append(q)
            continue
        near = [0, mix(same, 0), mix(w, 0), mix(n, 0), mix(same, w), mix(w, n), mix(same, n), mix(same, oe)]
        label = 0
        for depth in range(bits):
            label, below = label << 1, bits - 1 - depth
            if (label | 1) << below < codes:
                label |= decide(1, near, 1 << depth | label >> 1, depth)
        labels.append(label)
    assert above == 0 and next(rest, None) is None, "damaged"
    return labels


if __name__ == "__main__":
    codebook, index_map, timestamps, about = read_vqt(sys.argv[1])
    print(json.dumps({"codebook": codebook.shape, "grid": index_map.shape, "times": timestamps[[0, -1]].tolist(), **about}))
