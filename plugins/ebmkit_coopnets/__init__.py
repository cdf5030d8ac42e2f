"""The paper's three schedules, as a plugin of ebmkit.

``ebmkit_coopnets.coopnets``, ``ebmkit_coopnets.descriptor_only`` (Algorithm D) and
``ebmkit_coopnets.generator_only`` (Algorithm G). Nothing is imported here: finding plugins stays quick.
"""
