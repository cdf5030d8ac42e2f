"""The paper's networks, as a plugin of ebmkit.

``ebmkit_convnets.descriptor`` is the bottom-up one, ``ebmkit_convnets.generator`` the
top-down one. Nothing is imported here: finding plugins stays quick.
"""
