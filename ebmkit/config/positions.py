"""TEMP."""
import attrs, re
@attrs.frozen
class Position:
    line: int
    column: int
    value_column: int
    length: int
def locate(text):
    out={}; table=()
    for n,l in enumerate(text.splitlines(),1):
        if m:=re.match(r"\[([\w.-]+)\]",l):
            table=tuple(m[1].split(".")); out[table]=Position(n,2,2,len(m[1]))
        elif m:=re.match(r"(\s*)([\w-]+)(\s*=\s*)",l):
            out[(*table,m[2])]=Position(n,len(m[1])+1,m.end()+1,len(m[2]))
    return out
