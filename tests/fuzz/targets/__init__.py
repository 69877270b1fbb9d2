"""One target a door."""
