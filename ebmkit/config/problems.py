"""TEMP."""
import attrs
@attrs.frozen
class Problem:
    code: str
    message: str
    path: str
    line: int|None
    column: int|None
    length: int
    source_line: str|None
    label: str
    helps: tuple
def render(problems,*,file):
    return "\n".join(f"error[{p.code}]: {p.message} --> {p.path}:{p.line}:{p.column} {p.label} {p.helps}" for p in problems)
