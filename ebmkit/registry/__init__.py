"""What is installed: the kinds of part, discovery, and which plugins may be loaded."""
