"""Training: batches, the loop, number formats, the guard against divergence."""
