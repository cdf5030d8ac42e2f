"""The paper's three schedules, as a plugin of ebmkit.

``ebmkit_coopnets.cooperative``, ``ebmkit_coopnets.descriptor`` (Algorithm D) and
``ebmkit_coopnets.generator`` (Algorithm G). Nothing is imported here: finding plugins stays quick.
"""
