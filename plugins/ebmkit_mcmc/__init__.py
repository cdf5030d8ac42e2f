"""Samplers beside the paper's, as a plugin of ebmkit.

``ebmkit_mcmc.hmc`` is Hamiltonian Monte Carlo, ``ebmkit_mcmc.underdamped`` underdamped Langevin dynamics.
Nothing is imported here: finding plugins stays quick.
"""
