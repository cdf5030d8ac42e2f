"""Understanding an energy: one true evaluation, read as a stack of layers."""
