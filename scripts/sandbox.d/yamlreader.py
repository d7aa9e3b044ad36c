"""Reads the YAML that kubeadm writes (block mappings and sequences, scalars) and refuses everything else."""
import json
import re


class YamlError(ValueError):
    pass


def load(text):
    if text.lstrip().startswith("{"):
        return json.loads(text)
    lines = _lines(text)
    if not lines:
        return None
    value, rest = _block(lines, 0, lines[0][1])
    if rest != len(lines):
        raise YamlError(f"line {lines[rest][0]}: unexpected indentation")
    return value


def _lines(text):
    """(line number, indentation, content) of the lines that say something."""
    out = []
    for number, line in enumerate(text.splitlines(), 1):
        body = line.strip()
        if not body or body.startswith("#"):
            continue
        if body == "---" or body.startswith("%"):
            if out:
                raise YamlError(f"line {number}: a second document is not understood")
            continue
        if body == "...":
            break
        indent = len(line) - len(line.lstrip(" "))
        if line[indent] == "\t":
            raise YamlError(f"line {number}: a tab in the indentation")
        out.append((number, indent, line[indent:].rstrip()))
    return out


def _block(lines, at, indent):
    return _sequence(lines, at, indent) if _is_item(lines[at][2]) else _mapping(lines, at, indent)


def _is_item(content):
    return content == "-" or content.startswith("- ")


def _sequence(lines, at, indent):
    items = []
    while at < len(lines) and lines[at][1] == indent and _is_item(lines[at][2]):
        number, _, content = lines[at]
        body = content[1:].lstrip(" ")
        inner = indent + len(content) - len(body)
        if not body or body.startswith("#"):
            at += 1
            if at < len(lines) and lines[at][1] > indent:
                value, at = _block(lines, at, lines[at][1])
            else:
                value = None
        elif _split_key(body) or _is_item(body):
            lines[at] = (number, inner, body)
            value, at = _block(lines, at, inner)
        else:
            value, at = _scalar(body, number), at + 1
        items.append(value)
    return items, at


def _mapping(lines, at, indent):
    out = {}
    while at < len(lines) and lines[at][1] == indent and not _is_item(lines[at][2]):
        number, _, content = lines[at]
        pair = _split_key(content)
        if not pair:
            raise YamlError(f"line {number}: expected 'key: value', found {content!r}")
        key, rest = pair
        if key in out:
            raise YamlError(f"line {number}: key {key!r} occurs twice")
        at += 1
        if rest and not rest.startswith("#"):
            out[key] = _scalar(rest, number)
            continue
        out[key] = None
        if at < len(lines):
            deeper = lines[at][1] > indent
            if deeper or (lines[at][1] == indent and _is_item(lines[at][2])):
                out[key], at = _block(lines, at, lines[at][1])
    if at < len(lines) and lines[at][1] > indent:
        raise YamlError(f"line {lines[at][0]}: unexpected indentation")
    return out, at


_KEY = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)'|([^\s"'#&*!|>%@`{\[,?-][^#"']*?|-[^\s:]+)):(?:\s+|$)(.*)""")


def _split_key(content):
    match = _KEY.fullmatch(content)
    if not match:
        return None
    double, single, plain, rest = match.groups()
    if double is not None:
        return json.loads(f'"{double}"'), rest
    return (single.replace("''", "'") if single is not None else plain), rest


_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?")


def _scalar(body, number):
    if body[0] == '"':
        match = re.fullmatch(r'("(?:[^"\\]|\\.)*")(?:\s+#.*)?', body)
        if not match:
            raise YamlError(f"line {number}: unfinished string")
        return json.loads(match.group(1))
    if body[0] == "'":
        match = re.fullmatch(r"'((?:[^']|'')*)'(?:\s+#.*)?", body)
        if not match:
            raise YamlError(f"line {number}: unfinished string")
        return match.group(1).replace("''", "'")
    body = re.split(r"\s#", body, maxsplit=1)[0].rstrip()
    if body in ("{}", "[]"):
        return {} if body == "{}" else []
    if body[0] in "&*!|>%@`{[":
        raise YamlError(f"line {number}: {body!r} is YAML that this reader does not understand")
    if re.search(r":\s", body):
        raise YamlError(f"line {number}: a mapping inside a value: {body!r}")
    if body in ("null", "~", "Null", "NULL"):
        return None
    if body in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return body.lower() == "true"
    if _INT.fullmatch(body):
        return int(body)
    return float(body) if _FLOAT.fullmatch(body) else body
