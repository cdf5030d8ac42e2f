"""Energies that people really write, as hostile as they come, against plain torch in a process of its own."""
