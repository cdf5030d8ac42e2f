"""Optimizers of torch, as a plugin of ebmkit: Adam, AdamW, and SGD with momentum.

Any other class of ``torch.optim`` comes in by a plugin as these do. Nothing is imported here: finding
plugins stays quick.
"""
