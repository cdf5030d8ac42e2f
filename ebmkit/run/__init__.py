"""One run: built from a plan, started or resumed, watched, rolled back, stopped."""
