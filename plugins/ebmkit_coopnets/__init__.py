"""Schedules of cooperative learning, as a plugin of ebmkit.

The paper's three: ``ebmkit_coopnets.coopnets``, ``ebmkit_coopnets.descriptor_only`` (Algorithm D) and
``ebmkit_coopnets.generator_only`` (Algorithm G). Their younger relatives: ``ebmkit_coopnets.dual``,
``ebmkit_coopnets.multigrid`` and ``ebmkit_coopnets.replay``. Nothing is imported here: finding plugins stays
quick.
"""
