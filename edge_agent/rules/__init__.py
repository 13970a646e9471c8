"""Rules: tracks become events, counts, zone visits and line crossings."""
