"""Energies that people really write, as hostile as they come, each held against plain torch in a process of its own."""
