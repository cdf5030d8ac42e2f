"""Trackers: TensorBoard, and the interface that W&B and trackio share."""
