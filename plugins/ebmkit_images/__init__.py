"""Image sources, as a plugin of ebmkit.

``ebmkit_images.files`` reads a folder or a zip archive, ``ebmkit_images.faces`` an embedded set
of real faces. Nothing is imported here: finding plugins stays quick.
"""
