"""Energies composed of others, as a plugin of ebmkit: sums, mixtures, tempering, energies of other runs.

``ebmkit_algebra.from_run`` takes an energy from another run, ``ebmkit_algebra.sampling`` is the schedule
that draws and learns nothing. The composing energies themselves are in ``ebmkit.core``.
"""
