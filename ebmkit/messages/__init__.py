"""How ebmkit words what it says, and how that reaches its reader."""
