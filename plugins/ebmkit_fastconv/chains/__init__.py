"""Value and gradient of a stack of layers in closed form, for chains."""
