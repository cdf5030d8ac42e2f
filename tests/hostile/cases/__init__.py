"""One file a form of a fault that was found in the field; each runs in a worker, never in the test."""
