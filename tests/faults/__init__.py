"""The fault laboratory: what is promised, broken on purpose.

Each module breaks one thing, with real processes on loopback. ``--on steps/04`` breaks
the code of another folder; ``--soak`` does so in full size, as ``make soak`` does.
"""
