"""The checks of every link of the chain, one room a place to look at: `chain` is the way in.

Nothing here changes anything, starts a watcher or calls the API. What goes wrong in one check is a finding of that
check, and stops no other.
"""
