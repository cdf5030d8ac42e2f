"""Samplers beside the paper's, as a plugin of ebmkit; each is one file.

Metropolis-adjusted: ``ebmkit_mcmc.mala``, ``ebmkit_mcmc.hmc``, ``ebmkit_mcmc.preconditioned`` and
``ebmkit_mcmc.tempering`` (parallel tempering). Unadjusted: ``ebmkit_mcmc.underdamped``,
``ebmkit_mcmc.annealed``. Without noise: ``ebmkit_mcmc.descent``. They share ``ebmkit_mcmc.metropolis`` and
``ebmkit_mcmc.adaptation``. Nothing is imported here: finding plugins stays quick.
"""
