"""What survives a kill: run folders, checkpoints and their manifests."""
