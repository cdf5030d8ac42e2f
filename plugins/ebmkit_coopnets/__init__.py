"""The paper's three schedules, as a plugin of ebmkit.

:mod:`ebmkit_coopnets.cooperative`, :mod:`ebmkit_coopnets.descriptor` (Algorithm D) and
:mod:`ebmkit_coopnets.generator` (Algorithm G). Nothing is imported here: finding plugins stays quick.
"""
