"""Sources that read arrays: tables, sequences, images and tensors of any shape, as a plugin of ebmkit.

Nothing is imported here: finding plugins stays quick.
"""
