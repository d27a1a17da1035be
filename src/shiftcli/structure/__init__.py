"""What a crystal is, and what can be known of it from geometry alone."""
