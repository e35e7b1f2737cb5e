"""Wide networks: Wasserstein gradient flows of one functional, by every method."""
