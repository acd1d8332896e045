"""Mutations of files: of bytes, text, tables and archives."""

import io
import json
import re
import zipfile

# Values that a careless program, another system or an attacker might write.
ODD = (
    "", " ", "-1", "-0", "0", "1e9", "99999999999999999999", "1e999", "-1e999", "nan", "NaN", "inf", "-Infinity",
    "None", "null", "true", "[]", "{}", '"', "'", ",", ";", "\n", "\r\n", "\r", "\t", "\0", "\ufeff", "\u2028", "é",
    "名", "\U0001f426", "名" * 90, "x" * 300, "..", "../" * 9, "/etc/passwd", "C:\\a", "~", "%s%n", "<a>", "]]>",
    "&amp;", "&lt", "9" * 5000, "(" * 3000, "1_0", "0x10", "١", "²",
)  # fmt: skip
# The same as values of a JSON document.
ODD_VALUES = (
    None, True, False, 0, -1, 1.5, 10**30, -(10**30), float("nan"), float("inf"), "", "\n", "\ud800", "x" * 300,
    "../..", [], {}, [[]], [None], {"a": 1}, "float32", 2**31, 1e-300,
)  # fmt: skip
XML_ATTACKS = (
    b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;"><!ENTITY z "&y;&y;&y;">]><annotation>&z;</annotation>',
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><object>&x;</object></annotation>',
    b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><annotation/>',
    b'<?xml version="1.0" encoding="utf-16"?><annotation/>',
    b'<?xml version="1.0" encoding="nothing"?><annotation/>',
    b'<?xml version="1.0" encoding="rot13"?><annotation/>',
    b'<?xml version="9"?><annotation/>',
    b"<annotation>" * 20_000,
    b"<annotation>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</annotation>",
    b"<annotation><object><name>",
)


def _spot(rng, content):
    return rng.randrange(len(content) + 1)


def _flip(rng, content):
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 8))):
        changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(rng, content):
    at = _spot(rng, content)
    return content[:at] + rng.randbytes(rng.choice((1, 4, 8))) + content[at + 4 :]


def _cut_out(rng, content):
    start, end = sorted((_spot(rng, content), _spot(rng, content)))
    return content[:start] + content[end:]


def _insert(rng, content):
    at = _spot(rng, content)
    return content[:at] + rng.choice(ODD).encode() + content[at:]


def _other_number(rng, content):
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    if not numbers:
        return content
    found = rng.choice(numbers)
    return content[: found.start()] + rng.choice(ODD).encode() + content[found.end() :]


def _lines(change):
    def mutate(rng, content):
        lines = content.split(b"\n")
        change(rng, lines)
        return b"\n".join(lines)

    return mutate


def _cells(change):
    """Change the same cell of every line."""

    def mutate(rng, content):
        seed = rng.random()
        rows = [line.split(b",") for line in content.split(b"\n")]
        for row in rows:
            change(int(seed * len(row)), row)
        return b"\n".join(b",".join(row) for row in rows)

    return mutate


def _other_cell(rng, content):
    rows = [line.split(b",") for line in content.split(b"\n")]
    row = rng.choice(rows)
    row[rng.randrange(len(row))] = rng.choice(ODD).encode()
    return b"\n".join(b",".join(row) for row in rows)


def _json_value(rng, content):
    """Change one value of a JSON document, or its type."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return content
    places, value = [], rng.choice(ODD_VALUES)

    def visit(node):
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            visit(node[key])

    visit(document)
    if not places or rng.random() < 0.05:
        return json.dumps(value).encode()
    holder, key = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = [holder[key]] if rng.random() < 0.2 else value
    return json.dumps(document).encode()


def _nest(rng, content):
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return opened * 100_000 + content + closed * 100_000


def _in_archive(rng, content):
    """Mutate one member of a zip archive, with a valid checksum."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError):
        return content
    chosen = rng.choice([name for name in members for _ in range(9 if name.endswith(".pkl") else 1)] or [""])
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, mutated(rng, member, OF_BYTES) if name == chosen else member)
    return written.getvalue()


def _in_header(rng, content):
    """Mutate the JSON header of a safetensors file, with a valid length."""
    length = int.from_bytes(content[:8], "little")
    header = _json_value(rng, content[8 : 8 + length])
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def _dialect(change):
    """Change every row of a table, such as its separator."""

    def mutate(rng, content):
        rows = [line.split(b",") for line in content.split(b"\n")]
        return b"\n".join(change(rng.random(), number, row) for number, row in enumerate(rows))

    return mutate


def _decimal(_, number, row):
    return b",".join(cell + b".0" if number and cell.isdigit() else cell for cell in row)


OF_BYTES = {
    "flip bits": _flip,
    "overwrite": _overwrite,
    "truncate": lambda rng, content: content[: _spot(rng, content)],
    "cut out": _cut_out,
    "insert": _insert,
    "other number": _other_number,
    "swap ends": lambda rng, content: (lambda at: content[at:] + content[:at])(_spot(rng, content)),
    "twice": lambda rng, content: content + content,
    "nothing": lambda rng, content: b"",
    "noise": lambda rng, content: rng.randbytes(rng.randrange(1, 300)),
}
OF_TEXT = {
    **OF_BYTES,
    "byte order mark": lambda rng, content: rng.choice((b"\xef\xbb\xbf", b"\xff\xfe")) + content,
    "utf-16": lambda rng, content: content.decode("utf-8", "replace").encode("utf-16"),
    "carriage returns": lambda rng, content: content.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\r"))),
    "a line less": _lines(lambda rng, lines: lines.pop(rng.randrange(len(lines)))),
    "a line twice": _lines(lambda rng, lines: lines.insert(rng.randrange(len(lines)), rng.choice(lines))),
    "an odd line": _lines(lambda rng, lines: lines.insert(rng.randrange(len(lines)), rng.choice(ODD).encode())),
    "a column less": _cells(lambda at, row: row.pop(at)),
    "a column twice": _cells(lambda at, row: row.insert(at, row[at])),
    "an odd cell": _other_cell,
}
OF_TABLES = {
    **OF_TEXT,
    "semicolons": _dialect(lambda seed, number, row: (b";" if seed < 0.9 else b",").join(row)),
    "tabs": _dialect(lambda seed, number, row: b"\t".join(row)),
    "quoted": _dialect(lambda seed, number, row: b",".join(b'"' + cell + b'"' for cell in row)),
    "spaces": _dialect(lambda seed, number, row: b" , ".join(row)),
    "index column": _dialect(lambda seed, number, row: b",".join([b"%d" % (number - 1) if number else b"", *row])),
    "decimals": _dialect(_decimal),
    "capitals": _dialect(lambda seed, number, row: b",".join(row).upper() if not number else b",".join(row)),
    "blank rows": _dialect(lambda seed, number, row: b",".join(row) + (b"\n" + b"," * (len(row) - 1)) * (seed < 0.3)),
}
OF_JSON = {**OF_TEXT, **{f"odd value {number}": _json_value for number in range(12)}, "nest": _nest}
OF_XML = {**OF_TEXT, "attack": lambda rng, content: rng.choice(XML_ATTACKS)}
OF_ARCHIVES = {**OF_BYTES, **{f"in the archive {number}": _in_archive for number in range(8)}}
OF_SAFETENSORS = {**OF_BYTES, **{f"in the header {number}": _in_header for number in range(8)}}


def mutated(rng, content, table):
    """Content after one to three mutations from a table."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = table[rng.choice(list(table))](rng, content) if content else b""
    return content
