"""Figures, each a ratio to a baseline measured in the same run: absolute times say more of the machine."""
