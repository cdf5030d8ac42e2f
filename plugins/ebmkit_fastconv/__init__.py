"""Fast gradients of convolution stacks, as a plugin of ebmkit.

A chain evaluates one network at thousands of states, and needs the gradient with respect to the state
alone. For stacks of convolutions, linear layers and activations that gradient has a closed form,
which this package evaluates without autograd, and where it pays with fewer multiplications (Winograd,
Fourier).
Nothing names it in a run file: chains find it by themselves (``ebmkit_fastconv.prepare``).
"""
