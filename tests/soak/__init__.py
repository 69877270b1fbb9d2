"""The long runs: faults by the hundred, and the table of what was lost, duplicated or left behind by them."""
