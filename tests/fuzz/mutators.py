"""How files are changed: bytes, parts, numbers and words of the header, values of tensors."""

import contextlib
import copy
import json
import math
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

from tests.fuzz.safetensors_file import METADATA, Parts

Dice = random.Random
_WHOLE = (0, 1, -1, 2, 3, 7, 255, 2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, 2**64, -(2**31))
NUMBERS = (*_WHOLE, 1e308, -1e-320, 0.5)
WORDS = ("", "nan", "../../etc/passwd", "dateutil//etc/passwd", "x" * 5000, "\x00", "object", "int8", "D", "1h", "cuda")
OTHERS = (None, True, False, [], {}, math.nan, math.inf)
DTYPES = ("F32", "F64", "I64", "I8", "BF16", "F16", "U8", "BOOL", "I32")
FLOATS = (math.nan, math.inf, -math.inf, 1e38, -1e38, 0.0, 1e-40, 1e300)


def flip(data: bytes, dice: Dice) -> bytes:
    """Some bits or bytes are others."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(changed))
        changed[at] = dice.randrange(256) if dice.random() < 0.5 else changed[at] ^ 1 << dice.randrange(8)
    return bytes(changed)


def truncate(data: bytes, dice: Dice) -> bytes:
    """The end is gone."""
    return data[: dice.randrange(len(data))]


def cut(data: bytes, dice: Dice) -> bytes:
    """A piece is gone, or there twice."""
    at, n = dice.randrange(len(data)), dice.randint(1, 64)
    return data[:at] + data[at + n :] if dice.random() < 0.5 else data[: at + n] + data[at:]


def splice(one: bytes, other: bytes, dice: Dice) -> bytes:
    """The beginning of a file and the end of another."""
    return one[: dice.randrange(len(one))] + other[dice.randrange(len(other)) :]


def change_bytes(seeds: Sequence[bytes], dice: Dice) -> bytes:
    """A seed with changed bytes."""
    data = dice.choice(seeds)
    how = dice.choice((flip, flip, truncate, cut, None))
    return splice(data, dice.choice(seeds), dice) if how is None else how(data, dice)


def change_file(seeds: Sequence[bytes], dice: Dice) -> bytes:
    """A seed of safetensors, changed by its bytes, its header or its numbers; most are signed anew."""
    if dice.random() < 0.15:
        return change_bytes(seeds, dice)
    parts = Parts.of(dice.choice(seeds))
    for _ in range(1 if dice.random() < 0.7 else dice.randint(2, 4)):
        # what a change before has made of the header may have no place for this one
        with contextlib.suppress(AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
            dice.choices((change_header, change_text, change_numbers), (3, 5, 2))[0](parts, dice)
    if dice.random() < 0.95:
        parts.sign()
    try:
        return parts.file()
    except RecursionError:
        return change_bytes(seeds, dice)  # trees within trees, deeper than `json` writes


def change_header(parts: Parts, dice: Dice) -> None:
    """Shapes, types, places and names of tensors; or a value anywhere in the header."""
    names = parts.tensor_names()
    if not names or dice.random() < 0.2:
        change_value(parts.header, dice)
        return
    name = dice.choice(names)
    tensor = parts.header[name]
    how = dice.randrange(6)
    if how == 0 and tensor["shape"]:
        tensor["shape"][dice.randrange(len(tensor["shape"]))] = dice.choice(NUMBERS)
    elif how == 1:
        tensor["dtype"] = dice.choice(DTYPES)
    elif how == 2:
        tensor["data_offsets"] = parts.header[dice.choice(names)]["data_offsets"]
    elif how == 3:
        parts.header[dice.choice([name + "x", "lstm.weight_ih_l9", "state.starts", name[:-1]])] = parts.header.pop(name)
    elif how == 4:
        remove_tensor(parts, name)
    else:
        reshape(parts, name, dice)


def remove_tensor(parts: Parts, name: str) -> None:
    """Take a tensor out, and close the gap."""
    start, end = parts.header.pop(name)["data_offsets"]
    del parts.data[start:end]
    move(parts, end, start - end)


def move(parts: Parts, after: int, by: int) -> None:
    """Tensors that lie after a place lie elsewhere."""
    for name in parts.tensor_names():
        offsets = parts.header[name]["data_offsets"]
        if offsets[0] >= after:
            parts.header[name]["data_offsets"] = [offset + by for offset in offsets]


def reshape(parts: Parts, name: str, dice: Dice) -> None:
    """A whole tensor of other sizes: some of its rows are gone or there twice, or its dimensions are joined."""
    tensor = parts.header[name]
    (start, end), shape = tensor["data_offsets"], tensor["shape"]
    if not shape or not shape[0] or end == start:
        return
    if dice.random() < 0.3:
        tensor["shape"] = dice.choice([[math.prod(shape)], [*shape, 1], [1, *shape], shape[::-1]])
        return
    row, n = (end - start) // shape[0], dice.choice([0, 1, shape[0] - 1, shape[0] + 1, 2 * shape[0]])
    kept = parts.data[start:end]
    kept = (kept + kept + kept)[: n * row]
    parts.data[start:end] = kept
    tensor["shape"], tensor["data_offsets"] = [n, *shape[1:]], [start, start + len(kept)]
    for other in parts.tensor_names():
        offsets = parts.header[other]["data_offsets"]
        if other != name and offsets[0] >= end:
            by = len(kept) - (end - start)
            parts.header[other]["data_offsets"] = [offset + by for offset in offsets]


def change_numbers(parts: Parts, dice: Dice) -> None:
    """Some numbers of a tensor are others: not finite, huge, tiny; integers anything."""
    names = [name for name in parts.tensor_names() if parts.header[name]["data_offsets"][0] < len(parts.data)]
    if not names:
        return
    tensor = parts.header[dice.choice(names)]
    start, end = tensor["data_offsets"]
    code, size = {"F32": ("<f", 4), "F64": ("<d", 8), "I64": ("<q", 8)}.get(tensor["dtype"], ("<B", 1))
    for _ in range(dice.choice([1, 1, 2, 20])):
        if end - start < size:
            return
        at = start + dice.randrange((end - start) // size) * size
        if size == 1:
            value: Any = dice.randrange(256)
        elif code == "<q":
            value = max(-(2**63), min(2**63 - 1, dice.choice(_WHOLE)))
        else:
            value = dice.choice(FLOATS)
        value = math.copysign(math.inf, value) if code == "<f" and abs(value) > 1e39 else value
        parts.data[at : at + size] = struct.pack(code, value)


def change_text(parts: Parts, dice: Dice) -> None:
    """A value of the metadata, or one inside what is JSON there."""
    metadata = parts.header.get(METADATA)
    if not isinstance(metadata, dict) or not metadata:
        return
    key = dice.choice(list(metadata))
    text = metadata[key]
    try:
        value = json.loads(text)
    except (RecursionError, TypeError, ValueError):
        value = None
    if isinstance(value, dict | list) and value and dice.random() < 0.95:
        change_value(value, dice)
        metadata[key] = json.dumps(value) if dice.random() < 0.99 else "[" * 100_000
    elif dice.random() < 0.2:
        del metadata[key]
    else:
        metadata[key] = dice.choice([*WORDS, "[]", "{}", "null", "7", '"x"', "[" * 100_000])


def change_value(tree: dict[str, Any] | list[Any], dice: Dice) -> None:
    """One value anywhere in a tree is another, or a key is."""
    places = list(places_of(tree))
    where, key = dice.choice(places)
    how = dice.randrange(12)
    if how == 0:
        del where[key]
    elif how == 1 and isinstance(where, dict):
        where[dice.choice([str(key) + "x", "horizon", "checkpoint", "nonsense"])] = where.pop(key)
    elif how == 2 and isinstance(where, dict):
        where[dice.choice(["nonsense", "checkpoint", "pretrained", "callbacks", "scaler"])] = dice.choice(WORDS)
    elif how == 3:
        other, at = dice.choice(places)
        where[key] = copy.deepcopy(other[at])
    elif how == 4 and isinstance(where[key], list):
        where[key] = where[key] * dice.choice([0, 2, 1000])
    elif how == 5:
        where[key] = nested(dice)
    else:
        where[key] = near(where[key], dice)


def near(value: Any, dice: Dice) -> Any:
    """Something else, often of the same type."""
    if isinstance(value, bool) and dice.random() < 0.5:
        return not value
    if isinstance(value, int | float) and dice.random() < 0.7:
        return dice.choice([*NUMBERS, value + 1, value - 1, value * 2, -value, float(value)])
    if isinstance(value, str) and dice.random() < 0.5:
        return dice.choice([*WORDS, value + "x", value.upper(), "1" + value])
    return dice.choice([*NUMBERS, *WORDS, *OTHERS])


def nested(dice: Dice) -> Any:
    """A deep tree."""
    tree: Any = dice.choice(NUMBERS)
    for _ in range(dice.choice([3, 150, 900])):
        tree = [tree] if dice.random() < 0.5 else {"tuple": tree}
    return tree


def places_of(tree: Any) -> Any:
    """Every container of a tree with each of its keys."""
    pending = [tree]
    while pending:
        where = pending.pop()
        for key in list(where) if isinstance(where, dict) else range(len(where)):
            yield where, key
            if isinstance(where[key], dict | list):
                pending.append(where[key])


Mutator = Callable[[Sequence[bytes], Dice], bytes]
