"""Which source files may be compiled as one, so that each header is read once for all of them.

    group_sources.py MOST FILE...

prints "GROUP FILE" for each file. Two files share no group where one declares, in a namespace without a name or as an alias,
a name that the other's text contains; at most MOST files share one. Files that highway compiles several times stay alone.
"""

import re
import sys

COMMENTS_AND_TEXTS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"\w*\(.*?\)\w*"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'', re.S)
NAME = re.compile(r'(?<![\w.])(?<!->)[A-Za-z_]\w*')


def bare(text):
    """The text without comments, and with empty string literals."""
    return COMMENTS_AND_TEXTS.sub(lambda found: '""' if '"' in found[0][:4] else ' ', text)


def own_blocks(text):
    """What stands directly in a namespace without a name, a statement at a time."""
    for opening in re.finditer(r'\bnamespace\s*\{', text):
        depth, statement = 0, []
        for at in range(opening.end(), len(text)):
            symbol = text[at]
            if symbol == '{':
                depth += 1
            elif symbol == '}':
                depth -= 1
                if depth < 0:
                    break
            if depth == 0:
                statement.append(symbol)
                if symbol in ';}':
                    yield ''.join(statement)
                    statement = []


def declared(text):
    """Names that a file keeps to itself."""
    names = set(re.findall(r'\busing\s+(\w+)\s*=', text))
    for statement in own_blocks(text):
        names |= set(re.findall(r'\b(?:struct|class|enum|union)\s+(?:class\s+)?(\w+)', statement))
        names |= set(re.findall(r'\b(\w+)\s*(?:=|\[|;|\{|\})', statement)[:1])
        called = re.search(r'\b(\w+)\s*\(', statement)
        if called:
            names.add(called[1])
        # Several variables of one declaration.
        names |= set(re.findall(r',\s*(\w+)\s*=', statement))
    return names


class Source:
    def __init__(self, path):
        with open(path, encoding='utf-8') as file:
            raw = file.read()
        text = bare(raw)
        self.path = path
        self.alone = 'foreach_target' in raw or 'HWY_' in raw or '#define' in raw
        self.declares = declared(text)
        self.uses = set(NAME.findall(text))

    def meets(self, other):
        return not (self.declares & other.uses or other.declares & self.uses)


def grouped(sources, most):
    groups = []
    for source in sources:
        if source.alone:
            continue
        for group in groups:
            if len(group) < most and all(source.meets(other) for other in group):
                group.append(source)
                break
        else:
            groups.append([source])
    return groups


def main():
    groups = grouped([Source(path) for path in sys.argv[2:]], int(sys.argv[1]))
    for number, group in enumerate(groups):
        if len(group) > 1:
            for source in group:
                print(number, source.path)


if __name__ == '__main__':
    main()
