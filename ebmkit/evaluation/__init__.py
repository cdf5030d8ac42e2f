"""Judging what a training makes: samples against real examples, by metrics of any plugin."""
